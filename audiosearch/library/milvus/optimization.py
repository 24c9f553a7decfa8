"""`audiosearch optimize` in Milvus: its index of the vectors is replaced, and measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.library.faiss.index_config import FLAT
from audiosearch.library.filters import EVERYTHING
from audiosearch.library.milvus.index_config import CONFIGS
from audiosearch.library.milvus.vector_index import MilvusVectorIndex
from audiosearch.library.search_benchmark import EXCLUDED, SearchBenchmark
from audiosearch.library.tuning import OptimizeResult, largest_ms, no_type_fits, tune

if TYPE_CHECKING:
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.library.search_benchmark import Measurement
    from audiosearch.library.search_target import SearchTarget
    from audiosearch.types import Float32, Int64


class MilvusOptimization:
    """One run of `optimize`; it also implements `VectorSource`.

    Milvus keeps one index of the vectors, so each type that is tried replaces the one before.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog, self._index = catalog, MilvusVectorIndex(catalog)
        self._benchmark = SearchBenchmark(self)

    def run(self, target: SearchTarget) -> OptimizeResult:
        """Choose a type, and use it.

        Raises
        ------
        LibraryError
            If no type within the memory limit has enough recall. Searches then are exact.
        """
        n_vectors, dimension = self._benchmark.n_vectors, self._benchmark.dimension
        limit = math.inf if target.max_bytes is None else target.max_bytes
        fitting = [c for c in CONFIGS if c.memory_bytes(n_vectors, dimension) <= limit]
        may_be_exact = FLAT.memory_bytes(n_vectors, dimension) <= limit
        if not fitting and not may_be_exact:
            raise no_type_fits(target)
        before = self._benchmark.measure(self._index)
        exact = self._exact(before)
        max_ms = largest_ms(exact.ms, n_vectors, may_be_exact=may_be_exact)
        for config in fitting if max_ms else ():
            self._index.replace(config)
            after = tune(self._index, self._benchmark, target.recall, max_ms)
            if after is not None:
                self._index.keep_search_width()
                return OptimizeResult(before, after)
        self._use_exact()
        if not may_be_exact:
            raise no_type_fits(target)
        return OptimizeResult(before, exact)

    def make_exact(self) -> OptimizeResult:
        """Return to exact search."""
        before = self._benchmark.measure(self._index)
        exact = self._exact(before)
        self._use_exact()
        return OptimizeResult(before, exact)

    def _exact(self, before: Measurement) -> Measurement:
        """Return the measurement of an exact search."""
        if before.index_type == FLAT.index_type:
            return before
        self._index.replace(FLAT)
        return self._benchmark.measure(self._index)

    def _use_exact(self) -> None:
        self._index.replace(FLAT)
        self._index.keep_search_width()

    def vector_ids(self) -> Int64:
        """Return the ids of all tracks, ascending: int64, shape (n,)."""
        return self._catalog.ids(EVERYTHING)

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, in the order of ids: float32, (n, dimension)."""
        return self._catalog.vectors_of(ids)

    def min_products(self, query_ids: Int64, queries: Float32, k: int) -> Float32:
        """Return each query's product with its k-th nearest other vector: see `VectorSource`.

        Milvus searches exactly for that, and keeps the exact index.
        """
        self._index.replace(FLAT)
        exclude_ids = query_ids[:, np.newaxis].tolist()
        results = self._index.search_batch(queries, [k] * len(queries), exclude_ids)
        found = (products[-1] if len(products) == k else EXCLUDED for _, products in results)
        return np.fromiter(found, dtype=np.float32)
