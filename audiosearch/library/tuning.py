"""Choosing among types of vector indexes: what a type must reach, and how wide its searches are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from audiosearch.errors import LibraryError
from audiosearch.library.search_benchmark import MeasuredConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.search_benchmark import Measurement, SearchBenchmark
    from audiosearch.library.search_target import SearchTarget
    from audiosearch.types import Float32, Int64

_FAST_ENOUGH_MS = 5.0  # if an exact search takes at most this time, it is kept
_MIN_TRACKS = 10_000  # with fewer tracks, exact search is kept
_MIN_SPEEDUP = 2.0  # another type must be this many times as fast as exact search


@dataclass(frozen=True, slots=True)
class OptimizeResult:
    """Measurements of searches before and after `optimize`. Equal if nothing changed.

    Attributes
    ----------
    before, after : Measurement
        Of the plain vectors. The memory is that of both kinds of vectors.
    whitened : Measurement or None
        Of the whitened vectors after `optimize`; None if they have no index.
    """

    before: Measurement
    after: Measurement
    whitened: Measurement | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as `audiosearch optimize --format json` prints it."""
        result = {"before": self.before.to_json(), "after": self.after.to_json()}
        return result if self.whitened is None else result | {"whitened": self.whitened.to_json()}


class TunableConfig(MeasuredConfig, Protocol):
    """Type and parameters of a vector index, with the width of its searches."""

    def wider_searches(self) -> Sequence[Sequence[Any]]:
        """Return configurations to try, the fastest first: one or more for each search width."""
        ...


C = TypeVar("C", bound=TunableConfig)


class TunableIndex(Protocol[C]):
    """A vector index whose search width can be changed at any time."""

    config: C

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Search with several vectors at once: see `audiosearch.library.backend.VectorIndex`."""


class Optimizer(Protocol):
    """Chooses the type of the vector indexes of one index."""

    def optimize(self, target: SearchTarget, *, whiten: bool) -> OptimizeResult:
        """Choose a type, and use it.

        Parameters
        ----------
        target : SearchTarget
        whiten : bool
            Make an index of the whitened vectors if there is none.

        Raises
        ------
        UsageError
            If there can't be an index of the whitened vectors.
        LibraryError
            If there are too few tracks to whiten, or if no type within the memory limit has enough
            recall.
        """

    def make_exact(self) -> OptimizeResult:
        """Return to exact search."""


def largest_ms(exact_ms: float, n_vectors: int, *, may_be_exact: bool) -> float:
    """Return the time that a search of another type must stay below, in milliseconds.

    It is 0 if exact search is kept in any case, and infinite if its memory exceeds the limit.
    """
    if not may_be_exact:
        return math.inf
    is_slow = exact_ms > _FAST_ENOUGH_MS and n_vectors >= _MIN_TRACKS
    return exact_ms / _MIN_SPEEDUP if is_slow else 0.0


def no_type_fits(target: SearchTarget) -> LibraryError:
    """Return the error that no type reaches the recall within the memory limit."""
    limit = 0 if target.max_bytes is None else target.max_bytes
    return LibraryError(
        f"No index type within {limit / 1e6:.6g} MB finds {target.recall:.0%} of the nearest "
        "tracks.",
        hint="Allow more memory with --max-memory, or a lower recall with --target-recall.",
    )


def tune(
    index: TunableIndex[C], benchmark: SearchBenchmark, target_recall: float, max_ms: float
) -> Measurement | None:
    """Widen the search until the recall is high enough. Return None if that is too slow.

    The index keeps the last configuration that was tried.
    """
    for configs in index.config.wider_searches():
        index.config = configs[0]
        if benchmark.ms(index) >= max_ms:
            return None
        index.config = configs[-1]
        if benchmark.recall(index) < target_recall:
            continue
        for config in configs:
            index.config = config
            measurement = benchmark.measure(index)
            if measurement.recall >= target_recall:
                if measurement.ms < max_ms:
                    return measurement
                break
    return None
