"""Measure the speed of this machine: each stage on its own, and all of them together."""

from __future__ import annotations

import contextlib
import json
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

from audiosearch import child_process, system
from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.embedding.embedder import BATCH_PATCHES
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES, PATCH_HOP_SECONDS
from audiosearch.models.log_mel import patch_stream
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from audiosearch.models.registry import Model
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32

FORMATS = {"mp3": "MPEG_LAYER_III", "flac": "PCM_16"}  # soundfile's subtypes, by suffix
SIZES = (1_000, 10_000, 100_000)  # numbers of vectors to search

_RATE_HZ, _FILE_SECONDS = 44_100, 60.0
_RUN_SECONDS = 6.0  # approximate length of one run from files to embeddings
_TIMED_SECONDS = 1.0  # time that one measurement of the network takes
_TITLE = "variant 00000"  # tag of the sounds; the digits make their files differ
_SGEMM_SIZE = 2_048  # rows and columns of the multiplied matrices


@dataclass(frozen=True, slots=True)
class Figure:
    """Median of one measurement over all rounds.

    Attributes
    ----------
    part : {"network", "mp3", "flac", "search"}
    what : str
        Quantity that was measured.
    value : float
    unit : str
        Empty for a ratio.
    """

    part: str
    what: str
    value: float
    unit: str


class Bench:
    """Benchmark of a model on this machine, with synthesized sounds.

    Each round measures everything once, so that other load on the machine affects all
    measurements equally.

    Parameters
    ----------
    model : Model
    n_jobs : int, optional
        Number of processes that decode. Default: one per core.
    """

    def __init__(self, model: Model, *, n_jobs: int | None = None) -> None:
        self._model = model
        self._n_jobs = n_jobs or n_cores()
        self._values: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def rounds(self, n_rounds: int) -> Iterator[int]:
        """Run the given number of rounds; yield each round's number, from 1, when it is done."""
        with tempfile.TemporaryDirectory() as name:
            sounds = {suffix: _Sounds(Path(name).absolute(), suffix) for suffix in FORMATS}
            network = self._model.load(n_threads=self._n_jobs)
            for number in range(1, n_rounds + 1):
                network_seconds, dimension = self._measure_network(network)
                for suffix, files in sounds.items():
                    self._measure_pipeline(suffix, files, network_seconds)
                self._measure_search(dimension)
                yield number

    def figures(self) -> list[Figure]:
        """Return the medians of all measurements so far."""
        return [Figure(*key[:2], median(values), key[2]) for key, values in self._values.items()]

    def _record(self, part: str, what: str, value: float, unit: str) -> None:
        self._values[part, what, unit].append(value)

    def _measure_network(self, network: Network) -> tuple[float, int]:
        """Return the network's core-seconds per patch, and the dimension of its embeddings."""
        patches = np.zeros((BATCH_PATCHES, PATCH_FRAMES, N_BANDS), dtype=np.float32)
        wall, cpu = _timed(lambda: network(patches), seconds=_TIMED_SECONDS)
        rate = BATCH_PATCHES / wall
        self._record("network", "rate", rate, "patches/s")
        flops = self._model.spec.flops_per_patch if self._model.spec else None
        if flops is not None:
            square = np.ones((_SGEMM_SIZE, _SGEMM_SIZE), dtype=np.float32)
            sgemm = 2 * _SGEMM_SIZE**3 / _timed(lambda: square @ square, seconds=_TIMED_SECONDS)[0]
            self._record("network", "speed", rate * flops / 1e9, "GFLOP/s")
            self._record("network", "sgemm", sgemm / 1e9, "GFLOP/s")
            self._record("network", "share of sgemm", rate * flops / sgemm, "")
        return cpu / BATCH_PATCHES, network(patches).shape[1]

    def _measure_pipeline(self, suffix: str, sounds: _Sounds, network_seconds: float) -> None:
        stages = _front_end_on_all_cores(sounds.paths(4 * n_cores()))
        for stage, seconds in stages.items():
            self._record(suffix, stage, 1e3 * seconds, "ms of a core per second of sound")
        ceiling = min(n_cores(), self._n_jobs) / (
            stages["front end"] * PATCH_HOP_SECONDS + network_seconds
        )
        n_files = max(8, round(ceiling * _RUN_SECONDS * PATCH_HOP_SECONDS / _FILE_SECONDS))
        rate = self._end_to_end(sounds.paths(n_files))
        self._record(suffix, "end to end", rate, "patches/s")
        self._record(suffix, "end to end", rate * PATCH_HOP_SECONDS, "times real time")
        self._record(suffix, "ceiling of the parts", ceiling, "patches/s")
        self._record(suffix, "share of the ceiling", rate / ceiling, "")

    def _end_to_end(self, paths: list[str]) -> float:
        """Return the patches per second from files to embeddings, leaving out the start-up time."""
        pipeline = Pipeline(paths, self._model, n_jobs=self._n_jobs)
        progress = [(time.perf_counter(), 0.0)]
        for batch in pipeline:
            for result in batch:
                if result.error is not None:
                    raise result.error
            progress.append((time.perf_counter(), pipeline.audio_seconds))
        is_long = len(progress) > 2  # long enough to leave out the first batch
        (start, start_audio), (end, end_audio) = progress[1 if is_long else 0], progress[-1]
        return (end_audio - start_audio) / PATCH_HOP_SECONDS / (end - start)

    def _measure_search(self, dimension: int) -> None:
        rng = np.random.default_rng(0)
        vectors = rng.standard_normal((max(SIZES), dimension), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for size in SIZES:
            index = faiss.IndexFlatIP(dimension)
            index.add(vectors[:size])
            search = partial(index.search, vectors[:1], 10)
            wall, _ = _timed(search, seconds=_TIMED_SECONDS / 10)
            self._record("search", f"{size:,} vectors", 1e3 * wall, "ms")


def front_end_seconds(path: str) -> dict[str, float]:
    """Return the core-seconds per second of audio of the front end and of each of its stages.

    Call it in a process like those that decode, with one BLAS thread.
    """
    with contextlib.closing(open_recording(path)) as recording:
        audio_seconds = recording.info.seconds or 0.0
        decode = _core_seconds(recording.blocks())
    with contextlib.closing(open_recording(path)) as recording:
        started = time.process_time()
        blocks = list(mono_blocks(recording, path))
        mono = time.process_time() - started - decode
    with PatchReader(path) as reader:
        front_end = _core_seconds(reader)
    stages = {
        "decode": decode,
        "mono and resample": mono,
        "mel": _core_seconds(patch_stream(blocks)),
    }
    stages["front end"] = front_end
    return {stage: seconds / audio_seconds for stage, seconds in stages.items()}


def main() -> None:
    """Print `front_end_seconds` of the files that the command line names, as a list in JSON."""
    sys.stdout.write(json.dumps([front_end_seconds(path) for path in sys.argv[1:]]))


def _core_seconds(stream: Iterable[object]) -> float:
    """Return the core-seconds needed to read a stream to its end."""
    started = time.process_time()
    for _ in stream:
        pass
    return time.process_time() - started


def _front_end_on_all_cores(paths: list[str]) -> dict[str, float]:
    """Return the mean of `front_end_seconds` on all cores at once, because cores share memory."""
    processes = [
        child_process.start(
            *(__name__, *paths[core :: n_cores()]),
            variables=ENVIRONMENT,
            stdout=subprocess.PIPE,
        )
        for core in range(n_cores())
    ]
    # The first file of each process only warms it up.
    files = [stages for process in processes for stages in json.loads(process.communicate()[0])[1:]]
    return {stage: mean(stages[stage] for stages in files) for stage in files[0]}


def _timed(function: Callable[[], object], *, seconds: float) -> tuple[float, float]:
    """Return the mean wall-clock and core seconds of a call, repeated for about ``seconds``."""
    function()  # warm up
    n_calls, started, cpu_started = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - started) < seconds:
        function()
        n_calls += 1
    return elapsed / n_calls, (time.process_time() - cpu_started) / n_calls


