"""Types of FAISS indexes that `audiosearch optimize` tries, and the exact results to compare."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import faiss
import numpy as np

from audiosearch.library.faiss.index_config import N_CANDIDATES, IndexConfig
from audiosearch.library.faiss.threads import search
from audiosearch.library.search_benchmark import EXCLUDED, N_NEIGHBORS, SearchBenchmark, median_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.library.faiss.vector_database import VectorDatabase
    from audiosearch.types import Float32, Int64

_COMPRESSIONS = (2, 4, 8)  # dimension divided by bytes of a code, the most accurate first
_MAX_TIMED_VECTORS = 500_000  # 256 MB of 128 dimensions: far more than a processor's cache


def _unchanged(vectors: Float32) -> Float32:
    return vectors


class TransformedVectors:
    """The vectors of a database, as a FAISS index compares them; it implements `VectorSource`.

    Parameters
    ----------
    database : VectorDatabase
    transform : callable
        Function that returns vectors as the index compares them. Default: unchanged.
    """

    def __init__(
        self, database: VectorDatabase, transform: Callable[[Float32], Float32] = _unchanged
    ) -> None:
        self._database, self._transform = database, transform

    def vector_ids(self) -> Int64:
        """Return the ids of all vectors, ascending: int64, shape (n,)."""
        return self._database.vector_ids()

    def vectors_of(self, ids: Int64) -> Float32:
        """Return vectors, in the order of their ids: float32, (n, dimension)."""
        return self._transform(self._database.vectors_of(ids))

    def min_products(self, query_ids: Int64, queries: Float32, k: int) -> Float32:
        """Return each query's product with its k-th nearest other vector: see `VectorSource`."""
        best = np.full((len(queries), k), EXCLUDED, dtype=np.float32)
        for ids, vectors in self._database.vector_blocks():
            products = queries @ self._transform(vectors).T
            products[query_ids[:, np.newaxis] == ids] = EXCLUDED
            is_better = (products > best.min(axis=1, keepdims=True)).any(axis=0)
            both = np.concatenate([best, products[:, is_better]], axis=1)
            best = np.partition(both, -k, axis=1)[:, -k:]
        return np.asarray(best.min(axis=1))


def exact_ms(database: VectorDatabase, benchmark: SearchBenchmark) -> float:
    """Return the median time of a search that compares all vectors, in milliseconds.

    At most 500,000 vectors are held in memory. The time grows with their number, so for more it is
    computed from that of these.
    """
    flat = faiss.IndexFlatIP(benchmark.dimension)
    for _, vectors in database.vector_blocks():
        flat.add(np.ascontiguousarray(vectors[: _MAX_TIMED_VECTORS - flat.ntotal]))
        if flat.ntotal == _MAX_TIMED_VECTORS:
            break
    ms = median_ms(lambda query: search(flat, query[np.newaxis], N_NEIGHBORS), benchmark.queries)
    return ms * benchmark.n_vectors / flat.ntotal


def configs(n_tracks: int, dimension: int) -> Iterator[IndexConfig]:
    """Yield the configurations to try, the fastest to search and build first."""
    nlist = 2 ** max(4, round(np.log2(2 * np.sqrt(n_tracks))))
    yield IndexConfig("ivf-flat", nlist)
    yield IndexConfig("hnsw", ef_search=16)
    for code_bytes in code_sizes(dimension):
        yield IndexConfig("ivf-pq", nlist, code_bytes=code_bytes, n_candidates=N_CANDIDATES[0])


def code_sizes(dimension: int) -> list[int]:
    """Return the sizes of codes to try, in bytes, the most accurate first.

    Each size is a divisor of the dimension: those nearest to a half, a quarter and an eighth of
    it.

    Examples
    --------
    >>> code_sizes(128), code_sizes(100), code_sizes(97)
    ([64, 32, 16], [50, 25, 10], [97])
    """
    divisors = [size for size in range(1, dimension + 1) if dimension % size == 0]
    sizes = {
        min(divisors, key=lambda size: abs(math.log(size * compression / dimension)))
        for compression in _COMPRESSIONS
    }
    return sorted(sizes, reverse=True)
