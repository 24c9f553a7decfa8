"""How fast this machine is at each part of the work, and at all of it together."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

import faiss
import numpy as np
import soundfile

from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.embedding.embedder import BATCH_PATCHES, PatchReader
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES, PATCH_HOP_SECONDS
from audiosearch.models.log_mel import patch_stream
from audiosearch.models.runtime import n_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from audiosearch.models.registry import Model
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32

FORMATS = {"mp3": "MPEG_LAYER_III", "flac": "PCM_16"}
SIZES = (1_000, 10_000, 100_000)

_RATE_HZ, _FILE_SECONDS = 44_100, 60.0
_RUN_SECONDS = 6.0  # about so long each run from files to embeddings takes
_TIMED_SECONDS = 1.0  # so long the network alone is measured
_TITLE = "variant 00000"
_SGEMM_SIZE = 2_048


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured: the median over all rounds."""

    part: str
    what: str
    value: float
    unit: str


class Bench:
    """Measures a model on this machine, on sounds that it makes for the purpose.

    Everything is measured in turn, round after round, so that what else the machine does
    weighs on all of it alike.

    Parameters
    ----------
    model : Model
    n_jobs : int, optional
        How many processes decode; as many as there are cores, unless given.
    """

    def __init__(self, model: Model, *, n_jobs: int | None = None) -> None:
        self._model = model
        self._n_jobs = n_jobs or n_cores()
        self._values: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def rounds(self, n_rounds: int) -> Iterator[int]:
        """Measure so often, and yield each round's number, from 1, when it is done."""
        with tempfile.TemporaryDirectory() as name:
            sounds = {suffix: _Sounds(Path(name), suffix) for suffix in FORMATS}
            network = self._model.load(n_threads=self._n_jobs)
            for number in range(1, n_rounds + 1):
                network_seconds = self._measure_network(network)
                for suffix, files in sounds.items():
                    self._measure_road(suffix, files, network_seconds)
                self._measure_search()
                yield number

    def figures(self) -> list[Figure]:
        """Return the medians of what was measured so far."""
        return [Figure(*key[:2], median(values), key[2]) for key, values in self._values.items()]

    def _note(self, part: str, what: str, value: float, unit: str) -> None:
        self._values[part, what, unit].append(value)

    def _measure_network(self, network: Network) -> float:
        """Return the core-seconds that a patch takes in the network."""
        patches = np.zeros((BATCH_PATCHES, PATCH_FRAMES, N_BANDS), dtype=np.float32)
        wall, cpu = _timed(lambda: network(patches), seconds=_TIMED_SECONDS)
        rate = BATCH_PATCHES / wall
        self._note("network", "rate", rate, "patches/s")
        flops = self._model.spec.flops_per_patch if self._model.spec else None
        if flops is not None:
            square = np.ones((_SGEMM_SIZE, _SGEMM_SIZE), dtype=np.float32)
            sgemm = 2 * _SGEMM_SIZE**3 / _timed(lambda: square @ square, seconds=_TIMED_SECONDS)[0]
            self._note("network", "speed", rate * flops / 1e9, "GFLOP/s")
            self._note("network", "sgemm", sgemm / 1e9, "GFLOP/s")
            self._note("network", "share of sgemm", rate * flops / sgemm, "")
        return cpu / BATCH_PATCHES

    def _measure_road(self, suffix: str, sounds: _Sounds, network_seconds: float) -> None:
        parts = _front_end(sounds.paths(4 * n_cores()))
        for part, seconds in parts.items():
            self._note(suffix, part, 1e3 * seconds, "ms of a core per second of sound")
        ceiling = min(n_cores(), self._n_jobs) / (
            parts["front end"] * PATCH_HOP_SECONDS + network_seconds
        )
        n_files = max(8, round(ceiling * _RUN_SECONDS * PATCH_HOP_SECONDS / _FILE_SECONDS))
        rate = self._end_to_end(sounds.paths(n_files))
        self._note(suffix, "end to end", rate, "patches/s")
        self._note(suffix, "end to end", rate * PATCH_HOP_SECONDS, "times real time")
        self._note(suffix, "ceiling of the parts", ceiling, "patches/s")
        self._note(suffix, "share of the ceiling", rate / ceiling, "")

    def _end_to_end(self, paths: list[str]) -> float:
        """Return how many patches go from files to embeddings in a second, once it runs."""
        pipeline = Pipeline(paths, self._model, n_jobs=self._n_jobs)
        times = [(time.perf_counter(), 0.0)]
        for readings in pipeline:
            for reading in readings:
                if reading.error is not None:
                    raise reading.error
            times.append((time.perf_counter(), pipeline.audio_seconds))
        is_long = len(times) > 2  # enough to leave out how it starts
        (start, heard_before), (end, heard) = times[1 if is_long else 0], times[-1]
        return (heard - heard_before) / PATCH_HOP_SECONDS / (end - start)

    def _measure_search(self) -> None:
        rng = np.random.default_rng(0)
        dimension = self._model.dimension
        vectors = rng.standard_normal((max(SIZES), dimension), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for size in SIZES:
            index = faiss.IndexFlatIP(dimension)
            index.add(vectors[:size])
            search = partial(index.search, vectors[:1], 10)
            wall, _ = _timed(search, seconds=_TIMED_SECONDS / 10)
            self._note("search", f"{size:,} vectors", 1e3 * wall, "ms")


def front_end_seconds(path: str) -> dict[str, float]:
    """Return the seconds of one core that a second of sound takes, in all and part by part.

    To be called in a process like those that decode, with one BLAS thread.
    """
    with contextlib.closing(open_recording(path)) as recording:
        length = recording.info.seconds or 0.0
        decode = _core_seconds(recording.blocks())
    with contextlib.closing(open_recording(path)) as recording:
        started = time.process_time()
        blocks = list(mono_blocks(recording, path))
        mono = time.process_time() - started - decode
    with PatchReader(path) as reader:
        whole = _core_seconds(reader)
    parts = {
        "decode": decode,
        "mono and resample": mono,
        "mel": _core_seconds(patch_stream(blocks)),
    }
    return {part: seconds / length for part, seconds in (parts | {"front end": whole}).items()}


def _core_seconds(stream: Iterable[object]) -> float:
    """Return how long a core is at it to bring out all of a stream."""
    started = time.process_time()
    for _ in stream:
        pass
    return time.process_time() - started


def _front_end(paths: list[str]) -> dict[str, float]:
    """Measure the front end on all cores at once, as when it works: they share their memory."""
    program = (
        "import json, sys; from audiosearch.bench import front_end_seconds as measured; "
        "print(json.dumps([measured(path) for path in sys.argv[1:]]))"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program, *paths[core :: n_cores()]],
            env=os.environ | ENVIRONMENT,
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
        )
        for core in range(n_cores())
    ]
    # Each one's first file is for warming up.
    measured = [parts for run in runs for parts in json.loads(run.communicate()[0])[1:]]
    return {part: mean(parts[part] for parts in measured) for part in measured[0]}


