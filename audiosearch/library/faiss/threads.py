"""Threads that FAISS uses: more than needed make it slower, on a busy machine many times."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import faiss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32, Int64

_MIN_QUERIES_FOR_BLAS = 8  # from this number on, one matrix product is faster than single queries


@contextlib.contextmanager
def max_threads(n: int) -> Iterator[None]:
    """Make FAISS use at most n threads inside the block, if this thread calls it."""
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(min(n, n_threads))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(n_threads)


def search(index: Any, vectors: Float32, k: int, parameters: Any = None) -> tuple[Float32, Int64]:
    """Search a FAISS index, with at most one thread for each query.

    With more threads than queries, FAISS computes matrix products of a single query, which is
    several times slower.

    Parameters
    ----------
    index : faiss.Index
    vectors : ndarray of float32, shape (n, dimension)
    k : int
    parameters : faiss.SearchParameters, optional

    Returns
    -------
    products : ndarray of float32, shape (n, k)
    ids : ndarray of int64, shape (n, k)
        -1 if there are fewer neighbors.
    """
    # This is a global variable of FAISS. It is compared with the total size of all queries.
    faiss.cvar.distance_compute_blas_threshold = _MIN_QUERIES_FOR_BLAS * index.d
    with max_threads(len(vectors)):
        products, ids = index.search(vectors, k, params=parameters)
    return products, ids
