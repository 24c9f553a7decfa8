"""Choose the type of the vector index: build each type and measure it."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from audiosearch import defaults
from audiosearch.errors import LibraryError, UsageError
from audiosearch.library.backend import Capability
from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.faiss.tuning import N_CANDIDATES
from audiosearch.library.faiss.whitening import min_tracks_to_whiten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.library.index import Index
    from audiosearch.library.tuning import TunableIndex, TunableIndexes
    from audiosearch.types import Float32, Int64

N_NEIGHBORS = 10  # recall is the share of these nearest neighbors that a search finds

_N_QUERIES = 200
_N_TIMED_QUERIES = 50
_PRODUCT_TOLERANCE = 1e-5  # inner products that differ by at most this count as equal
_FAST_ENOUGH_MS = 5.0  # if an exact search takes at most this time, it is kept
_MIN_TRACKS = 10_000  # with fewer tracks, exact search is kept
_MIN_SPEEDUP = 2.0  # another type must be this many times as fast as exact search
_MAX_SEARCH_WIDTH = 512  # largest nprobe or ef_search


@dataclass(frozen=True, slots=True)
class Measurement:
    """Recall, speed and memory of a vector index.

    Attributes
    ----------
    index_type : str
        See `audiosearch.library.faiss.index_config.IndexConfig`; or a type of Milvus.
    recall : float
        Share of the ten nearest tracks that a search finds, in [0, 1].
    ms : float
        Median time of a query, in milliseconds.
    bytes : int
        Memory that the index needs, estimated.
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


@dataclass(frozen=True, slots=True)
class OptimizeResult:
    """Measurements of a vector index before and after `optimize`. Equal if nothing changed."""

    before: Measurement
    after: Measurement

    def to_json(self) -> dict[str, Any]:
        """Return the result as `audiosearch optimize --format json` prints it."""
        return {"before": self.before.to_json(), "after": self.after.to_json()}


def optimize(
    index: Index, *, target_recall: float = defaults.TARGET_RECALL, max_bytes: int | None = None
) -> OptimizeResult:
    """Choose the index type that makes searches fast, with enough recall and little memory.

    Exact search is kept if it is fast enough, or if no other type with enough recall is at least
    twice as fast. In Milvus, searches fail while an index is built.

    Parameters
    ----------
    index : Index
    target_recall : float
        Smallest share of the ten nearest tracks that a search must find, in (0, 1].
    max_bytes : int, optional
        Memory limit of the FAISS index. Default: no limit.

    Raises
    ------
    UsageError
        If the recall is out of range.
    LibraryError
        If the index is empty, if its backend has one type only, or if no type within the memory
        limit has enough recall.
    """
    if not 0.0 < target_recall <= 1.0:
        raise UsageError(
            f"A recall of {target_recall:g} is out of range.",
            hint="Choose a number above 0, at most 1: --target-recall 0.95.",
        )
    indexes = _optimizable(index)
    benchmark = _Benchmark(indexes)
    n_tracks, dimension = len(benchmark.ids), benchmark.dimension
    limit = math.inf if max_bytes is None else max_bytes
    may_be_exact = FLAT.memory_bytes(n_tracks, dimension) <= limit
    fitting = [
        config for config in indexes.configs() if config.memory_bytes(n_tracks, dimension) <= limit
    ]
    if not fitting and not may_be_exact:
        raise _no_type_within(limit, target_recall)
    before = benchmark.measure(indexes.vector_index())
    exact_ms = _exact_ms(indexes, benchmark, before) if may_be_exact else math.inf
    is_slow = exact_ms > _FAST_ENOUGH_MS and n_tracks >= _MIN_TRACKS
    for config in fitting if is_slow or not may_be_exact else ():
        after = _try(indexes, benchmark, config, target_recall, exact_ms / _MIN_SPEEDUP)
        if after is not None:
            _use_for_whitened(indexes, config, target_recall, dimension)
            return OptimizeResult(before, after)
    if not may_be_exact:
        raise _no_type_within(limit, target_recall)
    return _make_exact(indexes, benchmark, before)


def _no_type_within(limit: float, target_recall: float) -> LibraryError:
    return LibraryError(
        f"No index type within {limit / 1e6:.6g} MB finds {target_recall:.0%} of the nearest "
        "tracks.",
        hint="Allow more memory with --max-memory, or a lower recall with --target-recall.",
    )


def make_exact(index: Index) -> OptimizeResult:
    """Return to exact search, for plain and whitened vectors.

    Raises
    ------
    LibraryError
        If the index is empty or its backend has one type only.
    """
    indexes = _optimizable(index)
    benchmark = _Benchmark(indexes)
    return _make_exact(indexes, benchmark, benchmark.measure(indexes.vector_index()))


def _optimizable(index: Index) -> TunableIndexes[TunableIndex]:
    """Return the vector indexes of an index, whose backend has the capability."""
    index.require_capability(Capability.OPTIMIZE)
    index.require_vectors()
    return cast("TunableIndexes[TunableIndex]", index.vector_indexes)


# Each of these functions keeps the index that it builds in a local variable, so that it is released
# at the end: two indexes at a time may not fit in memory.


