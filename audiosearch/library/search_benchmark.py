"""Recall and speed of vector indexes: searches are compared with exact ones."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audiosearch.types import Float32, Int64

#: Less than any inner product of unit vectors.
EXCLUDED: Final = -2.0
N_NEIGHBORS = 10  # recall is the share of these nearest neighbors that a search finds

_N_QUERIES = 200
_N_TIMED_QUERIES = 50
_PRODUCT_TOLERANCE = 1e-5  # inner products that differ by at most this count as equal


@dataclass(frozen=True, slots=True)
class Measurement:
    """Recall, speed and memory of a vector index.

    Attributes
    ----------
    index_type : str
        Such as "flat": see `audiosearch.library.faiss.index_config.IndexConfig`.
    recall : float
        Share of the ten nearest tracks that a search finds, in [0, 1].
    ms : float
        Median time of a query, in milliseconds.
    bytes : int
        Memory that searches keep, estimated.
    """

    index_type: str
    recall: float
    ms: float
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as `audiosearch optimize --format json` prints it."""
        return {
            "kind": self.index_type,
            "recall": self.recall,
            "ms": self.ms,
            "bytes": self.bytes,
        }


class VectorSource(Protocol):
    """All vectors of an index, as searches compare them."""

    def vector_ids(self) -> Int64:
        """Return the ids of all vectors, ascending: int64, shape (n,)."""

    def vectors_of(self, ids: Int64) -> Float32:
        """Return vectors, in the order of their ids: float32, (n, dimension)."""

    def min_products(self, query_ids: Int64, queries: Float32, k: int) -> Float32:
        """Return each query's inner product with its k-th nearest other vector, by exact search.

        Parameters
        ----------
        query_ids : ndarray of int64, shape (n_queries,)
        queries : ndarray of float32, shape (n_queries, dimension)
            The vectors with these ids.
        k : int

        Returns
        -------
        ndarray of float32, shape (n_queries,)
            At most `EXCLUDED` if there are fewer than k other vectors.
        """


class MeasuredConfig(Protocol):
    """Type and parameters of a vector index."""

    @property
    def index_type(self) -> str:
        """Name of the type."""

    def memory_bytes(self, n_vectors: int, dimension: int) -> int:
        """Estimate the memory that an index of n vectors takes, in bytes."""


class MeasurableIndex(Protocol):
    """A vector index that can be measured."""

    @property
    def config(self) -> MeasuredConfig:
        """Type and parameters."""

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Search with several vectors at once: see `audiosearch.library.backend.VectorIndex`."""


class SearchBenchmark:
    """Queries drawn from the vectors, and the result of an exact search for each.

    Parameters
    ----------
    source : VectorSource
        Must not change while the benchmark is used.

    Attributes
    ----------
    n_vectors : int
    dimension : int
        Numbers in a vector.
    queries : ndarray of float32, shape (n_queries, dimension)
    """

    def __init__(self, source: VectorSource) -> None:
        ids = source.vector_ids()
        self.n_vectors = len(ids)
        rows = np.random.default_rng(0).permutation(self.n_vectors)[:_N_QUERIES]
        self._query_ids: Int64 = ids[rows]
        self.queries = source.vectors_of(self._query_ids)
        self.dimension = self.queries.shape[1]
        self._source = source

    @cached_property
    def _min_products(self) -> Float32:
        return self._source.min_products(self._query_ids, self.queries, N_NEIGHBORS)

    def measure(self, index: MeasurableIndex) -> Measurement:
        """Measure a vector index with its current configuration."""
        config = index.config
        n_bytes = config.memory_bytes(self.n_vectors, self.dimension)
        ms, recall = self.ms(index), self.recall(index)
        return Measurement(config.index_type, recall, ms, n_bytes)

    def recall(self, index: MeasurableIndex) -> float:
        """Return the share of the ten nearest other vectors that a search finds, in [0, 1]."""
        if self.n_vectors == 1:
            return 1.0
        exclude_ids = self._query_ids[:, np.newaxis].tolist()
        results = index.search_batch(self.queries, [N_NEIGHBORS] * len(exclude_ids), exclude_ids)
        n_others = min(N_NEIGHBORS, self.n_vectors - 1)
        # Only now, because Milvus may have to replace the index to compute them.
        min_products = self._min_products
        shares = [
            np.count_nonzero(products >= min_product - _PRODUCT_TOLERANCE) / n_others
            for (_, products), min_product in zip(results, min_products, strict=True)
        ]
        return float(np.mean(np.minimum(shares, 1.0)))

    def ms(self, index: MeasurableIndex) -> float:
        """Return the median time of a query, in milliseconds."""
        return median_ms(
            lambda query: index.search_batch(query[np.newaxis], [N_NEIGHBORS], [()]), self.queries
        )


def median_ms(search: Callable[[Float32], object], queries: Float32) -> float:
    """Return the median time of a search, in milliseconds.

    Parameters
    ----------
    search : callable
        It is called with one query at a time, of shape (dimension,).
    queries : ndarray of float32, shape (n, dimension)
        The first 50 are used.
    """
    times = []
    for query in queries[:_N_TIMED_QUERIES]:
        started = time.perf_counter()
        search(query)
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)
