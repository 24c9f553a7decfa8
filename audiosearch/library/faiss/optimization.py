"""`audiosearch optimize` in a folder: FAISS indexes of each type are built and measured."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.faiss.tuning import TransformedVectors, configs, exact_ms
from audiosearch.library.faiss.whitening import check_enough_tracks, min_tracks_to_whiten
from audiosearch.library.search_benchmark import Measurement, SearchBenchmark
from audiosearch.library.tuning import OptimizeResult, largest_ms, no_type_fits, tune

if TYPE_CHECKING:
    from audiosearch.library.faiss.vector_index import VectorIndexes
    from audiosearch.library.search_target import SearchTarget


class Optimization:
    """One run of `optimize`.

    Each method keeps the FAISS index that it builds in a local variable, so that it is released at
    the end: two at a time may not fit in memory. The exact one isn't opened: its file is as large
    as all vectors.

    Parameters
    ----------
    indexes : VectorIndexes
    target : SearchTarget
    whiten : bool
        Make a FAISS index of the whitened vectors if there is none.

    Raises
    ------
    LibraryError
        If there are too few tracks to whiten.
    """

    def __init__(
        self, indexes: VectorIndexes, target: SearchTarget, *, whiten: bool = False
    ) -> None:
        self._indexes, self._target = indexes, target
        self._database = indexes.database
        n_tracks, dimension = self._database.count(), self._database.dimension
        if whiten:
            check_enough_tracks(n_tracks, dimension)
        self._has_whitened = indexes.has_whitened()
        can_whiten = n_tracks >= min_tracks_to_whiten(dimension)
        self._whiten = whiten or (self._has_whitened and can_whiten)
        self._benchmark = SearchBenchmark(TransformedVectors(self._database))
        self._exact_ms = exact_ms(self._database, self._benchmark)

    def run(self) -> OptimizeResult:
        """Choose a type, and use it.

        Raises
        ------
        LibraryError
            If no type within the memory limit has enough recall.
        """
        before = self._before()
        limit = math.inf if self._target.max_bytes is None else self._target.max_bytes
        may_be_exact = self._bytes(FLAT) <= limit
        n_vectors, dimension = self._benchmark.n_vectors, self._benchmark.dimension
        max_ms = largest_ms(self._exact_ms, n_vectors, may_be_exact=may_be_exact)
        for config in configs(n_vectors, dimension) if max_ms else ():
            if self._bytes(config) <= limit:
                after = self._try(config, max_ms)
                if after is not None:
                    return self._result(before, after, config)
        if not may_be_exact:
            raise no_type_fits(self._target)
        return self._use_exact(before)

    def make_exact(self) -> OptimizeResult:
        """Return to exact search."""
        return self._use_exact(self._before())

    def _bytes(self, config: IndexConfig) -> int:
        """Return the memory that searches keep if all vectors have a type."""
        n_bytes = config.memory_bytes(self._benchmark.n_vectors, self._benchmark.dimension)
        return n_bytes * (2 if self._whiten else 1)

    def _before(self) -> Measurement:
        """Measure the type in use. The exact one finds all, and isn't opened."""
        n_bytes = self._indexes.memory_bytes()
        if self._indexes.config() == FLAT:
            return Measurement(FLAT.index_type, 1.0, self._exact_ms, n_bytes)
        return replace(self._benchmark.measure(self._indexes.vector_index()), bytes=n_bytes)

    def _try(self, config: IndexConfig, max_ms: float) -> Measurement | None:
        """Build an index, and use it if it is accurate and fast enough. Return None if it isn't."""
        built = self._indexes.build(config)
        measurement = tune(built, self._benchmark, self._target.recall, max_ms)
        if measurement is not None:
            self._indexes.use(built)
        return measurement

    def _use_exact(self, before: Measurement) -> OptimizeResult:
        if before.index_type != FLAT.index_type:
            self._indexes.use(self._indexes.build(FLAT))
        after = Measurement(FLAT.index_type, 1.0, self._exact_ms, 0)
        return self._result(before, after, FLAT)

    def _result(
        self, before: Measurement, after: Measurement, config: IndexConfig
    ) -> OptimizeResult:
        """Use the same type for the whitened vectors, and store what was asked for."""
        whitened = None
        if self._whiten and not (
            config == FLAT and self._has_whitened and self._indexes.config(whiten=True) == FLAT
        ):
            whitened = self._use_for_whitened(config)
        self._indexes.set_target(self._target, whiten=self._whiten)
        after = replace(after, bytes=self._indexes.memory_bytes())
        return OptimizeResult(before, after, whitened)

    def _use_for_whitened(self, config: IndexConfig) -> Measurement:
        """Use a type for the whitened vectors, with a search wide enough for the recall."""
        built = self._indexes.build(config, whiten=True)
        benchmark = SearchBenchmark(TransformedVectors(self._database, built.transform))
        measurement = tune(built, benchmark, self._target.recall, math.inf)
        self._indexes.use(built)
        return measurement or benchmark.measure(built)