def _exact_ms(
    indexes: TunableIndexes[TunableIndex], benchmark: _Benchmark, before: Measurement
) -> float:
    is_exact = before.index_type == "flat"
    return before.ms if is_exact else benchmark.measure(indexes.build(FLAT)).ms


def _try(
    indexes: TunableIndexes[TunableIndex],
    benchmark: _Benchmark,
    config: IndexConfig,
    target_recall: float,
    max_ms: float,
) -> Measurement | None:
    """Build an index, and use it if it is accurate and fast enough. Return None if it isn't."""
    built = indexes.build(config)
    measurement = benchmark.tune(built, target_recall, max_ms)
    if measurement is not None:
        indexes.use(built)
    return measurement


def _make_exact(
    indexes: TunableIndexes[TunableIndex], benchmark: _Benchmark, before: Measurement
) -> OptimizeResult:
    if indexes.config(whiten=True) != FLAT:
        indexes.use(indexes.build(FLAT, whiten=True))
    if before.index_type == "flat" and indexes.config() == FLAT:
        return OptimizeResult(before, before)
    built = indexes.build(FLAT)
    indexes.use(built)
    return OptimizeResult(before, benchmark.measure(built))


def _use_for_whitened(
    indexes: TunableIndexes[TunableIndex], config: IndexConfig, target_recall: float, dimension: int
) -> None:
    """Use the same type for the whitened vectors, with a search wide enough for the recall."""
    if not indexes.has_whitened or len(indexes.ids()) < min_tracks_to_whiten(dimension):
        return
    built = indexes.build(config, whiten=True)
    _Benchmark(indexes, built.transform).tune(built, target_recall, math.inf)
    indexes.use(built)


class _Benchmark:
    """Queries drawn from the tracks, and the result of an exact search for each.

    Parameters
    ----------
    indexes : VectorIndexes
    transform : callable
        Function that returns vectors as the measured index compares them. Default: unchanged.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_tracks,)
        Ids of all tracks.
    dimension : int
        Numbers in a vector.
    """

    def __init__(
        self,
        indexes: TunableIndexes[TunableIndex],
        transform: Callable[[Float32], Float32] = lambda vectors: vectors,
    ) -> None:
        self.ids = indexes.ids()
        rows = np.random.default_rng(0).permutation(len(self.ids))[:_N_QUERIES]
        self._query_ids: Int64 = self.ids[rows]
        self._queries = transform(indexes.vectors_of(self._query_ids))
        self.dimension = self._queries.shape[1]
        self._indexes, self._transform = indexes, transform

    @cached_property
    def _min_products(self) -> Float32:
        """Each query's inner product with its tenth nearest other track."""
        return self._indexes.min_products(
            self._query_ids, self._queries, N_NEIGHBORS, self._transform
        )

    def measure(self, index: TunableIndex) -> Measurement:
        """Measure an index with its current configuration."""
        n_bytes = index.config.memory_bytes(len(self.ids), self.dimension)
        index_type, ms = index.config.index_type, self._ms(index)
        return Measurement(index_type, self._recall(index), ms, n_bytes)

    def tune(self, index: TunableIndex, target_recall: float, max_ms: float) -> Measurement | None:
        """Widen the search until the recall is high enough. Return None if that is too slow."""
        for config in _wider_searches(index.config):
            index.config = config
            measurement = self.measure(index)
            if measurement.ms < max_ms and measurement.recall >= target_recall:
                return measurement
            if measurement.ms >= max_ms and config.n_candidates in {0, N_CANDIDATES[0]}:
                return None
        return None

    def _ms(self, index: TunableIndex) -> float:
        times = []
        for query in self._queries[:_N_TIMED_QUERIES]:
            started = time.perf_counter()
            index.search(query, N_NEIGHBORS)
            times.append(time.perf_counter() - started)
        return 1e3 * statistics.median(times)

    def _recall(self, index: TunableIndex) -> float:
        exclude_ids = self._query_ids[:, np.newaxis].tolist()
        results = index.search_batch(self._queries, [N_NEIGHBORS] * len(exclude_ids), exclude_ids)
        n_others = max(1, min(N_NEIGHBORS, len(self.ids) - 1))
        # Only now, because Milvus may have to replace the index to compute them.
        min_products = self._min_products
        shares = [
            np.count_nonzero(products >= min_product - _PRODUCT_TOLERANCE) / n_others
            for (_, products), min_product in zip(results, min_products, strict=True)
        ]
        return float(np.mean(np.minimum(shares, 1.0))) if len(self.ids) > 1 else 1.0


def _wider_searches(config: IndexConfig) -> Iterator[IndexConfig]:
    """Yield configurations of the same type, each with a wider search than the one before."""
    max_width = min(config.nlist or _MAX_SEARCH_WIDTH, _MAX_SEARCH_WIDTH)
    width = config.search_width
    while width <= max_width:
        wider = config.with_search_width(width)
        for n_candidates in N_CANDIDATES if config.index_type == "ivf-pq" else (0,):
            yield replace(wider, n_candidates=n_candidates)
        width *= 2
