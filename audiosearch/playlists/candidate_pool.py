"""Candidates of a playlist: the tracks nearest to its seeds."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.backend import Candidates, VectorIndex
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.types import Float32, Int64


class CandidatePool:
    """Candidates: the tracks nearest to the seeds, with their plain or whitened vectors.

    Tracks and embeddings are read when they are needed. A playlist uses few of its candidates.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_candidates,)
    vectors : ndarray of float32, shape (n_candidates, dimension)
    """

    def __init__(
        self,
        index: Index,
        ids: Int64,
        vector_index: VectorIndex[Candidates],
        plain_index: VectorIndex[Candidates],
    ) -> None:
        self._index, self._plain_index = index, plain_index
        self._is_whitened = vector_index is not plain_index
        self._loaded: dict[int, tuple[Track | None, Float32]] = {}  # by position
        self.ids = ids
        self.vectors = vector_index.vectors_of(ids)

    @cached_property
    def embeddings(self) -> Float32:
        """Embeddings, not whitened: float32, shape (n_candidates, dimension)."""
        return self._plain_index.vectors_of(self.ids) if self._is_whitened else self.vectors

    def has(self, position: int) -> bool:
        """Return whether a candidate was read."""
        return position in self._loaded

    def load(self, positions: Iterable[int]) -> None:
        """Read candidates."""
        positions = [n for n in dict.fromkeys(positions) if n not in self._loaded]
        ids = self.ids[positions]
        tracks = self._index.by_id(ids.tolist())
        vectors = (
            self._plain_index.vectors_of(ids) if self._is_whitened else self.vectors[positions]
        )
        for n, track_id, vector in zip(positions, ids.tolist(), vectors, strict=True):
            self._loaded[n] = tracks.get(track_id), vector

    def candidate(self, position: int) -> tuple[Track | None, Float32]:
        """Return a candidate that was read, with its embedding; None if it was removed."""
        return self._loaded[position]
