"""Print what a large index takes to search: exactly, and once it is optimized.

Usage: python tests/benchmarks/scale.py SONGS.npy [--tracks N] [--codes N] [--folder DIR]

SONGS.npy holds real vectors, a row a song. They are drawn again with noise of a tenth of their
spread, so that they cluster as real ones do; independent Gaussians are measured beside, where
nothing lies near anything. Nothing here asserts: machines differ, and are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

sys.path.append(str(Path(__file__).parents[1]))  # the modules that tests and benchmarks share
from tracks import some_track

from audiosearch import Index
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import compact

BLOCK = 100_000
QUERY_ROUNDS = 5
WRITTEN, WRITTEN_TOGETHER = 20_000, 8


def drawn(songs: np.ndarray | None, n_tracks: int) -> Iterator[np.ndarray]:
    """Yield vectors of unit length like songs', or, without any, like nothing."""
    rng = np.random.default_rng(0)
    for start in range(0, n_tracks, BLOCK):
        n_rows = min(BLOCK, n_tracks - start)
        vectors = rng.standard_normal((n_rows, 128), dtype=np.float32)
        if songs is not None:
            vectors = songs[rng.integers(0, len(songs), n_rows)] + 0.1 * songs.std(0) * vectors
        yield (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fill(directory: Path, songs: np.ndarray | None, n_tracks: int) -> float:
    """Make an index of vectors, as `add` would leave it; returns the seconds that FAISS took."""
    with Index(directory, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        catalog = index._catalog  # rows go in by the hundred thousand
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


def audiosearch(*arguments: object) -> tuple[str, float, float]:
    """Run a command; returns what it prints, its seconds, and its most memory in bytes."""
    command = [sys.executable, "-m", "audiosearch", *map(str, arguments)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    return printed, time.perf_counter() - started, 1024.0 * usage.ru_maxrss


def report(
    title: str, directory: Path, songs: np.ndarray | None, n_tracks: int, *options: str
) -> None:
    """Print what searching takes before and after an index is optimized."""
    # Apart, for a child's most memory is never less than its parent's when it began.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        seconds = apart.submit(fill, directory, songs, n_tracks).result()
    print(f"{n_tracks} {title}: indexed in {seconds:.0f} s", flush=True)
    report_query("  query, whole process", directory)
    found, seconds, most = audiosearch(
        "optimize", "--index", directory, "--format", "json", *options
    )
    before, after = json.loads(found).values()
    for when, measured in (("before", before), ("after", after)):
        print(
            f"  {when}: {measured['kind']}, recall {measured['recall']:.3f}, "
            f"{measured['ms']:.2f} ms, {measured['bytes'] / 1e6:.0f} MB"
        )
    print(
        f"  {before['ms'] / after['ms']:.1f} times the queries a second, "
        f"{after['bytes'] / before['bytes']:.2f} of the memory; optimized in {seconds:.0f} s, "
        f"{most / 1e9:.2f} GB at most"
    )
    report_query("  query, whole process, optimized", directory)
    on_disk = sum(path.stat().st_size for path in directory.iterdir())
    print(f"  on disk: {on_disk / n_tracks:.0f} bytes a track")


def report_query(title: str, directory: Path) -> None:
    """Print what a query of an indexed track takes from its process's start to its end."""
    runs = [audiosearch("query", "#5", "--index", directory) for _ in range(QUERY_ROUNDS)]
    seconds = statistics.median(seconds for _, seconds, _ in runs)
    print(f"{title}: {seconds:.2f} s, {max(most for *_, most in runs) / 1e9:.2f} GB at most")


def report_writer(directory: Path) -> None:
    """Print how many tracks a second one process writes, as many at a time as `add` does."""
    vectors = np.concatenate(list(drawn(None, WRITTEN)))
    tracks = [some_track(number) for number in range(WRITTEN)]
    with Index(directory, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        started = time.perf_counter()
        for first in range(0, WRITTEN, WRITTEN_TOGETHER):
            some = slice(first, first + WRITTEN_TOGETHER)
            index.add_all(zip(tracks[some], vectors[some], strict=True))
        seconds = time.perf_counter() - started
    print(f"one writer: {WRITTEN / seconds:.0f} tracks a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--tracks", type=int, default=1_000_000, help="0 leaves them out")
    parser.add_argument("--codes", type=int, default=10_000_000, help="0 leaves them out")
    parser.add_argument("--folder", type=Path, help="where there is room: 1 GB a million tracks")
    arguments = parser.parse_args()
    songs = np.load(arguments.songs).astype(np.float32)
    songs /= np.linalg.norm(songs, axis=1, keepdims=True)
    print(f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        report_writer(Path(name))
    limit = ["--max-memory", f"{arguments.codes * 100}B"]  # a fifth of the vectors
    for title, source, n_tracks, options in (
        ("songs", songs, arguments.tracks, []),
        ("Gaussians", None, arguments.tracks, []),
        ("songs", songs, arguments.codes, limit),
    ):
        if n_tracks:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
                report(title, Path(name), source, n_tracks, *options)


if __name__ == "__main__":
    main()
