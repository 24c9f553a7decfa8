"""Tracks that may be hits of a search in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from audiosearch.types import Float32, Int64


class PlainIndex(Protocol):
    """The plain vectors of all tracks. `audiosearch.library.faiss.faiss_index` implements it."""

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks: float32, (n, dimension)."""

    def range_search(
        self, vector: Float32, min_product: float, *, candidates: Int64 | None = None
    ) -> Int64:
        """Return the ids of the vectors within a range of a vector, of some or of all."""


@dataclass(frozen=True, slots=True)
class NearTracks:
    """The tracks near a vector.

    Attributes
    ----------
    center : ndarray of float32, shape (dimension,)
        A plain vector of unit length.
    min_cosine : float
        Smallest cosine of a track's plain vector to the center.
    plain_index : callable
        Returns the `PlainIndex`, up to date.
    """

    center: Float32
    min_cosine: float
    plain_index: Callable[[], PlainIndex]

    def contains(self, ids: Int64) -> npt.NDArray[np.bool_]:
        """Return for each of some tracks, shape (n,), whether it is near.

        Raises
        ------
        TrackNotFound
            If another process removed one of them.
        """
        is_near: npt.NDArray[np.bool_] = (
            self.plain_index().vectors_of(ids) @ self.center >= self.min_cosine
        )
        return is_near

    def among(self, allowed: Int64 | None) -> Int64:
        """Return the ids of those that are near, of the given ones or of all."""
        index = self.plain_index()
        return index.range_search(self.center, self.min_cosine, candidates=allowed)


@dataclass(frozen=True)
class FaissCandidates:
    """Tracks that may be hits.

    Attributes
    ----------
    allowed : ndarray of int64, shape (n,), or None
        Ids of the tracks that pass filters. None: all tracks do.
    near : NearTracks or None
        Of these, only the tracks near a vector may be hits. None: there is no such condition.
    """

    allowed: Int64 | None = None
    near: NearTracks | None = None

    @cached_property
    def ids(self) -> Int64 | None:
        """Ids of the candidates, found by a range search: int64, shape (n,). None: all tracks."""
        return self.allowed if self.near is None else self.near.among(self.allowed)
