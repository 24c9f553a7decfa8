"""What the library keeps, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """What makes embeddings comparable: one index holds those of one spec only.

    Attributes
    ----------
    model : str
        The model's name.
    weights_digest : str
        The digest of its weights and front end; the name again where that is all that is known.
    excerpt_seconds : float or None
        How much of each file was embedded; None for all of it.
    """

    model: str
    weights_digest: str
    excerpt_seconds: float | None = None
    dimension: int = 128

    def __str__(self) -> str:
        excerpt = self.excerpt_seconds
        how_much = "whole files" if excerpt is None else f"excerpts of {excerpt:g} s"
        if self.weights_digest == self.model:
            return f"{self.model} ({how_much})"
        return f"{self.model} (digest {self.weights_digest[:12]}, {how_much})"

    def is_compatible(self, other: EmbeddingSpec) -> bool:
        """Return whether a model known by name only may be the other one."""
        names = {name.removesuffix(".tflite") for name in (self.model, other.model)}
        is_known = self.weights_digest != self.model
        return not is_known and len(names) == 1 and self.excerpt_seconds == other.excerpt_seconds

    def to_settings(self) -> dict[str, str]:
        """Return the spec as a database's settings."""
        excerpt = self.excerpt_seconds
        return {
            "model": self.model,
            "fingerprint": self.weights_digest,
            "excerpt_seconds": "" if excerpt is None else repr(excerpt),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, str]) -> EmbeddingSpec:
        """Return the spec that a database's settings tell; KeyError, ValueError where none."""
        excerpt = settings["excerpt_seconds"]
        return cls(settings["model"], settings["fingerprint"], float(excerpt) if excerpt else None)


@dataclass(frozen=True, slots=True)
class Track:
    """What an index knows of one audio file, besides its vector.

    Attributes
    ----------
    path : str
        Absolute; bytes that are not UTF-8 are kept by ``surrogateescape``.
    size : int
        In bytes.
    mtime_ns : int
        Time of last change, in nanoseconds since 1970.
    content_hash : str
        BLAKE3 of the file's bytes, 32 hexadecimal digits.
    seconds : float
        Length of the sound.
    id : int
        Also the vector's id in FAISS; 0 until the track is stored.
    """

    path: str
    size: int
    mtime_ns: int
    content_hash: str
    seconds: float
    sample_rate_hz: int
    channels: int
    format: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None
    track_number: int | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be embedded, as it was then, and why.

    Size and time of change are -1 for one that could not be read at all.
    """

    path: str
    reason: str
    size: int
    mtime_ns: int
