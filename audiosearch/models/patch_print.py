"""Prints of patches: bits by which a recording is recognized where another sound covers it.

A print is a sequence of 16-bit words, one for each 0.06 s. Each bit says whether the difference
between two neighboring bands grows or shrinks over time. The words of `SpectralPrint` say the same
about 0.7 s. That is better for telling copies, which differ by their coding only. But half of a
clip may belong to another sound, so a clip of a few seconds needs many independent bits.

References
----------
.. [1] Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch.models.front_end import (
    HOP_SAMPLES,
    LOG_OFFSET,
    N_BANDS,
    PATCH_FRAMES,
    SAMPLE_RATE_HZ,
)
from audiosearch.models.spectral_print import WORD_BITS, band_weights

if TYPE_CHECKING:
    from audiosearch.types import Float32, UInt16

#: Frames of a word.
WORD_FRAMES: Final = 6
WORD_SECONDS: Final = WORD_FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ
#: Words of a patch.
PATCH_WORDS: Final = PATCH_FRAMES // WORD_FRAMES


def patch_prints(patches: Float32) -> UInt16:
    """Return the prints of patches.

    Parameters
    ----------
    patches : ndarray of float32, shape (n_patches, 96, 64)
        Natural log of mel magnitude plus 0.01; axes are patch, frame (10 ms), band.

    Returns
    -------
    ndarray of uint16, shape (n_patches, 16)
    """
    return words_of(_changes(patches))


def changes(frames: Float32) -> Float32:
    """Return the numbers whose signs are the bits of the words of a sound.

    The larger a number is, the less another sound changes its sign.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_frames, 64)
        Natural log of mel magnitude plus 0.01; axes are frame (10 ms), band.

    Returns
    -------
    ndarray of float32, shape (n_words, 16)
        Change of the difference of two bands over 0.12 s, in nepers.
    """
    n_frames = len(frames) // WORD_FRAMES * WORD_FRAMES
    if not n_frames:
        return np.empty((0, WORD_BITS), dtype=np.float32)
    values: Float32 = _changes(frames[np.newaxis, :n_frames])[0]
    return values


def words_of(values: Float32) -> UInt16:
    """Return words, given the numbers whose signs are their bits: (..., 16) becomes (...)."""
    bits = np.packbits(values > 0, axis=-1)
    return np.asarray(bits.view(">u2")[..., 0], dtype=np.uint16)


def _changes(sounds: Float32) -> Float32:
    """Return the `changes` of sounds of equal length: (n, n_frames, 64) becomes (n, n_words, 16).

    The first and the last word of a sound are about shorter times than the others.
    """
    mel = np.exp(sounds.reshape(len(sounds), -1, WORD_FRAMES, N_BANDS)) - np.float32(LOG_OFFSET)
    energies = np.maximum(mel.mean(axis=2), 0) @ band_weights()
    around = _with_repeated_ends(energies)
    smoothed = (around[:, :-2] + 2 * energies + around[:, 2:]) / 4
    differences = np.diff(np.log(smoothed + np.float32(LOG_OFFSET)), axis=2)
    around = _with_repeated_ends(differences)
    result: Float32 = around[:, 2:] - around[:, :-2]
    return result


def _with_repeated_ends(words: Float32) -> Float32:
    """Repeat the first and the last word of each sound, on axis 1."""
    return np.concatenate([words[:, :1], words, words[:, -1:]], axis=1)
