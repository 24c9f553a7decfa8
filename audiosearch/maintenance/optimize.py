"""Which arrangement of an index's vectors is fast, small and true enough: tried, and measured."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError, UsageError
from audiosearch.library.faiss.index_config import FLAT, IndexConfig
from audiosearch.library.faiss.vector_index import VectorIndexes
from audiosearch.library.faiss.whitening import LEAST_TRACKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.library.faiss.faiss_index import FaissIndex
    from audiosearch.library.index import Index
    from audiosearch.types import Float32, Int64

N_NEIGHBOURS = 10  # that recall is of

_N_QUERIES = 200
_TIE = 1e-5  # products that differ by no more are of the same likeness
_N_TIMED = 50
_FAST_MS = 5.0  # exact search that takes no longer is left as it is
_LEAST_TRACKS = 10_000  # for lists to be worth it
_WORTHWHILE = 2.0  # times as fast as exact search, or it is not given up
_CODE_BYTES = (64, 32, 16)  # of a vector, the truest first
_CANDIDATES = (100, 300, 1_000, 3_000)  # that codes are followed by
_MOST_EFFORT = 512


@dataclass(frozen=True, slots=True)
class Measurement:
    """An arrangement's worth.

    Attributes
    ----------
    kind : str
        As of `IndexConfig`.
    recall : float
        The share of the ten nearest, by exact search, that it finds.
    ms : float
        What a query takes, in milliseconds: a median.
    bytes : int
        What searching takes of memory.
    """

    kind: str
    recall: float
    ms: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Optimized:
    """An index before and after."""

    before: Measurement
    after: Measurement

    def to_json(self) -> dict[str, Any]:
        """Return it as `--format json` prints it."""
        return asdict(self)


def optimize(
    index: Index, *, target_recall: float = 0.95, most_bytes: int | None = None
) -> Optimized:
    """Arrange an index's vectors so that searching is fast, true, and takes no more memory.

    Exact search is kept where it is fast, or nothing else that is true enough is twice as fast.

    Parameters
    ----------
    index : Index
    target_recall : float
        In (0, 1].
    most_bytes : int, optional
        Of memory for searching.

    Raises
    ------
    UsageError
        Where the recall is none.
    LibraryError
        Where the index is empty, or not in a folder, or nothing within the memory is true enough.
    """
    if not 0.0 < target_recall <= 1.0:
        raise UsageError(f"There is no recall of {target_recall:g}.", hint="Ask for 0.95, say.")
    spaces = _arrangeable(index)
    bench = _Bench(spaces)
    before = bench.measured(spaces.vector_index())
    n_tracks = len(bench.ids)
    most = math.inf if most_bytes is None else most_bytes
    may_be_exact = FLAT.bytes_of(n_tracks) <= most
    exact_ms = _exact_ms(spaces, bench, before) if may_be_exact else math.inf
    is_slow = exact_ms > _FAST_MS and n_tracks >= _LEAST_TRACKS
    for candidate in _candidates(n_tracks) if is_slow or not may_be_exact else ():
        if candidate.bytes_of(n_tracks) <= most:
            after = _tried(spaces, bench, candidate, target_recall, exact_ms / _WORTHWHILE)
            if after is not None:
                _arrange_whitened(spaces, candidate, target_recall)
                return Optimized(before, after)
    if not may_be_exact:
        raise LibraryError(
            f"Nothing within {most / 1e6:.6g} MB finds {target_recall:.0%} of the nearest.",
            hint="Allow more memory, or less recall.",
        )
    return _made_exact(spaces, bench, before)


def make_exact(index: Index) -> Optimized:
    """Go back to exact search.

    Raises
    ------
    LibraryError
        Where the index is empty, or not in a folder.
    """
    spaces = _arrangeable(index)
    bench = _Bench(spaces)
    return _made_exact(spaces, bench, bench.measured(spaces.vector_index()))


def _arrangeable(index: Index) -> VectorIndexes:
    if isinstance(index.vector_indexes, VectorIndexes):
        return index.vector_indexes
    raise LibraryError(
        f"How {index.location} is searched is arranged by its server.",
        hint="Give its field `embedding` another index there: HNSW or DISKANN, by inner product.",
    )


# Each of these lets go of what it has arranged: two at a time may be too much for the memory.


def _exact_ms(spaces: VectorIndexes, bench: _Bench, before: Measurement) -> float:
    is_exact = before.kind == "flat"
    return before.ms if is_exact else bench.measured(spaces.arranged(FLAT)).ms


def _tried(
    spaces: VectorIndexes,
    bench: _Bench,
    candidate: IndexConfig,
    target_recall: float,
    most_ms: float,
) -> Measurement | None:
    """Arrange vectors so, and keep it where it is true and fast enough; None where it is not."""
    arranged = spaces.arranged(candidate)
    found = bench.tuned(arranged, target_recall, most_ms)
    if found is not None:
        spaces.arrange(arranged)
    return found


def _made_exact(spaces: VectorIndexes, bench: _Bench, before: Measurement) -> Optimized:
    if spaces.arrangement(whiten=True) != FLAT:
        spaces.arrange(spaces.arranged(FLAT, whiten=True))
    if before.kind == "flat":
        return Optimized(before, before)
    arranged = spaces.arranged(FLAT)
    spaces.arrange(arranged)
    return Optimized(before, bench.measured(arranged))


def _arrange_whitened(
    spaces: VectorIndexes, arrangement: IndexConfig, target_recall: float
) -> None:
    """Arrange the whitened vectors alike, and let searches look at as much as they must there."""
    if len(spaces.ids()) < LEAST_TRACKS:
        return
    arranged = spaces.arranged(arrangement, whiten=True)
    _Bench(spaces, arranged.transform).tuned(arranged, target_recall, math.inf)
    spaces.arrange(arranged)


def _candidates(n_tracks: int) -> Iterator[IndexConfig]:
    """Yield arrangements, the fastest to search and to build first."""
    n_lists = 2 ** max(4, round(np.log2(2 * np.sqrt(n_tracks))))
    yield IndexConfig("ivf-flat", n_lists)
    yield IndexConfig("hnsw", effort=16)
    for code_bytes in _CODE_BYTES:
        yield IndexConfig("ivf-pq", n_lists, code_bytes=code_bytes, n_candidates=_CANDIDATES[0])


class _Bench:
    """Tracks to search with, and what exact search finds.

    Parameters
    ----------
    spaces : VectorIndexes
    compared : callable
        Returns vectors as they are compared: as they are, unless given.
    """

    def __init__(
        self,
        spaces: VectorIndexes,
        compared: Callable[[Float32], Float32] = lambda vectors: vectors,
    ) -> None:
        self.ids = spaces.ids()
        if not len(self.ids):
            raise LibraryError("The index is empty.", hint="`audiosearch add FOLDER` fills it.")
        chosen = np.random.default_rng(0).permutation(len(self.ids))[:_N_QUERIES]
        self._own: Int64 = self.ids[chosen]
        self._queries = compared(spaces.vectors_of(self._own))
        self._least = _least_products(spaces, self._own, self._queries, compared)

    def measured(self, arranged: FaissIndex) -> Measurement:
        """Return an arrangement's worth as it is."""
        arrangement = arranged.arrangement
        n_bytes = arrangement.bytes_of(len(self.ids))
        return Measurement(arrangement.kind, self._recall(arranged), self._ms(arranged), n_bytes)

    def tuned(
        self, arranged: FaissIndex, target_recall: float, most_ms: float
    ) -> Measurement | None:
        """Let an arrangement look at as much as it must; None where that takes too long."""
        for arrangement in _efforts(arranged.arrangement):
            arranged.arrangement = arrangement
            found = self.measured(arranged)
            if found.ms < most_ms and found.recall >= target_recall:
                return found
            if found.ms >= most_ms and arrangement.n_candidates in {0, _CANDIDATES[0]}:
                return None
        return None

    def _ms(self, arranged: FaissIndex) -> float:
        times = []
        for query in self._queries[:_N_TIMED]:
            started = time.perf_counter()
            arranged.search(query, N_NEIGHBOURS)
            times.append(time.perf_counter() - started)
        return 1e3 * statistics.median(times)

    def _recall(self, arranged: FaissIndex) -> float:
        without = self._own[:, np.newaxis].tolist()
        found = arranged.search_batch(self._queries, [N_NEIGHBOURS] * len(without), without)
        n_others = max(1, min(N_NEIGHBOURS, len(self.ids) - 1))
        shares = [
            np.count_nonzero(products >= least - _TIE) / n_others
            for (_, products), least in zip(found, self._least, strict=True)
        ]
        return float(np.mean(np.minimum(shares, 1.0))) if len(self.ids) > 1 else 1.0


def _efforts(arrangement: IndexConfig) -> Iterator[IndexConfig]:
    """Yield an arrangement with ever more that a search looks at."""
    most = min(arrangement.n_lists or _MOST_EFFORT, _MOST_EFFORT)
    effort = arrangement.effort
    while effort <= most:
        for n_candidates in _CANDIDATES if arrangement.kind == "ivf-pq" else (0,):
            yield replace(arrangement, effort=effort, n_candidates=n_candidates)
        effort *= 2


def _least_products(
    spaces: VectorIndexes, own: Int64, queries: Float32, compared: Callable[[Float32], Float32]
) -> Float32:
    """Return for each query the product of its tenth nearest, itself aside, by comparing all."""
    best = np.full((len(queries), N_NEIGHBOURS), -2.0, dtype=np.float32)
    for ids, vectors in spaces.blocks():
        products = queries @ compared(vectors).T
        products[own[:, np.newaxis] == ids] = -2.0
        some = np.concatenate([best, products], axis=1)
        best = np.partition(some, -N_NEIGHBOURS, axis=1)[:, -N_NEIGHBOURS:]
    return np.asarray(best.min(axis=1))
