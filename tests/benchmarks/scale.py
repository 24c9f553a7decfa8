"""Measure searches of a large index, exact and after `optimize`, and what `optimize` takes.

Usage: python tests/benchmarks/scale.py SONGS.npy [--tracks N] [--codes N] [--folder DIR]
           [--vectors songs gaussians] [--whiten]

SONGS.npy holds the vectors of real songs, one per row. The tracks are drawn from them with added
noise, a tenth of their standard deviation, so they cluster like real songs. With --vectors
gaussians, they are independent Gaussian vectors, which have no clusters.
With --whiten, the index has whitened vectors too, and `optimize` chooses the type of both.
It prints figures and checks nothing, because machines differ and are noisy. Seconds of a processor
depend less on other work of the machine than seconds that pass.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from tracks import some_track

from audiosearch import Index
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import compact

BLOCK = 100_000
QUERY_ROUNDS = 5
WRITTEN, WRITTEN_TOGETHER = 20_000, 8


def drawn(songs: np.ndarray | None, n_tracks: int) -> Iterator[np.ndarray]:
    """Yield blocks of unit vectors: songs with noise, or Gaussian vectors if there are no songs."""
    rng = np.random.default_rng(0)
    for start in range(0, n_tracks, BLOCK):
        n_rows = min(BLOCK, n_tracks - start)
        vectors = rng.standard_normal((n_rows, 128), dtype=np.float32)
        if songs is not None:
            vectors = songs[rng.integers(0, len(songs), n_rows)] + 0.1 * songs.std(0) * vectors
        yield (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fill(directory: Path, songs: np.ndarray | None, n_tracks: int) -> float:
    """Create an index as `add` does, and return the seconds that building the FAISS index took."""
    with Index(directory, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        catalog = index.storage  # rows are inserted by SQL, 100,000 at a time, which is faster
        first = 1
        for vectors in drawn(songs, n_tracks):
            ids = range(first, first + len(vectors))
            first += len(vectors)
            with catalog.transaction():
                revision = catalog.next_revision()
                catalog.db.conn.executemany(
                    "INSERT INTO tracks (id, path, size, mtime_ns, content_hash, seconds, "
                    "sample_rate_hz, channels, format, title) "
                    "VALUES (?, ?, 1, 1, ?, 200, 44100, 2, 'mp3', ?)",
                    ((i, b"/m/%d.mp3" % i, f"{i:032x}", f"Song {i}") for i in ids),
                )
                catalog.db.conn.executemany(
                    "INSERT INTO vectors (track_id, embedding, revision) VALUES (?, ?, ?)",
                    ((i, v.tobytes(), revision) for i, v in zip(ids, vectors, strict=True)),
                )
        started = time.perf_counter()
        index.sync()
        return time.perf_counter() - started


@dataclass(frozen=True, slots=True)
class Run:
    """Output of a command, the seconds that it took, and its peak memory in bytes."""

    output: str
    seconds: float
    processor_seconds: float
    bytes: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:.2f} s, {self.processor_seconds:.2f} s of a processor, "
            f"{self.bytes / 1e6:.0f} MB at most"
        )


def audiosearch(*arguments: object) -> Run:
    """Run a command and measure it."""
    command = [sys.executable, "-m", "audiosearch", *map(str, arguments)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    seconds = time.perf_counter() - started
    return Run(printed, seconds, usage.ru_utime + usage.ru_stime, 1024.0 * usage.ru_maxrss)


def report(
    title: str,
    directory: Path,
    songs: np.ndarray | None,
    n_tracks: int,
    options: list[str],
    *,
    whiten: bool,
) -> None:
    """Print the time and memory of searches before and after `optimize`."""
    # In another process, because a child starts with the peak memory of its parent.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seconds = pool.submit(fill, directory, songs, n_tracks).result()
    print(f"{n_tracks} {title}: indexed in {seconds:.0f} s", flush=True)
    kinds = {"plain": [], "whitened": ["--whiten"]} if whiten else {"plain": []}
    report_queries("exact", directory, kinds)
    run = audiosearch("optimize", "--index", directory, "--format", "json", *options)
    measurements = json.loads(run.output)
    before, after = measurements["before"], measurements["after"]
    for when, measured in measurements.items():
        print(
            f"  {when}: {measured['kind']}, recall {measured['recall']:.3f}, "
            f"{measured['ms']:.2f} ms a query, {measured['bytes'] / 1e6:.0f} MB"
        )
    print(
        f"  {before['ms'] / after['ms']:.1f} times as many queries per second, "
        f"{after['bytes'] / before['bytes']:.2f} of the memory"
    )
    print(f"  optimize: {run}")
    report_queries("optimized", directory, kinds)
    with Index(directory) as index:
        track = replace(some_track(0), path="/new/song.mp3", content_hash="f" * 32)
        index.add(track, index.vector(index.resolve("#6")))
    print(f"  first query after a new track: {audiosearch('query', '#5', '--index', directory)}")
    on_disk = sum(path.stat().st_size for path in directory.iterdir())
    print(f"  on disk: {on_disk / n_tracks:.0f} bytes per track", flush=True)


def report_queries(title: str, directory: Path, kinds: dict[str, list[str]]) -> None:
    """Print the time and peak memory of whole processes of queries with a track."""
    for kind, options in kinds.items():
        query = ("query", "#5", "--index", directory, *options)
        print(f"  first {kind} query, {title}: {audiosearch(*query)}")
        runs = sorted((audiosearch(*query) for _ in range(QUERY_ROUNDS)), key=lambda r: r.seconds)
        print(f"  {kind} query, {title}, median of {QUERY_ROUNDS}: {runs[QUERY_ROUNDS // 2]}")
    near = audiosearch("query", "#5", "--index", directory, "--min-similarity", 0.95)
    print(f"  query --min-similarity 0.95, {title}: {near}", flush=True)


def report_writer(directory: Path) -> None:
    """Print how many tracks per second one process writes, in batches like those of `add`."""
    vectors = np.concatenate(list(drawn(None, WRITTEN)))
    tracks = [some_track(number) for number in range(WRITTEN)]
    with Index(directory, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        started = time.perf_counter()
        for first in range(0, WRITTEN, WRITTEN_TOGETHER):
            batch = slice(first, first + WRITTEN_TOGETHER)
            index.add_all(zip(tracks[batch], vectors[batch], strict=True))
        seconds = time.perf_counter() - started
    print(f"one writer: {WRITTEN / seconds:.0f} tracks per second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("songs", type=Path)
    parser.add_argument(
        "--tracks",
        type=int,
        default=1_000_000,
        help="tracks of the index without a memory limit; 0: skip it",
    )
    parser.add_argument(
        "--codes",
        type=int,
        default=10_000_000,
        help="tracks of the index with a memory limit; 0: skip it",
    )
    parser.add_argument(
        "--folder", type=Path, help="temporary folder; needs 1 GB per million tracks"
    )
    parser.add_argument(
        "--vectors", nargs="+", choices=["songs", "gaussians"], default=["songs"], help="kinds"
    )
    parser.add_argument("--whiten", action="store_true", help="search whitened vectors too")
    arguments = parser.parse_args()
    songs = np.load(arguments.songs).astype(np.float32)
    songs /= np.linalg.norm(songs, axis=1, keepdims=True)
    print(f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        report_writer(Path(name))
    n_bytes = arguments.codes * 100 * (2 if arguments.whiten else 1)  # a fifth of the vectors
    limit = ["--max-memory", f"{n_bytes}B"]
    sizes = [(arguments.tracks, []), (arguments.codes, limit)]
    for kind, (n_tracks, options) in itertools.product(arguments.vectors, sizes):
        if n_tracks:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
                source = songs if kind == "songs" else None
                report(kind, Path(name), source, n_tracks, options, whiten=arguments.whiten)


if __name__ == "__main__":
    main()