def _timed(work: Callable[[], object], *, seconds: float) -> tuple[float, float]:
    """Return wall and core seconds that work takes, measured about that long, once warm."""
    work()
    n_times, started, cpu_started = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - started) < seconds:
        work()
        n_times += 1
    return elapsed / n_times, (time.process_time() - cpu_started) / n_times


class _Sounds:
    """Files of a minute of stereo that differ in their titles, so that each is a sound of its own.

    Parameters
    ----------
    folder : Path
    suffix : {"mp3", "flac"}
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        path = folder / f"sound.{suffix}"
        rng = np.random.default_rng(0)
        kind = {"format": suffix.upper(), "subtype": FORMATS[suffix]}
        with soundfile.SoundFile(path, "w", _RATE_HZ, 2, **kind) as file:
            file.title = _TITLE
            for _ in range(int(_FILE_SECONDS)):
                file.write(_second(rng))
        self._content = path.read_bytes()
        self._paths: list[str] = []

    def paths(self, n_files: int) -> list[str]:
        """Return the paths of so many files, which are written where need be."""
        for number in range(len(self._paths), n_files):
            path = self._folder / f"{number}.{self._suffix}"
            title = f"{_TITLE[:-5]}{number:05}"
            path.write_bytes(self._content.replace(_TITLE.encode(), title.encode()))
            self._paths.append(str(path))
        if hasattr(os, "sync"):
            os.sync()  # or writing goes on while reading is measured
        return self._paths[:n_files]


def _second(rng: np.random.Generator) -> Float32:
    """Return a chord of some loudness, over noise: shape (n_samples, 2)."""
    times = np.arange(_RATE_HZ) / _RATE_HZ
    tones = np.sum(
        [np.sin(2 * np.pi * hertz * times) / 8 for hertz in rng.uniform(100, 8_000, 6)], axis=0
    )
    noise = 0.02 * rng.standard_normal((_RATE_HZ, 2))
    return np.asarray(rng.uniform(0.3, 1.0) * (tones[:, np.newaxis] + noise), dtype=np.float32)
