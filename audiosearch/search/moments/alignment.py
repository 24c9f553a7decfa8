"""Similarity of clips to the stretches of a track, patch by patch in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.search.moments.clip import OFFSET_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.search.moments.clip import Clip
    from audiosearch.types import Float32, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Consecutive patches of a track.

    Attributes
    ----------
    first : int
        Number of the first patch in the track.
    vectors : ndarray of float32, shape (n_patches, dimension)
        Of unit length.
    is_start, is_end : bool
        Whether the run begins with the first patch of the track, and ends with its last one.
    hop : float
        Seconds from one patch to the next.
    """

    first: int
    vectors: Float32
    is_start: bool
    is_end: bool
    hop: float

    @property
    def step(self) -> int:
        """Patches of the track from one patch of a clip to the next."""
        return round(PATCH_HOP_SECONDS / self.hop)

    @property
    def offsets_per_hop(self) -> int:
        """Offsets from one patch of the track to the next."""
        return round(self.hop / OFFSET_SECONDS)

    @property
    def starts(self) -> Int64:
        """Starts at which a clip can be aligned, in steps of 0.24 s: int64, shape (n_starts,)."""
        first, n_patches = self._padded_range
        start = first * self.offsets_per_hop
        return np.arange(start - self.offsets_per_hop + 1, start + n_patches * self.offsets_per_hop)

    @property
    def _padded_range(self) -> tuple[int, int]:
        """First patch and number of patches, with a missing one before and after the track."""
        before, after = self.step * self.is_start, self.step * self.is_end
        return self.first - before, before + len(self.vectors) + after

    def alignments(self, clip: Clip, seconds: float) -> Float32:
        """Return how similar a clip is to each stretch of the track.

        A clip may reach over the start or the end of the track by up to one patch. A clip that is
        longer than the stretch is compared by its part that is most similar.

        Parameters
        ----------
        clip : Clip
        seconds : float
            Length of a stretch.

        Returns
        -------
        ndarray of float32, shape (n_starts,)
            For a stretch that starts at each of `starts`, the mean cosine along the best alignment
            of the clip in it. It is minus infinity if the clip doesn't fit.
        """
        result = np.full(len(self.starts), -np.inf, dtype=np.float32)
        max_patches = max(1, int(seconds / PATCH_HOP_SECONDS + 1e-6))
        for offset, vectors in enumerate(clip.vectors):
            if len(vectors):
                means = self._means(vectors, min(len(vectors), max_patches))
                first = self.offsets_per_hop - 1 - offset
                result[first :: self.offsets_per_hop][: len(means)] = means
        n_later = round((seconds - clip.seconds) / OFFSET_SECONDS)
        return _highest_ahead(result, max(0, n_later))

    def _means(self, vectors: Float32, n_patches: int) -> Float32:
        """Return the highest mean cosine of ``n_patches`` in a row, for each patch they begin at.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n_clip_patches, dimension)
        n_patches : int
            At most the number of patches of the clip.
        """
        before, n_padded = self.step * self.is_start, self._padded_range[1]
        cosines = np.zeros((len(vectors), n_padded), dtype=np.float32)
        cosines[:, before : before + len(self.vectors)] = vectors @ self.vectors.T
        is_present = np.zeros(n_padded, dtype=np.float32)
        is_present[before : before + len(self.vectors)] = 1
        n_parts = len(vectors) - n_patches + 1
        n_starts = n_padded - (n_patches - 1) * self.step
        if n_starts <= 0:
            return np.empty(0, dtype=np.float32)
        totals = np.zeros((n_parts, n_starts), dtype=np.float32)
        counts = np.zeros(n_starts, dtype=np.float32)
        for i in range(n_patches):
            columns = slice(i * self.step, i * self.step + n_starts)
            totals += cosines[i : i + n_parts, columns]
            counts += is_present[columns]
        means = totals.max(axis=0) / np.maximum(counts, 1)
        return np.where(counts >= max(1, n_patches / 2), means, -np.inf).astype(np.float32)


def runs_around(patches: Int64, reach: int, n_patches: int) -> list[tuple[int, int]]:
    """Return the runs of a track's patches that lie around some of them, as first and end.

    Examples
    --------
    >>> runs_around(np.array([3, 5, 90]), 2, 100)
    [(1, 8), (88, 93)]
    """
    runs: list[tuple[int, int]] = []
    for patch in np.unique(patches).tolist():
        first, end = max(0, patch - reach), min(n_patches, patch + reach + 1)
        if runs and first <= runs[-1][1]:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((first, end))
    return runs


def mean_alignment(run: Run, clips: Sequence[Clip], seconds: float) -> Float32:
    """Return the mean of `Run.alignments` over clips; minus infinity if one doesn't fit."""
    return np.asarray(
        np.mean([run.alignments(clip, seconds) for clip in clips], axis=0), dtype=np.float32
    )


def _highest_ahead(values: Float32, n_ahead: int) -> Float32:
    """Return the highest of each value and the ``n_ahead`` that follow it."""
    if not n_ahead:
        return values
    filled = np.pad(values, (0, n_ahead), constant_values=-np.inf)
    highest: Float32 = sliding_window_view(filled, n_ahead + 1).max(axis=1)
    return highest
