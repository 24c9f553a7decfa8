"""Choose the type of the FAISS index: build each type and measure it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from audiosearch import defaults
from audiosearch.errors import LibraryError, UsageError
from audiosearch.library.backend import Capability
from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.faiss.search_target import SearchTarget
from audiosearch.library.faiss.tuning import N_CANDIDATES, exact_ms, measure, tune
from audiosearch.library.faiss.whitening import check_enough_tracks, min_tracks_to_whiten
from audiosearch.library.search_benchmark import Measurement, SearchBenchmark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.faiss.vector_index import VectorIndexes
    from audiosearch.library.index import Index

_FAST_ENOUGH_MS = 5.0  # if an exact search takes at most this time, it is kept
_MIN_TRACKS = 10_000  # with fewer tracks, exact search is kept
_MIN_SPEEDUP = 2.0  # another type must be this many times as fast as exact search
_COMPRESSIONS = (2, 4, 8)  # dimension divided by bytes of a code, the most accurate first


@dataclass(frozen=True, slots=True)
class OptimizeResult:
    """Measurements of searches before and after `optimize`. Equal if nothing changed.

    Attributes
    ----------
    before, after : Measurement
        Of the plain vectors. The memory is that of both kinds of vectors.
    whitened : Measurement or None
        Of the whitened vectors after `optimize`; None if they have no FAISS index.
    """

    before: Measurement
    after: Measurement
    whitened: Measurement | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as `audiosearch optimize --format json` prints it."""
        result = {"before": self.before.to_json(), "after": self.after.to_json()}
        return result if self.whitened is None else result | {"whitened": self.whitened.to_json()}


def optimize(
    index: Index,
    *,
    target_recall: float = defaults.TARGET_RECALL,
    max_bytes: int | None = None,
    whiten: bool = False,
) -> OptimizeResult:
    """Choose the FAISS index type that makes searches fast, with enough recall and little memory.

    Exact search is kept if it is fast enough, or if no other type with enough recall is at least
    twice as fast. The whitened vectors get the same type if they have a FAISS index.

    Parameters
    ----------
    index : Index
    target_recall : float
        Smallest share of the ten nearest tracks that a search must find, in (0, 1].
    max_bytes : int, optional
        Limit of the memory that searches keep, for plain and whitened vectors together. Default: no
        limit.
    whiten : bool
        Make a FAISS index of the whitened vectors if there is none.

    Raises
    ------
    UsageError
        If the recall is out of range.
    LibraryError
        If the index is empty, if its backend has no FAISS index, if there are too few tracks to
        whiten, or if no type within the memory limit has enough recall.
    """
    if not 0.0 < target_recall <= 1.0:
        raise UsageError(
            f"A recall of {target_recall:g} is out of range.",
            hint="Choose a number above 0, at most 1: --target-recall 0.95.",
        )
    return _Optimization(index, SearchTarget(target_recall, max_bytes), whiten=whiten).run()


def make_exact(index: Index) -> OptimizeResult:
    """Return to exact search, for plain and whitened vectors.

    Raises
    ------
    LibraryError
        If the index is empty or its backend has no FAISS index.
    """
    return _Optimization(index, SearchTarget()).make_exact()


# Each function keeps the FAISS index that it builds in a local variable, so that it is released at
# the end: two at a time may not fit in memory. The exact one isn't opened: its file is as large as
# all vectors.


class _Optimization:
    """One run of `optimize`.

    Parameters
    ----------
    index : Index
    target : SearchTarget
    whiten : bool
        Make a FAISS index of the whitened vectors if there is none.
    """

    def __init__(self, index: Index, target: SearchTarget, *, whiten: bool = False) -> None:
        index.require_capability(Capability.OPTIMIZE)
        index.require_vectors()
        # Only a backend that uses FAISS has the capability.
        self._indexes = cast("VectorIndexes", index.vector_indexes)
        self._database = self._indexes.database
        self._target = target
        n_tracks, dimension = self._database.count(), self._database.dimension
        if whiten:
            check_enough_tracks(n_tracks, dimension)
        self._has_whitened = self._indexes.has_whitened()
        can_whiten = n_tracks >= min_tracks_to_whiten(dimension)
        self._whiten = whiten or (self._has_whitened and can_whiten)
        self._benchmark = SearchBenchmark(self._database)
        self._exact_ms = exact_ms(self._database, self._benchmark)

    def run(self) -> OptimizeResult:
        """Choose a type, and use it."""
        before = self._before()
        limit = math.inf if self._target.max_bytes is None else self._target.max_bytes
        may_be_exact = self._bytes(FLAT) <= limit
        n_vectors, dimension = self._benchmark.n_vectors, self._benchmark.dimension
        is_slow = self._exact_ms > _FAST_ENOUGH_MS and n_vectors >= _MIN_TRACKS
        max_ms = self._exact_ms / _MIN_SPEEDUP if may_be_exact else math.inf
        for config in _configs(n_vectors, dimension) if is_slow or not may_be_exact else ():
            if self._bytes(config) <= limit:
                after = self._try(config, max_ms)
                if after is not None:
                    return self._result(before, after, config)
        if not may_be_exact:
            raise LibraryError(
                f"No index type within {limit / 1e6:.6g} MB finds {self._target.recall:.0%} of the "
                "nearest tracks.",
                hint="Allow more memory with --max-memory, or a lower recall with --target-recall.",
            )
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
        return replace(measure(self._indexes.vector_index(), self._benchmark), bytes=n_bytes)

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
        benchmark = SearchBenchmark(self._database, built.transform)
        measurement = tune(built, benchmark, self._target.recall, math.inf)
        self._indexes.use(built)
        return measurement or measure(built, benchmark)


def _configs(n_tracks: int, dimension: int) -> Iterator[IndexConfig]:
    """Yield the configurations to try, the fastest to search and build first."""
    nlist = 2 ** max(4, round(np.log2(2 * np.sqrt(n_tracks))))
    yield IndexConfig("ivf-flat", nlist)
    yield IndexConfig("hnsw", ef_search=16)
    for code_bytes in _code_sizes(dimension):
        yield IndexConfig("ivf-pq", nlist, code_bytes=code_bytes, n_candidates=N_CANDIDATES[0])


def _code_sizes(dimension: int) -> list[int]:
    """Return the sizes of codes to try, in bytes, the most accurate first.

    Each size is a divisor of the dimension: those nearest to a half, a quarter and an eighth of
    it.

    Examples
    --------
    >>> _code_sizes(128), _code_sizes(100), _code_sizes(97)
    ([64, 32, 16], [50, 25, 10], [97])
    """
    divisors = [size for size in range(1, dimension + 1) if dimension % size == 0]
    sizes = {
        min(divisors, key=lambda size: abs(math.log(size * compression / dimension)))
        for compression in _COMPRESSIONS
    }
    return sorted(sizes, reverse=True)
