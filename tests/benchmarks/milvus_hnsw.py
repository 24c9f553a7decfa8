"""Measure searches on a real Milvus server: exact, and after `optimize`.

Usage: python tests/benchmarks/milvus_hnsw.py SONGS.npy [--tracks N]

SONGS.npy holds the vectors of real songs, one per row. The tracks are drawn from them as in
tests/benchmarks/scale.py. The server is started for the measurement, in a temporary folder.
It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from milvus_server import real_milvus
from scale import drawn
from tracks import some_track

from audiosearch import Index
from audiosearch.library import tuning
from audiosearch.library.track import EmbeddingSpec
from audiosearch.maintenance.optimize import optimize
from audiosearch.models.registry import compact

N_QUERIES, K = 200, 10


def recall(index: Index, vectors: np.ndarray) -> float:
    """Return the share of the nearest tracks of some vectors that searches find, by NumPy."""
    queries = vectors[:: max(1, len(vectors) // N_QUERIES)][:N_QUERIES]
    exact = queries @ vectors.T
    nearest = np.sort(exact, axis=1)[:, -K]
    results = index.vector_index().search_batch(queries, [K] * len(queries), [[]] * len(queries))
    found = [
        np.count_nonzero(products >= least - 1e-5)
        for (_, products), least in zip(results, nearest, strict=True)
    ]
    return float(np.mean(found)) / K


def main() -> None:
    """Fill a collection, optimize it, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("songs", type=Path, metavar="SONGS.npy")
    parser.add_argument("--tracks", type=int, default=100_000)
    arguments = parser.parse_args()
    songs = np.load(arguments.songs)
    # Few tracks are searched exactly in less time: here the index is replaced all the same.
    tuning._FAST_ENOUGH_MS, tuning._MIN_TRACKS = 0.0, 1
    with tempfile.TemporaryDirectory() as folder, real_milvus(Path(folder)) as server:
        location = f"milvus://{server.host}/tracks"
        vectors = np.concatenate([*drawn(songs, arguments.tracks)])
        started = time.perf_counter()
        with Index(location, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
            index.add_all(zip(map(some_track, itertools.count()), vectors, strict=False))
            print(f"{len(vectors):,} tracks added in {time.perf_counter() - started:.0f} s")
            started = time.perf_counter()
            result = optimize(index)
            print(f"optimized in {time.perf_counter() - started:.0f} s")
            for when, measured in result.to_json().items():
                print(when, measured)
            print(f"{result.before.ms / result.after.ms:.1f} times as fast")
            print(index.vector_indexes.details())
            print(f"recall@{K} beside NumPy: {recall(index, vectors):.4f}")


if __name__ == "__main__":
    main()
