"""Types of FAISS indexes that `audiosearch optimize` tries, and the exact results to compare."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.library.faiss.index_config import IndexConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from audiosearch.types import Float32, Int64

#: Values of n_candidates to try for "ivf-pq".
N_CANDIDATES = (100, 300, 1_000, 3_000)

_COMPRESSIONS = (2, 4, 8)  # dimension divided by bytes of a code, the most accurate first


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


def min_products(
    blocks: Iterable[tuple[Int64, Float32]],
    query_ids: Int64,
    queries: Float32,
    k: int,
    transform: Callable[[Float32], Float32],
) -> Float32:
    """Return each query's inner product with its k-th nearest other track, by exact search.

    Parameters
    ----------
    blocks : iterable of (ndarray of int64, ndarray of float32)
        Ids, shape (n,), and plain vectors, shape (n, dimension), of all tracks, in parts.
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
    best = np.full((len(queries), k), -2.0, dtype=np.float32)
    for ids, vectors in blocks:
        products = queries @ transform(vectors).T
        products[query_ids[:, np.newaxis] == ids] = -2.0
        both = np.concatenate([best, products], axis=1)
        best = np.partition(both, -k, axis=1)[:, -k:]
    return np.asarray(best.min(axis=1))
