"""Measure the speed and the memory of `add`, and print ratios within one run.

Usage: python tests/benchmarks/throughput.py [--weights CHECKPOINT] [PART ...]

Parts (default: all):

ceiling     `add` compared with the limit that its parts set; mp3 and flac, VGGish and compact
sounds      clips of 30 s with and without the sounds that are heard, VGGish and compact
moments     seconds of processor time of `add` with and without moments, VGGish and compact
plain       clips of 30 s, compared with a new graph and session for each file
short       sounds of 1 s compared with one long mix, per patch
memory      a file of 12 hours and 20,000 short files, compared with one file of 30 s

Without --weights, a checkpoint with random weights is made first. Speed doesn't depend on their
values. It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
import soundfile
from speed import AUDIOSEARCH, made_checkpoint

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from sounds import melody, noise, write

from audiosearch.embedding.pipeline import Pipeline
from audiosearch.models import registry

# The plain way: one process builds a graph, starts a session and restores the checkpoint per file.
PLAIN = """
import json, sys, time
from audiosearch.models.vggish import slim_network
from audiosearch.models.log_mel import log_mel_patches
import numpy as np, soundfile, soxr, tensorflow as tf
v1, times = tf.compat.v1, []
for path in sys.argv[2:]:
    started = time.perf_counter()
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    waveform = soxr.resample(samples.mean(axis=1), rate, 16_000)
    with tf.Graph().as_default(), v1.Session() as session:
        patches = v1.placeholder(tf.float32, (None, 96, 64))
        embeddings = slim_network(patches)
        v1.train.Saver().restore(session, sys.argv[1])
        session.run(embeddings, {patches: log_mel_patches(waveform)})
    times.append(time.perf_counter() - started)
print(json.dumps(times[1:]))
"""


def ceiling(folder: Path, weights: Path) -> None:
    for name, options in {"vggish": ["--weights", weights], "compact": []}.items():
        command = [*AUDIOSEARCH, "bench", "--model", name, *options, "--rounds", 5]
        run = subprocess.run(
            [*map(str, command), "--format", "json"], check=True, capture_output=True
        )
        print(f"\nend to end, and the limit of its parts, {name} (`audiosearch bench --rounds 5`)")
        for figure in json.loads(run.stdout)["figures"]:
            if figure["part"] not in ("search", "network") or "sgemm" in figure["what"]:
                print(f"  {figure['part']:8} {figure['what']:22}", end="")
                print(f"{figure['value']:9.3f} {figure['unit']}")


def clips(folder: Path, n_clips: int) -> list[str]:
    return [
        str(write(folder / f"clip{i}.mp3", melody(30.0, 44_100, seed=i), 44_100))
        for i in range(n_clips)
    ]


def seconds_a_file(
    paths: list[str], model: registry.Model, *, has_sounds: bool = False
) -> tuple[float, float]:
    """Return the seconds per file and per patch, counted from the first finished file."""
    pipeline = Pipeline(paths, model, has_sounds=has_sounds)
    points = []
    n_files = 0
    for readings in pipeline:
        n_files += len(readings)
        assert all(reading.embedding for reading in readings)
        points.append((time.perf_counter(), n_files, pipeline.audio_seconds / 0.96))
    (start, before, patches_before), (end, after, patches) = points[0], points[-1]
    return (end - start) / (after - before), (end - start) / (patches - patches_before)


def sounds(folder: Path, weights: Path) -> None:
    paths = clips(folder, 40)
    for name, options in {"vggish": {"weights": weights}, "compact": {}}.items():
        model = registry.resolve(name, **options)
        without, with_sounds = [], []
        for _ in range(5):
            without.append(seconds_a_file(paths, model)[1])
            with_sounds.append(seconds_a_file(paths, model, has_sounds=True)[1])
        ratio = median(a / b for a, b in zip(without, with_sounds, strict=True))
        print(f"\nclips of 30 s (mp3, 44.1 kHz), {name}")
        print(f"  without sounds {1 / median(without):8.1f} patches/s")
        print(f"  with sounds    {1 / median(with_sounds):8.1f} patches/s   {ratio:.2f} times")


def moments(folder: Path, weights: Path) -> None:
    cases = {
        "clips of 30 s (mp3, 44.1 kHz)": {"vggish": clips(folder, 8), "compact": clips(folder, 80)},
        "sounds of 1 s (wav)": {
            "vggish": short_files(folder / "few", 200, seconds=1.0),
            "compact": short_files(folder / "many", 3_000, seconds=1.0),
        },
    }
    options = {"vggish": ["--weights", weights], "compact": []}
    kinds = {"without": [], "0.96 s": ["--moments"], "0.48 s": ["--moments", "--moment-hop", 0.48]}
    for title, paths in cases.items():
        for name, flags in options.items():
            times: dict[str, list[float]] = {kind: [] for kind in kinds}
            new = [*AUDIOSEARCH, "add", "--model", name, *flags]
            warm = folder / f"{name} {title}"
            cpu_seconds(*new, "--index", warm, paths[name][0])  # converts VGGish
            for turn in range(5):
                for kind, moment_flags in kinds.items():
                    index = folder / f"{name} {len(paths[name])} {turn} {kind}"
                    command = (*new, *moment_flags, "--index", index, *paths[name])
                    times[kind].append(cpu_seconds(*command))
            print(f"\n{title}, {len(paths[name])} files, {name}: seconds of processor time")
            for kind, values in times.items():
                ratio = median(a / b for a, b in zip(times["without"], values, strict=True))
                print(f"  moments {kind:8} {median(values):8.2f} s   speed {ratio:.3f} times")


def cpu_seconds(*command: object) -> float:
    """Run a command, and return the processor time that it and its children take."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return used() - before


