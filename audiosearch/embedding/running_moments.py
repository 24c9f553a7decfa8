"""From the embeddings and scores of a file's patches to its moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.defaults import SOUND_THRESHOLD
from audiosearch.models.moments import Moments, PatchSounds, quantized
from audiosearch.models.sound import SILENCE
from audiosearch.models.tagger import sound_names

if TYPE_CHECKING:
    from audiosearch.types import Float32, Int8

_MAX_SCORE = 255


class RunningMoments:
    """The moments of a file, collected batch by batch.

    Examples
    --------
    >>> moments = RunningMoments()
    >>> moments.add(np.ones((2, 128), dtype=np.float32), None)
    >>> moments.moments().codes.shape
    (2, 128)
    """

    def __init__(self) -> None:
        self._codes: list[Int8] = []
        self._sounds: list[PatchSounds] = []

    def add(self, vectors: Float32, scores: Float32 | None) -> None:
        """Add more patches.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n_patches, dimension)
            Of any length.
        scores : ndarray of float32, shape (n_patches, 521), or None
            Scores of the sounds in them, in [0, 1]; None if no tagger listens.
        """
        self._codes.append(quantized(vectors))
        if scores is not None:
            self._sounds.append(_patch_sounds(scores))

    def moments(self) -> Moments:
        """Return the moments of all patches that were added."""
        sounds = None
        if self._sounds:
            arrays = ([getattr(part, name) for part in self._sounds] for name in _FIELDS)
            sounds = PatchSounds(*map(np.concatenate, arrays))
        return Moments(np.concatenate(self._codes), sounds)


_FIELDS = ("counts", "classes", "scores")


def _patch_sounds(scores: Float32) -> PatchSounds:
    """Return the sounds that reach the threshold; silence only where nothing else does."""
    is_heard = scores >= SOUND_THRESHOLD
    silence = sound_names().index(SILENCE)
    is_heard[:, silence] &= is_heard.sum(axis=1) == 1
    _, classes = np.nonzero(is_heard)
    return PatchSounds(
        is_heard.sum(axis=1).astype(np.uint8),
        classes.astype(np.uint16),
        np.rint(scores[is_heard] * _MAX_SCORE).astype(np.uint8),
    )
