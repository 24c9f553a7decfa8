"""Spectral prints: short descriptions of a spectrogram, from which copies are recognized.

A print is a sequence of 16-bit words. Each bit says whether the difference between two neighboring
bands grows or shrinks over time. Lossy coding, another level, resampling and a missing treble
change few of these bits, and the bits of different sounds agree only by chance.

References
----------
.. [1] Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from audiosearch.models.front_end import HOP_SAMPLES, LOG_OFFSET, N_BANDS, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from audiosearch.types import Float32, UInt16

WORD_BITS: Final = 16
FINE_FRAMES: Final = 3  # frames of a fine word; 32 words a patch
FINE_PER_WORD: Final = 4  # fine words of a word; 8 words a patch, which are 1,000 bytes a minute
WORD_SECONDS: Final = FINE_PER_WORD * FINE_FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ  # 0.12
FINE_WORD_SECONDS: Final = FINE_FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ  # 0.03
_MAX_FINE_PATCHES = 5  # longer sounds have no fine words
_SMOOTHING = np.hanning(9)[1:-1]  # over words
_SPAN = 6  # words over which a difference grows or shrinks
_MIN_CHANGE = 0.03  # root mean square change of a word's differences; less is a steady sound


@dataclass(frozen=True, slots=True, eq=False)
class SpectralPrint:
    """Spectral print of a file.

    A word of 0 says nothing: the sound is silent or steady there.

    Attributes
    ----------
    seconds : float
        Length of the file.
    words : ndarray of uint16, shape (n_words,)
        One word for each 0.12 s.
    fine_words : ndarray of uint16, shape (n_fine_words,)
        One word for each 0.03 s of a sound under 6 s; empty for longer sounds. Words of 0.12 s
        don't tell short sounds apart.
    """

    seconds: float
    words: UInt16
    fine_words: UInt16


class PrintBuilder:
    """Computes the spectral print of a file from its log-mel patches, one group at a time.

    Examples
    --------
    >>> builder = PrintBuilder()
    >>> builder.add(np.zeros((10, 96, 64), dtype=np.float32))
    >>> spectral_print = builder.finish(9.6)
    >>> spectral_print.words.shape, spectral_print.fine_words.shape
    ((74,), (0,))
    """

    def __init__(self) -> None:
        self._n_patches = 0
        self._energies: list[Float32] = []
        self._fine_energies: list[Float32] = []

    def add(self, patches: Float32) -> None:
        """Add the next patches.

        Parameters
        ----------
        patches : ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01; axes are patch, frame (10 ms), band.
        """
        fine = _energies(patches.reshape(-1, N_BANDS))
        self._n_patches += len(patches)
        self._energies.append(fine.reshape(-1, FINE_PER_WORD, WORD_BITS + 1).mean(axis=1))
        if self._n_patches <= _MAX_FINE_PATCHES:
            self._fine_energies.append(fine)
        else:
            self._fine_energies.clear()

    def finish(self, seconds: float) -> SpectralPrint:
        """Return the print of all patches so far, for a file of this length."""
        return SpectralPrint(seconds, _words(self._energies), _words(self._fine_energies))


def signs(words: UInt16) -> Float32:
    """Return the bits of words as signs.

    Parameters
    ----------
    words : ndarray of uint16, shape (n_words,)

    Returns
    -------
    ndarray of float32, shape (n_words, 16)
        1 or -1 for each bit; 0 for all bits of a word that says nothing.
    """
    bits = np.unpackbits(words.astype(">u2").view(np.uint8)).reshape(-1, WORD_BITS)
    values = 2 * bits.astype(np.float32) - 1
    values[words == 0] = 0.0
    return values


@cache
def band_weights() -> Float32:
    """Return weights that sum the 64 bands to 17 wider ones, which overlap: shape (64, 17)."""
    width = (N_BANDS - 1) / (WORD_BITS + 2)
    centers = width * np.arange(1, WORD_BITS + 2)
    distances = np.abs(np.arange(N_BANDS)[:, np.newaxis] - centers)
    return np.maximum(0.0, 1.0 - distances / width).astype(np.float32)


def _energies(frames: Float32) -> Float32:
    """Return the energies of 17 bands in each 0.03 s of frames, (n_frames, 64): (n, 17)."""
    mel = np.exp(frames.reshape(-1, FINE_FRAMES, N_BANDS)) - np.float32(LOG_OFFSET)
    energies: Float32 = np.maximum(mel.mean(axis=1), 0.0) @ band_weights()
    return energies


def _words(energies: list[Float32]) -> UInt16:
    """Return the words of a sequence of band energies, each of shape (n, 17)."""
    if not energies:
        return np.empty(0, dtype=np.uint16)
    around = len(_SMOOTHING) // 2
    padded = np.pad(np.concatenate(energies), ((around, around), (0, 0)))
    smoothed = sliding_window_view(padded, len(_SMOOTHING), axis=0) @ (_SMOOTHING / sum(_SMOOTHING))
    differences = np.diff(np.log(smoothed + LOG_OFFSET), axis=1)
    changes = differences[_SPAN:] - differences[:-_SPAN]
    words = np.packbits(changes > 0, axis=1).view(">u2")[:, 0].astype(np.uint16)
    is_steady = np.sqrt((changes**2).mean(axis=1)) < _MIN_CHANGE
    return np.asarray(np.where(is_steady, 0, words), dtype=np.uint16)
