"""Measure FAISS indexes, and choose the width of their searches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import faiss
import numpy as np

from audiosearch.library.search_benchmark import N_NEIGHBORS, Measurement, median_ms

if TYPE_CHECKING:
    from audiosearch.library.faiss.faiss_index import FaissIndex
    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.library.search_benchmark import SearchBenchmark, VectorSource

#: Numbers of codes of "ivf-pq" to try to compare again by full vectors.
N_CANDIDATES = (100, 300, 1_000, 3_000)
_MAX_SEARCH_WIDTH = 512  # largest nprobe or ef_search
_MAX_TIMED_VECTORS = 500_000  # 256 MB of 128 dimensions: far more than a processor's cache


def measure(index: FaissIndex, benchmark: SearchBenchmark) -> Measurement:
    """Measure a FAISS index with its current configuration."""
    n_bytes = index.config.memory_bytes(benchmark.n_vectors, benchmark.dimension)
    recall, ms = benchmark.recall(index), benchmark.ms(index)
    return Measurement(index.config.index_type, recall, ms, n_bytes)


def tune(
    index: FaissIndex, benchmark: SearchBenchmark, target_recall: float, max_ms: float
) -> Measurement | None:
    """Widen the search until the recall is high enough. Return None if that is too slow.

    The index keeps the last configuration that was tried.
    """
    for configs in _wider_searches(index.config):
        index.config = configs[0]
        if benchmark.ms(index) >= max_ms:
            return None
        index.config = configs[-1]
        if benchmark.recall(index) < target_recall:
            continue
        for config in configs:
            index.config = config
            measurement = measure(index, benchmark)
            if measurement.recall >= target_recall:
                if measurement.ms < max_ms:
                    return measurement
                break
    return None


def _wider_searches(config: IndexConfig) -> list[list[IndexConfig]]:
    """Return configurations of the same type: for each search width, all numbers of candidates."""
    max_width = min(config.nlist or _MAX_SEARCH_WIDTH, _MAX_SEARCH_WIDTH)
    widths = [config.search_width]
    while 2 * widths[-1] <= max_width:
        widths.append(2 * widths[-1])
    numbers = N_CANDIDATES if config.index_type == "ivf-pq" else (0,)
    return [
        [replace(config.with_search_width(width), n_candidates=n) for n in numbers]
        for width in widths
    ]


def exact_ms(source: VectorSource, benchmark: SearchBenchmark) -> float:
    """Return the median time of a search that compares all vectors, in milliseconds.

    At most 500,000 vectors are held in memory. The time grows with their number, so for more it is
    computed from that of these.
    """
    flat = faiss.IndexFlatIP(benchmark.dimension)
    for _, vectors in source.vector_blocks():
        flat.add(np.ascontiguousarray(vectors[: _MAX_TIMED_VECTORS - flat.ntotal]))
        if flat.ntotal == _MAX_TIMED_VECTORS:
            break
    ms = median_ms(lambda query: flat.search(query[np.newaxis], N_NEIGHBORS), benchmark.queries)
    return ms * benchmark.n_vectors / flat.ntotal
