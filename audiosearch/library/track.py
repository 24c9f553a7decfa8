"""Records of an index: tracks, failures, map coordinates, and the model of its vectors."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from audiosearch import defaults
from audiosearch.errors import TrackNotFound, UsageError
from audiosearch.models.sound import Sound
from audiosearch.normal_form import normal_form

if TYPE_CHECKING:
    from audiosearch.types import Float64, Int64

__all__ = [
    "UNIT_TOLERANCE",
    "Coordinates",
    "EmbeddingSpec",
    "Failure",
    "Sound",
    "Totals",
    "Track",
    "artist_and_title",
    "fold",
    "plain_words",
    "removed_track_error",
    "split_list",
]

UNIT_TOLERANCE: Final = 1e-3  # largest difference of a stored vector's length from 1
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def fold(text: str | None) -> str:
    """Return a text as texts are compared: case-folded, in NFC, and with single spaces.

    Bytes that aren't UTF-8, which arguments of commands may have, become U+FFFD.

    Examples
    --------
    >>> fold(" The  Band ") == fold("THE BAND"), fold(None)
    (True, '')
    >>> fold("Bj\N{LATIN SMALL LETTER O WITH DIAERESIS}rk") == fold("Bjo\N{COMBINING DIAERESIS}rk")
    True

    References
    ----------
    .. [1] The Unicode Standard, definition D145, canonical caseless matching: case folding applies
       to decomposed text.
    """
    folded = " ".join((text or "").split())
    if folded.isascii():
        return folded.lower()
    folded = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", folded)
    return normal_form("NFC", normal_form("NFD", folded).casefold())


def plain_words(text: str) -> list[str]:
    """Return the words of a text as searches compare them: without case, accents and signs.

    Examples
    --------
    >>> plain_words("Sigur R\N{LATIN SMALL LETTER O WITH ACUTE}s - Untitled #1")
    ['sigur', 'ros', 'untitled', '1']
    """
    plain = fold(text)
    if not plain.isascii():
        decomposed = normal_form("NFKD", plain)
        plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.findall(r"[^\W_]+", plain)


def split_list(text: str | None) -> list[str]:
    """Return the values of a tag that joins several by ";".

    Examples
    --------
    >>> split_list("Jazz; Soul"), split_list("Rock"), split_list(None)
    (['Jazz', 'Soul'], ['Rock'], [])
    """
    return [value for part in (text or "").split(";") if (value := part.strip())]


def artist_and_title(artist: str | None, title: str | None) -> str:
    """Return "artist - title", one of them if the other is missing, or an empty text.

    Examples
    --------
    >>> artist_and_title("Band", "Song"), artist_and_title(None, "Song")
    ('Band - Song', 'Song')
    """
    return " - ".join(filter(None, (artist, title)))


def removed_track_error() -> TrackNotFound:
    """Return the error that a track was removed while its vector was needed."""
    return TrackNotFound(
        "Another process removed a track at the same time.", hint="Run the same command again."
    )


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """Model and settings that made the vectors of an index.

    Vectors can be compared only if their specs are equal.

    Attributes
    ----------
    model : str
        Name of the model.
    weights_digest : str
        Digest of the model's weights and front end. If only the model's name is known, the name.
    excerpt_seconds : float or None
        Seconds of each file that were embedded; None for whole files.
    dimension : int
        Numbers in a vector, from 2 to 4,096.

    Raises
    ------
    UsageError
        If the dimension is out of range.
    """

    model: str
    weights_digest: str
    excerpt_seconds: float | None = None
    dimension: int = defaults.DIMENSION

    def __post_init__(self) -> None:
        if not defaults.MIN_DIMENSION <= self.dimension <= defaults.MAX_DIMENSION:
            raise UsageError(
                f"{self.model} makes vectors of {self.dimension} numbers.",
                hint=f"Use a model with vectors of {defaults.MIN_DIMENSION} to "
                f"{defaults.MAX_DIMENSION:,} numbers.",
            )

    def __str__(self) -> str:
        excerpt = self.excerpt_seconds
        how_much = "whole files" if excerpt is None else f"excerpts of {excerpt:g} s"
        if self.dimension != defaults.DIMENSION:
            how_much += f", {self.dimension} dimensions"
        if self.weights_digest == self.model:
            return f"{self.model} ({how_much})"
        return f"{self.model} (digest {self.weights_digest[:12]}, {how_much})"

    def is_compatible(self, other: EmbeddingSpec) -> bool:
        """Return whether this spec has a model name but no digest, and the other has that name."""
        names = {name.removesuffix(".tflite") for name in (self.model, other.model)}
        is_known = self.weights_digest != self.model
        return (
            not is_known
            and len(names) == 1
            and self.excerpt_seconds == other.excerpt_seconds
            and self.dimension == other.dimension
        )

    def to_settings(self) -> dict[str, str]:
        """Return the spec as settings of an index."""
        excerpt = self.excerpt_seconds
        return {
            "model": self.model,
            "fingerprint": self.weights_digest,
            "excerpt_seconds": "" if excerpt is None else repr(excerpt),
            "dimension": str(self.dimension),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, str]) -> EmbeddingSpec:
        """Return the spec in the settings of an index.

        Raises
        ------
        KeyError, ValueError
            If the settings don't contain a valid spec.
        """
        excerpt = settings["excerpt_seconds"]
        dimension = int(settings.get("dimension", defaults.DIMENSION))
        if not defaults.MIN_DIMENSION <= dimension <= defaults.MAX_DIMENSION:
            raise ValueError(dimension)
        seconds = float(excerpt) if excerpt else None
        if seconds is not None and not 0 < seconds < math.inf:
            raise ValueError(seconds)
        return cls(settings["model"], settings["fingerprint"], seconds, dimension)


@dataclass(frozen=True, slots=True)
class Track:
    """One audio file in an index, without its vector.

    Attributes
    ----------
    path : str
        Absolute path, or URL. Bytes that aren't UTF-8 are decoded with ``surrogateescape``.
    size : int
        Size of the file, in bytes.
    mtime_ns : int
        Time of the last change, in nanoseconds since 1970.
    content_hash : str
        BLAKE3 of the file's bytes, 32 hexadecimal digits; empty if unknown.
    audio_hash : str
        BLAKE3 of the file's audio packets, which tags aren't part of: 32 hexadecimal digits; empty
        if unknown.
    seconds : float
        Duration in seconds; 0 if unknown.
    sample_rate_hz, channels : int
    format : str
        Format of the file, such as "mp3".
    title, artist, album, album_artist, genre : str or None
        Tags; None if missing. Several artists, album artists or genres are joined by "; ".
    year, track_number : int or None
        Tags; None if missing.
    real_path : str
        Path of the file without symbolic links when it was added; empty if unknown. A file that is
        reached by another path by now is not the file that was added.
    sounds : tuple of Sound
        Sounds that are heard in the file, best first: those with a score of at least
        `audiosearch.defaults.SOUND_THRESHOLD`.
    tagger : str
        Digest of the model that recognized the sounds; empty if none has listened to the file yet.
    has_cover : bool or None
        Whether the tags of the file hold a cover image; None if unknown.
    id : int
        Id of the track and of its vector; 0 until the track is stored.
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
    audio_hash: str = ""
    real_path: str = ""
    sounds: tuple[Sound, ...] = ()
    tagger: str = ""
    has_cover: bool | None = None
    id: int = 0

    @property
    def sound_hash(self) -> str:
        """Hash of the file's audio packets, or else of its bytes; empty if both are unknown."""
        return self.audio_hash or self.content_hash

    @property
    def artists(self) -> list[str]:
        """Artists of the track, one text each."""
        return split_list(self.artist)

    @property
    def genres(self) -> list[str]:
        """Genres of the track, one text each."""
        return split_list(self.genre)

    def to_json(self) -> dict[str, Any]:
        """Return the fields for other programs, with ``artists`` and ``genres`` as lists."""
        fields = asdict(self) | {"artists": self.artists, "genres": self.genres}
        del fields["real_path"]  # of use only where the files are
        del fields["tagger"]
        return fields | {"sounds": list(fields["sounds"])}

    @property
    def label(self) -> str:
        """Name to show: "artist - title". In place of a missing title, the name of the file."""
        return artist_and_title(self.artist, self.title or PurePath(self.path).stem)


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be embedded.

    Attributes
    ----------
    path : str
    reason : str
        One sentence. It doesn't contain the path.
    size, mtime_ns : int
        Size in bytes, and time of the last change in nanoseconds since 1970. Both are -1 if the
        file could not be read at all.
    """

    path: str
    reason: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Coordinates of tracks on the map.

    Attributes
    ----------
    layout : str
        Random name of the layout that the coordinates belong to; "" for a new layout.
    ids : ndarray of int64, shape (n,)
        Ids of the tracks, ascending.
    places : ndarray of float64, shape (n, 2)
        x and y of each track, in map units. A new layout spans [-1, 1].
    """

    layout: str
    ids: Int64
    places: Float64


@dataclass(frozen=True, slots=True)
class Totals:
    """Size of an index.

    Attributes
    ----------
    tracks : int
    seconds : float
        Total duration of all tracks.
    failures : int
        Number of files that could not be embedded.
    database_bytes, faiss_bytes : int or None
        Sizes of the files; None if a server keeps them.
    """

    tracks: int
    seconds: float
    failures: int
    database_bytes: int | None
    faiss_bytes: int | None
