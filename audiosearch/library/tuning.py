"""Vector indexes that `audiosearch optimize` can replace: the protocols that backends implement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.types import Float32, Int64


class TunableIndex(Protocol):
    """A vector index, plain or whitened, whose search width can be changed at any time."""

    config: IndexConfig

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as the index compares them: float32, shape (n, dimension)."""

    def search(self, vector: Float32, k: int) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors and their products; see `VectorIndex.search`."""

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Search with several vectors at once; see `VectorIndex.search_batch`."""


T = TypeVar("T", bound=TunableIndex)


class TunableIndexes(Protocol[T]):
    """The vector indexes of one index, which can be built with other types and parameters."""

    @property
    def has_whitened(self) -> bool:
        """Whether whitened vectors have a vector index of their own."""

    def vector_index(self, *, whiten: bool = False) -> T:
        """Return the up-to-date vector index of the plain or the whitened vectors."""

    def ids(self) -> Int64:
        """Return the ids of the tracks that have a vector, ascending: int64, shape (n,)."""

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the plain vectors of tracks, in the order of ids: float32, (n, dimension)."""

    def min_products(
        self,
        query_ids: Int64,
        queries: Float32,
        k: int,
        transform: Callable[[Float32], Float32],
    ) -> Float32:
        """Return each query's inner product with its k-th nearest other track, by exact search.

        Parameters
        ----------
        query_ids : ndarray of int64, shape (n_queries,)
        queries : ndarray of float32, shape (n_queries, dimension)
            Vectors of these tracks after ``transform``.
        k : int
        transform : callable
            Function that returns vectors as the measured index compares them.

        Returns
        -------
        ndarray of float32, shape (n_queries,)
            -2 if there are fewer than k other tracks.
        """

    def configs(self) -> Iterator[IndexConfig]:
        """Yield the configurations to try, the fastest to search and build first."""

    def config(self, *, whiten: bool = False) -> IndexConfig:
        """Return type and parameters of the vector index that searches use."""

    def build(self, config: IndexConfig, *, whiten: bool = False) -> T:
        """Build a vector index of all vectors. Pass it to `use` to search with it."""

    def use(self, index: T) -> None:
        """Make later searches use an index that `build` returned."""
