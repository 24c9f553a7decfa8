"""Compare LiteRT and OpenVINO, in f32 and bf16, in turn within one run.

Usage: python tests/benchmarks/runtimes.py [--weights CHECKPOINT] PART [OPTION ...]

Parts:

networks    patches per second of each runtime and precision, in batches of 1 to 64
add         whole commands `add` on mp3, flac and sounds of 1 s: wall and processor time; with
            --other CHECKOUT, also that of another checkout of the project, in turn
ranking     the first ten hits of queries over real files, compared with those of LiteRT
query       `query` with a new clip, from process start to answer, with and without OpenVINO; with
            --other CHECKOUT, also that of another checkout of the project, in turn

Without --weights, a checkpoint with random weights is made first. Speed doesn't depend on their
values; the ranking does. bf16 is left out on processors without it. It prints figures and checks
nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from speed import made_checkpoint
from throughput import short_files

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from sounds import melody, write

from audiosearch.audio.discovery import discover
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.errors import AudioError, UsageError
from audiosearch.models import registry
from audiosearch.models.runtime import Network, n_cores
from audiosearch.models.runtime_choice import LITERT_F32, RuntimeChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32

    Times = dict[str, list[tuple[float, float]]]

BATCH = 32
CHECKOUT = Path(__file__).parents[2]
WITH_THE_EXTRA = "import runpy; runpy.run_module('audiosearch', run_name='__main__')"
EXTRAS = {
    "with the extra": WITH_THE_EXTRA,
    "without the extra": f"import sys; sys.modules['openvino'] = None; {WITH_THE_EXTRA}",
}
CHOICES = (LITERT_F32, RuntimeChoice("openvino", "f32"), RuntimeChoice("openvino", "bf16"))


def usable(model: registry.Model) -> list[registry.Model]:
    """Return the model on each runtime and precision that this processor has."""
    models = []
    for choice in CHOICES:
        try:
            models.append(model.on(choice))
        except UsageError as exc:
            print(f"left out: {choice}: {exc}")
    return models


def loaded(model: registry.Model, n_threads: int) -> dict[str, Network]:
    return {str(one.runtime): one.load(n_threads=n_threads) for one in usable(model)}


def show(times: Times, units: float, unit: str) -> None:
    """Print the median speed of each, by wall and by processor time, and ratios to the first."""
    base = next(iter(times.values()))
    for name, values in times.items():
        ratios = [median(a[i] / b[i] for a, b in zip(base, values, strict=True)) for i in range(2)]
        wall, cpu = (median(value[i] for value in values) for i in range(2))
        print(f"  {name:14} {units / wall:8.1f} {unit} {ratios[0]:6.2f}", end="")
        print(f"   by processor time {units / cpu:8.1f} {ratios[1]:6.2f}")


def networks(model: registry.Model, folder: Path, options: argparse.Namespace) -> None:
    runs = loaded(model, options.threads)
    rng = np.random.default_rng(0)
    for size in options.batches:
        patches = rng.normal(-2, 2, (size, 96, 64)).astype(np.float32)
        times: Times = {name: [] for name in runs}
        for network in runs.values():
            network(patches)
        for _ in range(options.rounds):
            for name, network in runs.items():
                started, cpu_started = time.perf_counter(), time.process_time()
                network(patches)
                seconds = time.perf_counter() - started, time.process_time() - cpu_started
                times[name].append(seconds)
        print(f"\nbatches of {size}, threads: {options.threads}")
        show(times, size, "patches/s")


def inputs(folder: Path, options: argparse.Namespace) -> dict[str, tuple[list[str], float]]:
    """Return the files of each kind and their length in seconds."""
    seconds = options.seconds
    kinds = {
        suffix: [
            str(write(folder / f"{i}.{suffix}", melody(seconds, 44_100, seed=i), 44_100))
            for i in range(options.files)
        ]
        for suffix in ("mp3", "flac")
    }
    n_short = options.short_files
    return {
        **{suffix: (files, seconds * len(files)) for suffix, files in kinds.items()},
        "wav of 1 s": (short_files(folder / "short", n_short, seconds=1.0), float(n_short)),
    }


def adding(model: registry.Model, other: Path | None) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield a name, a checkout and the options for the network, for each way to add.

    These are all runtimes and precisions, and another checkout, if there is one.
    """
    named = ["--model", str(model.path)]
    if other:
        yield "other", other.absolute(), named
    for one in usable(model):
        choice = one.runtime
        options = ["--runtime", choice.runtime, "--precision", choice.precision]
        yield str(choice), CHECKOUT, [*named, *options]


def add(model: registry.Model, folder: Path, options: argparse.Namespace) -> None:
    ways = list(adding(model, options.other))
    for title, (files, seconds) in inputs(folder, options).items():
        times: Times = {name: [] for name, *_ in ways}
        for turn in range(options.rounds + 1):
            for name, checkout, chosen in ways:
                common = ("--no-sounds", "--index", "index", *files)
                used = cold(folder, checkout, WITH_THE_EXTRA, "add", *chosen, *common)
                shutil.rmtree(folder / "index")
                if turn:  # the first one reads files that aren't in memory yet
                    times[name].append(used)
        print(f"\nadd, {title}, {len(files)} files, {seconds:.0f} s")
        show(times, seconds, "times real time")


