"""From the embeddings and scores of patches to the moments of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.defaults import SOUND_THRESHOLD
from audiosearch.models.moments import MAX_SCORE, Moments, PatchSounds, quantized
from audiosearch.models.patch_print import PATCH_WORDS, patch_prints
from audiosearch.models.sound import SILENCE
from audiosearch.models.tagger import sound_names

if TYPE_CHECKING:
    from audiosearch.types import Float32

_MAX_SOUNDS = 255  # in a patch: their number is stored in 8 bits


class RunningMoments:
    """The moments of a file, collected part by part.

    Examples
    --------
    >>> moments = RunningMoments()
    >>> patches = np.zeros((2, 96, 64), dtype=np.float32)
    >>> moments.add(patch_moments(patches, np.ones((2, 128), dtype=np.float32), None))
    >>> moments.moments().codes.shape
    (2, 128)
    """

    def __init__(self) -> None:
        self._parts: list[Moments] = []

    def add(self, moments: Moments) -> None:
        """Add more patches. Either all parts have sounds, or none has."""
        self._parts.append(moments)

    def moments(self) -> Moments:
        """Return the moments of all patches that were added."""
        codes = np.concatenate([part.codes for part in self._parts])
        prints = np.concatenate([part.prints for part in self._parts if part.prints is not None])
        sounds = [part.sounds for part in self._parts if part.sounds is not None]
        if not sounds:
            return Moments(codes, None, prints)
        arrays = ([getattr(part, name) for part in sounds] for name in _FIELDS)
        return Moments(codes, PatchSounds(*map(np.concatenate, arrays)), prints)


_FIELDS = ("counts", "classes", "scores")


def patch_moments(
    patches: Float32, vectors: Float32, scores: Float32 | None, *, step: int = 1
) -> Moments:
    """Return patches as moments.

    Parameters
    ----------
    patches : ndarray of float32, shape (n_patches, 96, 64)
        Log-mel patches.
    vectors : ndarray of float32, shape (n_patches, dimension)
        Of any length.
    scores : ndarray of float32, shape (n_patches, 521), or None
        Scores of the sounds in them, in [0, 1]; None if no tagger listens.
    step : int
        Every ``step``-th patch starts where the one before it ended.
    """
    sounds = None if scores is None else _patch_sounds(scores)
    return Moments(quantized(vectors), sounds, patch_prints(patches)[:, : PATCH_WORDS // step])


def _patch_sounds(scores: Float32) -> PatchSounds:
    """Return the sounds that reach the threshold; silence only where nothing else does."""
    is_heard = scores >= SOUND_THRESHOLD
    silence = sound_names().index(SILENCE)
    counts = is_heard.sum(axis=1)
    is_heard[:, silence] &= counts == 1
    for row in np.flatnonzero(counts > _MAX_SOUNDS):
        is_heard[row, scores[row].argsort()[:-_MAX_SOUNDS]] = False
    patches, classes = np.nonzero(is_heard)
    return PatchSounds(
        np.bincount(patches, minlength=len(scores)).astype(np.uint8),
        classes.astype(np.uint16),
        np.rint(scores[is_heard] * MAX_SCORE).astype(np.uint8),
    )
