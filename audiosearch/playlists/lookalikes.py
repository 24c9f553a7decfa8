"""Tracks with nearly the same embedding, found once for all copies of a playlist builder.

Two tracks can only be the same recording if their embeddings are nearly the same. That doesn't
depend on a playlist, so each track is compared with all earlier ones when it is first seen, and
only the pairs found then are compared more closely, whenever a playlist holds one of the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.search.copy_candidates import MIN_COSINE
from audiosearch.search.same_recording import SAME_COSINE

if TYPE_CHECKING:
    from audiosearch.types import Float32

_TOLERANCE = 1e-4  # of a cosine: another order of the same sum may give another result


class Lookalikes:
    """Tracks seen so far that may be the same recording, by their embeddings.

    Tracks are given by numbers. A set of tracks is an integer with the bits of their numbers.

    Parameters
    ----------
    has_prints : bool
        Whether spectral prints are known. Then tracks may be the same recording even if their
        embeddings differ more.
    """

    def __init__(self, *, has_prints: bool) -> None:
        self._min_cosine = (MIN_COSINE if has_prints else SAME_COSINE) - _TOLERANCE
        self._numbers: list[int] = []  # of the rows of the matrix
        self._matrix: Float32 = np.empty((0, 0), dtype=np.float32)  # with space for more rows
        self._near: dict[int, int] = {}  # by number: the set of tracks that may be the same

    def of(self, number: int, vector: Float32) -> int:
        """Return the set of other tracks seen so far that may be the same recording as a track.

        Parameters
        ----------
        number : int
        vector : ndarray of float32, shape (dimension,)
            Embedding of the track, of unit length.
        """
        if number not in self._near:
            self._see(number, vector)
        return self._near[number]

    def _see(self, number: int, vector: Float32) -> None:
        n_rows = len(self._numbers)
        if n_rows == len(self._matrix):
            larger = np.empty((max(64, 2 * n_rows), len(vector)), dtype=np.float32)
            if n_rows:
                larger[:n_rows] = self._matrix
            self._matrix = larger
        near = np.flatnonzero(self._matrix[:n_rows] @ vector >= self._min_cosine).tolist()
        self._matrix[n_rows] = vector
        self._numbers.append(number)
        self._near[number] = 0
        for row in near:
            other = self._numbers[row]
            self._near[number] |= 1 << other
            self._near[other] |= 1 << number
