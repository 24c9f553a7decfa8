"""Measure whole commands, such as `query` and `embed --excerpt`, and print their ratios.

Usage: python tests/benchmarks/speed.py [--weights CHECKPOINT] [--rounds N]

Without --weights, a checkpoint with random weights is made first. Speed doesn't depend on their
values. It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from sounds import encode, melody, write

from audiosearch import Index
from audiosearch.library.index import EmbeddingSpec, Track
from audiosearch.models import registry
from audiosearch.models.tagger import Tagger
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.types import Float32

MAKE_CHECKPOINT = Path(__file__).parents[1] / "golden" / "make_checkpoint.py"
AUDIOSEARCH = (sys.executable, "-m", "audiosearch")

# The plain way: each run builds the graph, starts a session and restores the checkpoint.
PLAIN = """
import sys, numpy as np, soundfile, soxr, tensorflow as tf
from audiosearch.models.vggish import slim_network
from audiosearch.models.log_mel import log_mel_patches
samples, rate = soundfile.read(sys.argv[2], dtype="float32", always_2d=True)
waveform = soxr.resample(samples.mean(axis=1), rate, 16_000)
v1 = tf.compat.v1
with tf.Graph().as_default(), v1.Session() as session:
    patches = v1.placeholder(tf.float32, (None, 96, 64))
    embeddings = slim_network(patches)
    v1.train.Saver().restore(session, sys.argv[1])
    vector = session.run(embeddings, {patches: log_mel_patches(waveform)}).mean(axis=0)
print(vector / np.linalg.norm(vector))
"""
BARE = "import numpy, faiss, sqlite_utils, rich, typer"


def wall_seconds(*command: object) -> float:
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return time.perf_counter() - started


def report(title: str, rounds: int, **commands: tuple[object, ...]) -> dict[str, float]:
    """Time commands in turn, and print their median times and the ratios to the last command."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(wall_seconds(*command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = list(medians.values())[-1]
    print(f"\n{title}")
    for name, median in medians.items():
        print(f"  {name:24} {median:7.3f} s   {median / base:6.2f}")
    return medians


def made_checkpoint(folder: Path) -> Path:
    path = folder / "vggish_model.ckpt"
    subprocess.run([sys.executable, MAKE_CHECKPOINT, path], check=True)
    return path


def fill(directory: Path, model: registry.Model, n_tracks: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((n_tracks, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Index(directory, spec=EmbeddingSpec(model.name, model.weights_digest)) as index:
        for number, vector in enumerate(vectors):
            track = Track(f"/music/{number}.mp3", 1, 1, "0" * 32, 30.0, 44_100, 2, "mp3")
            index.add(track, vector)
        index.sync()


def long_file(path: Path, minutes: int) -> Path:
    """Write stereo music of a number of minutes, at 44.1 kHz."""
    minute = np.stack([melody(60.0, 44_100), melody(60.0, 44_100, seed=1)], axis=1)
    import soundfile

    with soundfile.SoundFile(path, "w", 44_100, 2) as file:
        for _ in range(minutes):
            for start in range(0, len(minute), 65_536):
                file.write(minute[start : start + 65_536])
    return path


def report_networks(rounds: int, n_threads: int, **models: registry.Model) -> None:
    """Run batches of 32 patches through the networks in turn, and print their speeds."""
    patches = np.random.default_rng(0).normal(-2, 2, (32, 96, 64)).astype(np.float32)
    networks: dict[str, Callable[[Float32], Float32]] = {
        "sounds": Tagger(n_threads=n_threads),
        **{name: model.load(n_threads=n_threads) for name, model in models.items()},
    }
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(20 * rounds):
        for name, network in networks.items():
            started = time.perf_counter()
            network(patches)
            times[name].append(time.perf_counter() - started)
    rates = {name: len(patches) / statistics.median(values) for name, values in times.items()}
    base = list(rates.values())[-1]
    print(f"\npatches per second, threads: {n_threads}")
    for name, rate in rates.items():
        print(f"  {name:24} {rate:7.0f}     {rate / base:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = arguments.weights or made_checkpoint(folder)
        model = registry.resolve("vggish", weights=weights)
        for n_threads in (1, n_cores()):
            report_networks(arguments.rounds, n_threads, compact=registry.compact(), vggish=model)
        index = folder / "index"
        fill(index, model, 1_000)
        clip = write(folder / "clip.wav", melody(30.0, 44_100), 44_100)
        query = (*AUDIOSEARCH, "query", "--index", index)
        os.environ.pop("AUDIOSEARCH_WEIGHTS", None)
        report(
            "a new clip of 30 s, from process start to answer (1,000 tracks, VGGish)",
            arguments.rounds,
            tf_slim_session=(sys.executable, "-c", PLAIN, weights, clip),
            query=(*query, clip),
        )
        report(
            "a track of the index, from process start to answer (1,000 tracks)",
            arguments.rounds * 2,
            query=(*query, "#500"),
            bare_imports=(sys.executable, "-c", BARE),
        )
        report("help", arguments.rounds, help=(*AUDIOSEARCH, "--help"))
        embed = (*AUDIOSEARCH, "embed", "--model", "compact", "--excerpt", 30)
        for suffix in ("wav", "flac", "ogg", "mp3"):
            report(
                f"an excerpt of 30 s, {suffix}",
                arguments.rounds,
                of_3_hours=(*embed, long_file(folder / f"long.{suffix}", 180)),
                of_30_s=(*embed, write(folder / f"short.{suffix}", melody(30.0, 44_100), 44_100)),
            )
            (folder / f"long.{suffix}").unlink()
        samples = melody(60.0, 44_100)
        long = encode(
            folder / "l.m4a", np.tile(samples, 180), 44_100, container="ipod", codec="aac"
        )
        short = encode(
            folder / "s.m4a", samples[: 30 * 44_100], 44_100, container="ipod", codec="aac"
        )
        report(
            "an excerpt of 30 s, m4a",
            arguments.rounds,
            of_3_hours=(*embed, long),
            of_30_s=(*embed, short),
        )


if __name__ == "__main__":
    main()