def used_by(command: list[str], **options: Any) -> tuple[float, float]:
    """Run a command; return its wall time, and the processor time of it and its children."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, **options)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ranking(model: registry.Model, folder: Path, options: argparse.Namespace) -> None:
    runs = loaded(model, options.threads)
    vectors: dict[str, list[Float32]] = {name: [] for name in runs}
    lowest = dict.fromkeys(runs, 1.0)
    lengths = []
    for path in discover(options.folders).paths:
        try:
            with PatchReader(path, excerpt_seconds=options.excerpt) as reader:
                patches = np.concatenate(list(reader))
                lengths.append(reader.seconds)
        except AudioError:
            continue
        values = {name: embedded(network, patches) for name, network in runs.items()}
        reference = next(iter(values.values()))
        for name, rows in values.items():
            vectors[name].append(rows.mean(axis=0))
            lowest[name] = min(lowest[name], cosines(rows, reference).min())
    unit = {name: np.stack(rows) for name, rows in vectors.items()}
    unit = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in unit.items()}
    seconds = np.array(lengths)
    for title, chosen in {"files": seconds > 0, "files of more than 10 s": seconds > 10}.items():
        print(f"\n{chosen.sum()} {title}, {seconds[chosen].sum() / 3600:.1f} hours")
        compare_hits({name: rows[chosen] for name, rows in unit.items()}, options)
    print("\nlowest cosine of a patch", *(f"{name}: {low:.6f}" for name, low in lowest.items()))


def compare_hits(unit: dict[str, Float32], options: argparse.Namespace) -> None:
    """Print the share of the first hits that are those of the first network."""
    reference = next(iter(unit.values()))
    queries = np.random.default_rng(0).permutation(len(reference))[: options.queries]
    n_hits = min(options.hits, len(reference) - 1)
    best = {name: first_hits(rows, queries, n_hits) for name, rows in unit.items()}
    expected = next(iter(best.values()))
    for name, rows in best.items():
        same = np.mean([len(set(a) & set(b)) for a, b in zip(rows, expected, strict=True)])
        print(f"  {name:14} {same / n_hits:.4f} of the first {n_hits} hits", end="")
        print(
            f" of {len(queries)} queries; lowest cosine {cosines(unit[name], reference).min():.6f}"
        )


def embedded(network: Network, patches: Float32) -> Float32:
    batches = np.split(patches, range(BATCH, len(patches), BATCH))
    return np.concatenate([network.embeddings(network(batch)) for batch in batches])


def cosines(rows: Float32, others: Float32) -> Float32:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    result: Float32 = (rows * others).sum(axis=1) / lengths
    return result


def first_hits(vectors: Float32, queries: np.ndarray, n_hits: int) -> np.ndarray:
    """Return the hits of tracks, without themselves: shape (n_queries, n_hits)."""
    similarities = vectors[queries] @ vectors.T
    similarities[np.arange(len(queries)), queries] = -np.inf
    return np.argsort(-similarities, axis=1)[:, :n_hits]


def query(model: registry.Model, folder: Path, options: argparse.Namespace) -> None:
    clip = write(folder / "clip.wav", melody(30.0, 44_100), 44_100)
    track = write(folder / "track.wav", melody(30.0, 44_100, seed=1), 44_100)
    checkouts = {"here": CHECKOUT}
    if options.other:
        checkouts["other"] = options.other.absolute()
    times: Times = {f"{side}, {extra}": [] for extra in EXTRAS for side in checkouts}
    for side, checkout in checkouts.items():
        index = ("--index", side, "--model", model.path, track)
        cold(folder, checkout, EXTRAS["without the extra"], "add", *index)
    for turn in range(options.rounds + 1):
        for extra, code in EXTRAS.items():
            for side, checkout in checkouts.items():
                used = cold(folder, checkout, code, "query", "--index", side, clip)
                if turn:
                    times[f"{side}, {extra}"].append(used)
    print("\nquery with a new clip of 30 s, from process start to answer")
    base = next(iter(times.values()))
    for name, values in times.items():
        wall, cpu = (median(value[i] for value in values) for i in range(2))
        ratio = median(a[0] / b[0] for a, b in zip(values, base, strict=True))
        print(f"  {name:26} {wall:6.3f} s {ratio:6.2f}   processor time {cpu:6.3f} s")


def cold(folder: Path, checkout: Path, code: str, *arguments: object) -> tuple[float, float]:
    """Run a command of a checkout in a new process; return its wall and processor time."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return used_by(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(checkout)})


PARTS = {"networks": networks, "add": add, "ranking": ranking, "query": query}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path)
    parts = parser.add_subparsers(required=True, dest="part", metavar="PART")
    part = {name: parts.add_parser(name) for name in PARTS}
    for name, rounds in {"networks": 10, "add": 3, "query": 9}.items():
        part[name].add_argument("--rounds", type=int, default=rounds)
    for name in ("networks", "ranking"):
        part[name].add_argument("--threads", type=int, default=n_cores())
    for name in ("add", "query"):
        part[name].add_argument("--other", type=Path, metavar="CHECKOUT")
    sizes = [1, 2, 4, 8, 16, 32, 64]
    part["networks"].add_argument("--batches", type=int, nargs="+", default=sizes)
    part["add"].add_argument("--files", type=int, default=8, help="mp3 and flac files")
    part["add"].add_argument("--seconds", type=float, default=60.0, help="length of each of them")
    part["add"].add_argument("--short-files", type=int, default=300, help="sounds of 1 s")
    part["ranking"].add_argument("folders", nargs="+", metavar="FOLDER")
    part["ranking"].add_argument("--queries", type=int, default=200)
    part["ranking"].add_argument("--hits", type=int, default=10)
    part["ranking"].add_argument("--excerpt", type=float, help="seconds of each file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = options.weights or made_checkpoint(folder)
        PARTS[options.part](registry.resolve("vggish", weights=weights), folder, options)


if __name__ == "__main__":
    main()
