"""Measure the cost of the front end, from a file to log-mel patches, by its stages.

Usage: python tests/benchmarks/front_end.py [--other CHECKOUT] [--turns N] [FILE ...]

It prints milliseconds of a core for a second of audio, as medians of turns, in a process like those
that decode: mp3, flac, ogg and wav of a minute, 44.1 kHz stereo, one-second samples, and the files
that are named. The stages are measured on their own:

decode      a decoder's blocks
downmix     to mono; with the peaks that players draw
waveform    these peaks alone
resample    to 16 kHz
log-mel     patches
hash        of the content and of the audio packets
print       the spectral print
front end   from the file to patches: decode to log-mel
all         front end, hash, print and tags: everything that `add` does for a file but the network

--other names another checkout of the project, such as one of an earlier version. Both are measured
in turn. The ratio is that of its time to this one's; then the patches are compared, and if they
differ, the pooled embeddings of compact.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import soxr

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from sounds import melody, noise, write

from audiosearch.audio.decode import open_recording
from audiosearch.audio.downmix import Downmix
from audiosearch.audio.file_stat import read_file_stat
from audiosearch.audio.opened_file import open_regular
from audiosearch.audio.packets import audio_hash
from audiosearch.audio.tags import read_tags
from audiosearch.audio.waveform import Peaks, to_bytes
from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.models import registry
from audiosearch.models.front_end import SAMPLE_RATE_HZ
from audiosearch.models.log_mel import patch_stream
from audiosearch.models.spectral_print import PrintBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECONDS, RATE_HZ, N_SAMPLES = 60, 44_100, 60
EMPTY = np.empty(0, dtype=np.float32)


def cpu_seconds(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def use_up(items: Iterable[object]) -> None:
    for _ in items:
        pass


class Stages:
    """The stages of the front end for one file, each on its own."""

    def __init__(self, path: str) -> None:
        self.path = path
        with contextlib.closing(open_recording(path)) as recording:
            self.rate = recording.info.sample_rate_hz
            self.blocks = list(recording.blocks())
        self.seconds = sum(map(len, self.blocks)) / self.rate
        mixer = Downmix(path)
        self.mono = [mixer.mono(block) for block in self.blocks]
        self.resampled = list(self.resample())
        with PatchReader(path) as reader:
            self.groups = [np.ascontiguousarray(group) for group in reader]

    def decode(self) -> None:
        with contextlib.closing(open_recording(self.path)) as recording:
            use_up(recording.blocks())

    def downmix(self) -> None:
        use_up(map(Downmix(self.path).mono, self.blocks))

    def waveform(self) -> None:
        peaks = Peaks()
        use_up(map(peaks.add, self.mono))
        to_bytes(peaks.values())

    def resample(self) -> Iterable[np.ndarray]:
        if self.rate == SAMPLE_RATE_HZ:
            return self.mono
        stream = soxr.ResampleStream(self.rate, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        return [*map(stream.resample_chunk, self.mono), stream.resample_chunk(EMPTY, last=True)]

    def log_mel(self) -> None:
        use_up(patch_stream(self.resampled))

    def hash(self) -> None:
        with open_regular(self.path) as file:
            read_file_stat(file)
            audio_hash(file.name)

    def print(self) -> None:
        builder = PrintBuilder()
        use_up(map(builder.add, self.groups))
        builder.finish(self.seconds)

    def front_end(self) -> None:
        with PatchReader(self.path) as reader:
            use_up(reader)

    def all(self) -> None:
        self.hash()
        self.front_end()
        self.print()
        read_tags(self.path)


STAGES = {
    "decode": Stages.decode,
    "downmix": Stages.downmix,
    "waveform": Stages.waveform,
    "resample": Stages.resample,
    "log-mel": Stages.log_mel,
    "hash": Stages.hash,
    "print": Stages.print,
    "front end": Stages.front_end,
    "all": Stages.all,
}


def measured(paths: list[str]) -> dict[str, float]:
    """Return the core-milliseconds of each stage for a second of the files."""
    total, seconds = defaultdict(float), 0.0
    for path in paths:
        stages = Stages(path)
        seconds += stages.seconds
        for name, stage in STAGES.items():
            total[name] += 1e3 * cpu_seconds(partial(stage, stages))
    return {name: value / seconds for name, value in total.items()}


def patches_of(paths: list[str]) -> np.ndarray:
    groups = []
    for path in paths:
        with PatchReader(path) as reader:
            groups += [np.array(group) for group in reader]
    return np.concatenate(groups)


def serve() -> None:
    """Answer requests, one a line: the files to measure, and where to save their patches."""
    for line in sys.stdin:
        paths, saved = json.loads(line)
        if saved:
            np.save(saved, patches_of(paths))
        print(json.dumps(measured(paths)), flush=True)


class Checkout:
    """A process that measures the project in a folder."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(folder.absolute())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, paths: list[str], *, saved: str = "") -> dict[str, float]:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([paths, saved]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def sounds(folder: Path) -> dict[str, list[str]]:
    """Write the files of each case."""
    left = melody(SECONDS, RATE_HZ)
    right = 0.8 * left + 0.2 * noise(SECONDS, RATE_HZ, seed=1)[: len(left)]
    stereo = np.stack([left, right], axis=1)
    cases = {
        suffix: [str(write(folder / f"minute.{suffix}", stereo, RATE_HZ))]
        for suffix in ("mp3", "flac", "ogg", "wav")
    }
    cases["samples of 1 s"] = [
        str(write(folder / f"{i}.wav", stereo[i * RATE_HZ :][:RATE_HZ], RATE_HZ))
        for i in range(N_SAMPLES)
    ]
    return cases


def pooled_cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    network = registry.resolve("compact").load()
    first, second = (network(patches).mean(axis=0) for patches in (ours, theirs))
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def compare(folder: Path, other: Path | None, files: list[Path], n_turns: int) -> None:
    checkouts = {"here": Checkout(Path(__file__).parents[2])}
    if other:
        checkouts["other"] = Checkout(other)
    for name, paths in {**sounds(folder), **{str(file): [str(file)] for file in files}}.items():
        saved = {side: str(folder / f"{side}.npy") for side in checkouts}
        for side, checkout in checkouts.items():
            checkout.measure(paths, saved=saved[side])  # warms it up
        turns = [
            {side: checkout.measure(paths) for side, checkout in checkouts.items()}
            for _ in range(n_turns)
        ]
        print(f"\n{name}: ms of a core for a second of audio")
        for stage in STAGES:
            here = [turn["here"][stage] for turn in turns]
            print(f"  {stage:10} {median(here):8.3f}", end="")
            if other:
                theirs = [turn["other"][stage] for turn in turns]
                ratio = median(b / a for a, b in zip(here, theirs, strict=True) if a)
                print(f"   other {median(theirs):8.3f}   {ratio:5.2f} times", end="")
            print()
        if other:
            ours, theirs = np.load(saved["here"]), np.load(saved["other"])
            is_same = np.array_equal(ours, theirs)
            print("  patches   ", "identical" if is_same else "differ", end="")
            print("" if is_same else f": pooled cosine {pooled_cosine(ours, theirs):.9f}")
    for checkout in checkouts.values():
        checkout.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--other", type=Path, metavar="CHECKOUT")
    parser.add_argument("--turns", type=int, default=9, metavar="N")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), arguments.other, arguments.files, arguments.turns)


if __name__ == "__main__":
    main()
