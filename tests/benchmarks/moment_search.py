"""Measure searches of moments: recall, time and memory, at a million patches and more.

Usage: python tests/benchmarks/moment_search.py FOLDER [--patches N ...] [--folder DIR]

FOLDER has recordings. They are added with moments, by compact. The patches of the large index are
made from theirs: each track is a stretch of a recording, mixed with a stretch of another one (with
a random share up to a half) and with noise (of up to a quarter of the length of a patch). So
patches that follow each other are alike, and tracks cluster like real ones. The queries are patches
made in the same way that are not in the index.
It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
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

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from tracks import some_track

from audiosearch import Index, defaults
from audiosearch.library.index import EmbeddingSpec
from audiosearch.library.neighbors import nearest
from audiosearch.models.moments import Moments, quantized
from audiosearch.models.registry import compact

PATCHES_PER_TRACK = 250  # four minutes
TRACKS_PER_BATCH = 400
N_QUERIES, N_TIMED, K = 200, 200, 10
K_OF_QUERY = 64  # candidates of a search for moments
MAX_SHARE, MAX_NOISE = 0.5, 0.25


def patches_of(music: Path) -> list[np.ndarray]:
    """Return the embeddings of the patches of each recording in a folder."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "audiosearch", "add", "--moments", "--model", "compact"]
        subprocess.run([*command, "--no-sounds", "--index", name, music], check=False)
        with Index(name) as index:
            ids = [track.id for track in index]
            return [moments.vectors() for _, moments in index.moments.of(ids) if len(moments) > 1]


def made_track(recordings: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return the embeddings of the patches of a made-up track: float32, (n_patches, dimension)."""
    stretches = []
    for _ in range(2):
        recording = recordings[rng.integers(len(recordings))]
        start = rng.integers(len(recording))
        stretches.append(recording[(start + np.arange(PATCHES_PER_TRACK)) % len(recording)])
    share = MAX_SHARE * rng.random()
    noise = rng.standard_normal(stretches[0].shape, dtype=np.float32)
    noise *= MAX_NOISE * rng.random() / np.sqrt(noise.shape[1])
    vectors = (1 - share) * stretches[0] + share * stretches[1] + noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def fill(directory: Path, recordings: list[np.ndarray], n_patches: int) -> tuple[float, float]:
    """Create an index. Return the seconds of the FAISS index, and the peak memory in bytes."""
    rng = np.random.default_rng(0)
    spec = EmbeddingSpec("compact", compact().weights_digest)
    with Index(directory, spec=spec, moment_hop=defaults.MOMENT_HOP) as index:
        for first in range(0, n_patches // PATCHES_PER_TRACK, TRACKS_PER_BATCH):
            made = [made_track(recordings, rng) for _ in range(TRACKS_PER_BATCH)]
            rows = [(some_track(first + n), track[0]) for n, track in enumerate(made)]
            index.add_all(rows, moments=[Moments(quantized(track)) for track in made])
        started = time.perf_counter()
        index.moments.sync()
        seconds = time.perf_counter() - started
    import resource

    return seconds, 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def queries(recordings: list[np.ndarray]) -> np.ndarray:
    """Return five patches that follow each other, for each query: (n, 5, dimension)."""
    rng = np.random.default_rng(1)
    return np.stack([made_track(recordings, rng)[:5] for _ in range(N_QUERIES)])


def measure(directory: Path, asked: np.ndarray) -> Iterator[str]:
    """Yield lines with the recall, the times and the memory of searches."""
    with Index(directory) as index:
        before = memory()
        started = time.perf_counter()
        index.moments.search(asked[0][:1], K)
        yield f"first search, with opening the file: {time.perf_counter() - started:.2f} s"
        for n_vectors in (1, 5):
            times = []
            for query in asked[:N_TIMED]:
                started = time.perf_counter()
                index.moments.search(query[:n_vectors], K_OF_QUERY)
                times.append(1e3 * (time.perf_counter() - started))
            yield (
                f"query of {n_vectors} patches: median {np.median(times):.1f} ms, "
                f"95th percentile {np.percentile(times, 95):.1f} ms"
            )
        own, mapped = (now - then for now, then in zip(memory(), before, strict=True))
        yield (
            f"memory that searches take: {own / 1e6:.0f} MB, and {mapped / 1e6:.0f} MB of mapped "
            "files, which processes share"
        )
        singles = np.ascontiguousarray(asked[:, 0])
        exact = nearest(singles, index.moments.patches.vector_blocks(), K)
        found = index.moments.search(singles, K)
        yield f"recall@{K} of exact: {recall(index, singles, exact, found):.4f}"
        yield f"FAISS index: {index.moments._index.config}"
        _, n_patches, n_bytes = index.moments.totals()
        hours = n_patches * defaults.MOMENT_HOP / 3600
        yield (
            f"{n_patches:,} patches, {hours / 24:.1f} days; in one hour of sound: "
            f"{n_bytes / hours / 1e3:.0f} kB of moments, "
            f"{index.storage.file_bytes() / hours / 1e3:.0f} kB of database, "
            f"{index.moments.file_bytes() / hours / 1e3:.0f} kB of FAISS file"
        )


def memory() -> tuple[int, int]:
    """Return the memory of this process of its own and of mapped files, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":") for line in lines)
    own, mapped = (int(fields[name].split()[0]) for name in ("RssAnon", "RssFile"))
    return 1024 * own, 1024 * mapped


def recall(index: Index, asked: np.ndarray, exact: list, found: list) -> float:
    """Return the share of the nearest patches that were found; equal products count as equal."""
    shares = []
    for query, (_, products), neighbors in zip(asked, exact, found, strict=True):
        moments = dict(index.moments.of(sorted(set(neighbors.track_ids.tolist()))))
        pairs = zip(neighbors.track_ids.tolist(), neighbors.patches.tolist(), strict=True)
        mine = [moments[i].vectors(slice(n, n + 1))[0] @ query for i, n in pairs]
        shares.append(np.mean(np.array(mine) >= products[-1] - 1e-5))
    return float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, metavar="FOLDER")
    parser.add_argument("--patches", type=int, nargs="+", default=[1_000_000])
    parser.add_argument(
        "--folder", type=Path, help="temporary folder; needs 0.4 GB per million patches"
    )
    arguments = parser.parse_args()
    print(f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB", flush=True)
    recordings = patches_of(arguments.music)
    n_real = sum(map(len, recordings))
    print(f"made from {len(recordings)} recordings with {n_real:,} patches", flush=True)
    for n_patches in arguments.patches:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            # In other processes, because a process keeps its peak memory.
            for function, argument in ((fill, n_patches), (measure_all, None)):
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    future = pool.submit(function, Path(name), recordings, argument)
                    report(future.result())


def measure_all(directory: Path, recordings: list[np.ndarray], _: None) -> list[str]:
    """Return the lines of `measure`."""
    return list(measure(directory, queries(recordings)))


def report(result: tuple[float, float] | list[str]) -> None:
    """Print the result of `fill` or of `measure_all`."""
    if isinstance(result, tuple):
        seconds, most = result
        print(f"FAISS index built in {seconds:.0f} s, {most / 1e9:.2f} GB at most", flush=True)
    else:
        print("\n".join(f"  {line}" for line in result), flush=True)


if __name__ == "__main__":
    main()