def plain(folder: Path, weights: Path) -> None:
    model = registry.resolve("vggish", weights=weights)
    paths = clips(folder, 40)
    ours, theirs = [], []
    for _ in range(3):
        ours.append(seconds_a_file(paths, model)[0])
        command = [sys.executable, "-c", PLAIN, weights, *paths[:5]]
        run = subprocess.run([*map(str, command)], check=True, capture_output=True)
        theirs += json.loads(run.stdout)
    print("\nclips of 30 s (mp3, 44.1 kHz), VGGish, both without the start of the process")
    print(f"  the plain way {1 / median(theirs):8.3f} files/s")
    print(f"  add           {1 / median(ours):8.3f} files/s", end="")
    print(f"   {median(theirs) / median(ours):.2f} times")


def short(folder: Path, weights: Path) -> None:
    long = long_file(folder / "mix.flac", hours=0.5)
    for name, options in {"vggish": {"weights": weights}, "compact": {}}.items():
        n_short = 10_000 if name == "compact" else 1_000
        paths = short_files(folder / f"short {name}", n_short, seconds=1.0)
        model = registry.resolve(name, **options)
        short_times, long_times = [], []
        for _ in range(3):
            short_times.append(seconds_a_file(paths, model)[1])
            started = time.perf_counter()
            pipeline = Pipeline([str(long)], model)
            assert all(reading.embedding for readings in pipeline for reading in readings)
            wall = time.perf_counter() - started
            long_times.append(wall / (pipeline.audio_seconds / 0.96))
        print(f"\n{n_short:,} sounds of 1 s (wav), and one mix of 30 min (flac), {name}")
        print(f"  short {1 / median(short_times):9.1f} patches/s")
        print(f"  long  {1 / median(long_times):9.1f} patches/s", end="")
        print(f"   {median(long_times) / median(short_times):.2f} times")


def short_files(folder: Path, n_files: int, *, seconds: float) -> list[str]:
    folder.mkdir()
    sound = noise(seconds + n_files / 16_000)
    return [
        str(write(folder / f"{i}.wav", sound[i : i + int(seconds * 16_000)]))
        for i in range(n_files)
    ]


def long_file(path: Path, *, hours: float) -> Path:
    minute = melody(60.0, 22_050)
    with soundfile.SoundFile(path, "w", 22_050, 1) as file:
        for _ in range(int(60 * hours)):
            for start in range(0, len(minute), 65_536):
                file.write(minute[start : start + 65_536])
    return path


def memory(folder: Path, weights: Path) -> None:
    cases = {
        "one file of 30 s": write(folder / "short.flac", melody(30.0, 22_050), 22_050),
        "one file of 12 hours": long_file(folder / "long.flac", hours=12),
        "20,000 files of 0.5 s": folder / "many",
    }
    short_files(folder / "many", 20_000, seconds=0.5)
    print("\npeak resident memory of all processes of `add`, compact")
    base = 0.0
    for number, (title, path) in enumerate(cases.items()):
        index = folder / f"index {number}"
        command = [*AUDIOSEARCH, "add", "--model", "compact", "--index", index, path]
        peak, wall = peak_bytes([str(part) for part in command])
        base = base or peak
        print(f"  {title:22} {peak / 2**20:7.1f} MB, {(peak - base) / 2**20:+7.1f}; {wall:.1f} s")


def peak_bytes(command: list[str]) -> tuple[float, float]:
    """Run a command. Return the peak memory of it and its children in bytes, and its seconds."""
    peak, started = 0, time.perf_counter()
    program = psutil.Popen(command, stderr=subprocess.DEVNULL)
    while program.poll() is None:
        total = 0
        for process in [program, *program.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # it has just ended
                continue
        peak = max(peak, total)
        time.sleep(0.02)
    assert program.returncode == 0
    return peak, time.perf_counter() - started


PARTS = {
    "ceiling": ceiling,
    "sounds": sounds,
    "moments": moments,
    "plain": plain,
    "short": short,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    arguments = parser.parse_args()
    for part in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            PARTS[part](folder, arguments.weights or made_checkpoint(folder))


if __name__ == "__main__":
    main()