class _Sounds:
    """Stereo files of one minute. Their titles differ, so that none is a duplicate.

    Parameters
    ----------
    folder : Path
    suffix : {"mp3", "flac"}
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        path = folder / f"sound.{suffix}"
        rng = np.random.default_rng(0)
        encoding = {"format": suffix.upper(), "subtype": FORMATS[suffix]}
        with soundfile.SoundFile(path, "w", _RATE_HZ, 2, **encoding) as file:
            file.title = _TITLE
            for _ in range(int(_FILE_SECONDS)):
                file.write(_second(rng))
        self._content = path.read_bytes()
        self._paths: list[str] = []

    def paths(self, n_files: int) -> list[str]:
        """Return the paths of ``n_files`` files. Write those that don't exist yet."""
        for number in range(len(self._paths), n_files):
            path = self._folder / f"{number}.{self._suffix}"
            title = f"{_TITLE[:-5]}{number:05}"
            path.write_bytes(self._content.replace(_TITLE.encode(), title.encode()))
            self._paths.append(str(path))
        system.sync_disks()  # so that the disk isn't busy writing while reading is measured
        return self._paths[:n_files]


def _second(rng: np.random.Generator) -> Float32:
    """Return one second of a chord plus noise: float32, shape (n_samples, 2), in [-1, 1]."""
    times = np.arange(_RATE_HZ) / _RATE_HZ
    tones = np.sum(
        [np.sin(2 * np.pi * hertz * times) / 8 for hertz in rng.uniform(100, 8_000, 6)], axis=0
    )
    noise = 0.02 * rng.standard_normal((_RATE_HZ, 2))
    return np.asarray(rng.uniform(0.3, 1.0) * (tones[:, np.newaxis] + noise), dtype=np.float32)
