"""From the scores of a clip's patches to the sounds that are heard in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.defaults import SOUND_THRESHOLD
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.models.sound import SILENCE, Sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.types import Float32

_DIGITS = 4  # of scores, after the point


class RunningScores:
    """Highest and mean score of each class over patches, and the patch with the highest.

    Examples
    --------
    >>> scores = RunningScores()
    >>> scores.add(np.array([[0.9, 0.0], [0.1, 0.05]], dtype=np.float32))
    >>> scores.add(np.array([[0.5, 0.0]], dtype=np.float32))
    >>> scores.sounds(["Dog", "Rain"])
    (Sound(name='Dog', score=0.9, mean=0.5, at=0.0),)
    """

    def __init__(self) -> None:
        self._n_patches = 0

    def add(self, scores: Float32) -> None:
        """Add the scores of more patches.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_patches, n_classes)
        """
        if not self._n_patches:
            self._highest = np.full(scores.shape[1], -np.inf, dtype=np.float32)
            self._positions = np.zeros(scores.shape[1], dtype=np.int64)
            self._totals = np.zeros(scores.shape[1])
        positions = scores.argmax(axis=0)
        highest = scores[positions, np.arange(scores.shape[1])]
        is_higher = highest > self._highest
        self._highest[is_higher] = highest[is_higher]
        self._positions[is_higher] = positions[is_higher] + self._n_patches
        self._totals += scores.sum(axis=0, dtype=np.float64)
        self._n_patches += len(scores)

    def sounds(self, names: Sequence[str], starts: Sequence[float] = ()) -> tuple[Sound, ...]:
        """Return the sounds whose highest score reaches the threshold, best first.

        "Silence" is one of the classes. It counts only if nothing else is heard.

        Parameters
        ----------
        names : sequence of str
            Names of the classes.
        starts : sequence of float
            Start of each patch, in seconds. Default: one patch after the other.
        """
        sounds = []
        for i in np.flatnonzero(self._highest >= SOUND_THRESHOLD).tolist():
            position = int(self._positions[i])
            at = starts[position] if starts else position * PATCH_HOP_SECONDS
            mean = self._totals[i] / self._n_patches
            score = float(self._highest[i])
            sounds.append(Sound(names[i], _rounded(score), _rounded(mean), round(at, 2)))
        heard = [sound for sound in sounds if sound.name != SILENCE] or sounds
        return tuple(sorted(heard, key=lambda sound: (-sound.score, sound.name)))


def _rounded(score: float) -> float:
    return round(float(score), _DIGITS)
