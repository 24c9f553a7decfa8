"""Moments of a recording: the embedding of each of its patches, and the sounds heard in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from audiosearch.types import Float32, Int8, Int64, UInt8, UInt16

_MAX_CODE = 127
MAX_SCORE: Final = 255  # of a sound in a patch, whose score is stored in 8 bits
N_CLASSES: Final = 521  #: of AudioSet


@dataclass(frozen=True, slots=True, eq=False)
class PatchSounds:
    """The sounds heard in each patch of a recording, as classes with scores.

    Attributes
    ----------
    counts : ndarray of uint8, shape (n_patches,)
        Number of sounds in each patch.
    classes : ndarray of uint16, shape (n_sounds,)
        Numbers of the classes, patch by patch: positions in the list that
        `audiosearch.models.tagger.sound_names` returns.
    scores : ndarray of uint8, shape (n_sounds,)
        Their scores, times 255.
    """

    counts: UInt8
    classes: UInt16
    scores: UInt8

    @property
    def patches(self) -> Int64:
        """Number of the patch of each sound: int64, shape (n_sounds,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def highest(self, classes: list[int]) -> Float32:
        """Return each patch's highest score of some classes; 0 where none is heard.

        Parameters
        ----------
        classes : list of int

        Returns
        -------
        ndarray of float32, shape (n_patches,)
            In [0, 1].
        """
        highest = np.zeros(len(self.counts), dtype=np.float32)
        is_asked = np.isin(self.classes, classes)
        scores = self.scores[is_asked].astype(np.float32) / MAX_SCORE
        np.maximum.at(highest, self.patches[is_asked], scores)
        return highest

    def part(self, start: int, end: int) -> PatchSounds:
        """Return the sounds of the patches from one position to another."""
        first = int(self.counts[:start].sum())
        last = first + int(self.counts[start:end].sum())
        return PatchSounds(
            self.counts[start:end], self.classes[first:last], self.scores[first:last]
        )

    def to_bytes(self) -> bytes:
        """Return the arrays one after the other, little-endian: see `from_bytes`."""
        arrays = (self.counts, self.classes.astype("<u2"), self.scores)
        return b"".join(array.tobytes() for array in arrays)

    @classmethod
    def from_bytes(cls, content: bytes, n_patches: int) -> PatchSounds:
        """Return the sounds that `to_bytes` wrote.

        Raises
        ------
        ValueError
            If the lengths don't fit together, or a class is unknown.
        """
        counts = np.frombuffer(content[:n_patches], dtype=np.uint8)
        n_sounds = int(counts.sum())
        if len(counts) != n_patches or len(content) != n_patches + 3 * n_sounds:
            message = "the sounds of patches have a wrong length"
            raise ValueError(message)
        end = n_patches + 2 * n_sounds
        classes = np.frombuffer(content[n_patches:end], dtype="<u2")
        if n_sounds and classes.max() >= N_CLASSES:
            message = "a sound of a patch has an unknown class"
            raise ValueError(message)
        return cls(counts, classes, np.frombuffer(content[end:], dtype=np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The patches of a recording. Patch i starts at i times the hop of the index, in seconds.

    Attributes
    ----------
    codes : ndarray of int8, shape (n_patches, dimension)
        The embedding of each patch, scaled so that its largest number is 127 or -127. The scale
        isn't needed: embeddings have unit length.
    sounds : PatchSounds or None
        The sounds in each patch; None if no tagger listened.
    prints : ndarray of uint16, shape (n_patches, 16 or 8), or None
        The print of each patch, up to the start of the next one: see
        `audiosearch.models.patch_print`. None if an older version made the moments.
    """

    codes: Int8
    sounds: PatchSounds | None = None
    prints: UInt16 | None = None

    @classmethod
    def from_bytes(
        cls, codes: bytes, sounds: bytes | None, prints: bytes | None, *, dimension: int
    ) -> Moments:
        """Return moments from the bytes of their codes, and of their sounds and prints if any.

        Raises
        ------
        ValueError
            If the lengths don't fit together.
        """
        array = np.frombuffer(codes, dtype=np.int8).reshape(-1, dimension)
        heard = None if sounds is None else PatchSounds.from_bytes(sounds, len(array))
        return cls(array, heard, None if prints is None else prints_from_bytes(prints, len(array)))

    def prints_to_bytes(self) -> bytes | None:
        """Return the prints as bytes, little-endian: see `prints_from_bytes`."""
        return None if self.prints is None else self.prints.astype("<u2").tobytes()

    def __len__(self) -> int:
        """Return the number of patches."""
        return len(self.codes)

    def part(self, start: int, end: int) -> Moments:
        """Return the patches from one position to another."""
        sounds = None if self.sounds is None else self.sounds.part(start, end)
        prints = None if self.prints is None else self.prints[start:end]
        return Moments(self.codes[start:end], sounds, prints)

    def vectors(self, rows: slice = slice(None)) -> Float32:
        """Return the embeddings of patches: float32 of unit length, shape (n, dimension).

        An embedding of zeros stays zero.
        """
        return unit_rows(self.codes[rows])


def prints_from_bytes(content: bytes, n_patches: int) -> UInt16:
    """Return the prints that `Moments.prints_to_bytes` wrote: uint16, shape (n_patches, n_words).

    Raises
    ------
    ValueError
        If not all patches have equally many words.
    """
    prints: UInt16 = np.frombuffer(content, dtype="<u2").reshape(n_patches, -1)
    return prints


def quantized(vectors: Float32) -> Int8:
    """Return vectors at 8 bits a value.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Of any length; the length is lost.

    Returns
    -------
    ndarray of int8, shape (n, dimension)
        In [-127, 127].

    Examples
    --------
    >>> quantized(np.array([[0.6, -0.8], [0, 0]], dtype=np.float32)).tolist()
    [[95, -127], [0, 0]]
    """
    peaks = np.abs(vectors).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # a file with values that are not finite is rejected later
        scales = _MAX_CODE / np.where(peaks > 0, peaks, 1)
        codes: Int8 = np.rint(vectors * scales).astype(np.int8)
    return codes


def unit_rows(values: Float32 | Int8) -> Float32:
    """Return rows as vectors of unit length. Rows of zeros stay zeros.

    Parameters
    ----------
    values : ndarray of float32 or int8, shape (n, dimension)
        Vectors of any length, or their codes: see `quantized`.

    Returns
    -------
    ndarray of float32, shape (n, dimension)
    """
    vectors = values.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit_vectors: Float32 = vectors / lengths
    return unit_vectors
