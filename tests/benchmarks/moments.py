"""Measure how often a clip of a recording is found again by `similar_moments`, and how fast.

Usage: python tests/benchmarks/moments.py FOLDER... [--clips N] [--model NAME] [--weights FILE]
[--index DIR] [--seed N]

All audio files of the folders are added to an index with moments, unless the folder --index already
holds one. Then clips of 3 to 8 s are cut from them at random places, which depend on --seed only.
Silent places, below -60 dB, are not used. Each clip is tried in two ways, both as 64 kb/s mp3:

- "noisy": at -6 dB, with white noise at 20 dB;
- "mixed": with the same level of another track of at least a minute.

A hit is right if it begins within 1 s of the place, or at a place that has the same audio: whose
spectrogram matches that of the place by 0.8 or more. It prints figures and checks nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from programs import run_program

from audiosearch import Index, add
from audiosearch.audio.decode import open_recording
from audiosearch.embedding.stretches import Stretch, StretchReader
from audiosearch.errors import AudioError
from audiosearch.library.track import Track
from audiosearch.models.registry import ModelRequest
from audiosearch.search.moments.clips import QueryClips
from audiosearch.search.moments.moment_query import MomentQuery
from audiosearch.search.moments.moment_search import MomentSearch
from audiosearch.search.moments.places import Place
from audiosearch.search.moments.spectrogram_match import best_shift
from audiosearch.search.part_frames import stretch_reader

RATE_HZ = 44_100
MIN_RMS = 1e-3
SAME_MATCH = 0.8
N_COMPARED = 40


@dataclass
class Cut:
    """A clip, and the place that it was cut from."""

    path: str
    track: Track
    start: float
    seconds: float


def decoded(track: Track, start: float, seconds: float) -> np.ndarray:
    """Return samples of a track at 44.1 kHz, shape (n, 2); empty if they are silent."""
    recording = open_recording(track.path)
    try:
        recording.measured_seconds()
        rate = recording.info.sample_rate_hz
        recording.seek(start if recording.is_seekable else 0)
        skipped = 0 if recording.is_seekable else round(start * rate)
        blocks, n_samples = [], 0
        for block in recording.blocks():
            blocks.append(block[:, [0, -1]])
            n_samples += len(block)
            if n_samples >= skipped + seconds * rate:
                break
    finally:
        recording.close()
    samples = np.concatenate(blocks or [np.empty((0, 2), np.float32)])[skipped:]
    samples = soxr.resample(samples[: round(seconds * rate)], rate, RATE_HZ)
    return samples if len(samples) and rms(samples) > MIN_RMS else samples[:0]


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt((samples**2).mean()))


def cuts(tracks: list[Track], kind: str, folder: Path, rng: np.random.Generator) -> Iterator[Cut]:
    """Yield random clips of tracks: the longer a track, the more of them."""
    lengths = np.array([track.seconds for track in tracks])
    shares = lengths / lengths.sum()

    def place(seconds: float) -> tuple[Track, float]:
        track = tracks[rng.choice(len(tracks), p=shares)]
        return track, rng.uniform(0, max(0.0, track.seconds - seconds))

    n_cuts = 0
    while True:
        seconds = rng.uniform(3, 8)
        track, start = place(seconds)
        samples = decoded(track, start, seconds)
        if len(samples) < 3 * RATE_HZ:
            continue
        if kind == "noisy":
            noise = rng.standard_normal(samples.shape) * rms(samples) / 10
            result = 0.5 * (samples + noise)
        else:
            other, at = place(seconds)
            music = decoded(other, at, seconds)
            if other.seconds < 60 or other.id == track.id or len(music) < len(samples):
                continue
            result = 0.5 * (samples + music[: len(samples)] * rms(samples) / rms(music))
        n_cuts += 1
        path = folder / f"{kind}-{n_cuts}.mp3"
        run_program(
            *("ffmpeg", "-v", "error", "-y", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2"),
            *("-i", "-", "-b:a", "64k", str(path)),
            stdin=result.astype(np.float32).tobytes(),
        )
        yield Cut(str(path), track, start, seconds)


def is_right(place: Place, cut: Cut, tracks: dict[int, Track], reader: StretchReader) -> bool:
    """Return whether a place is that of a clip, or has the same audio."""
    if place.track_id == cut.track.id and abs(place.start - cut.start) <= 1:
        return True
    truth, found = reader.read(
        [
            Stretch(cut.track.path, cut.start, cut.seconds),
            Stretch(tracks[place.track_id].path, max(0.0, place.start - 1), cut.seconds + 2),
        ]
    )
    if isinstance(truth, AudioError) or isinstance(found, AudioError):
        return False
    return best_shift(truth, found)[1] >= SAME_MATCH


def measure(index: Index, request: ModelRequest, clips: list[Cut], kind: str) -> None:
    """Print the share of clips that are found by each stage, and the times."""
    reader = stretch_reader(index)
    queries = QueryClips(index, request, hop=index.require_moments())
    tracks = {track.id: track for track in index}
    ranks: dict[str, list[int]] = {"one": [], "two": []}
    seconds: dict[str, list[float]] = {"clip": [], "one": [], "two": []}
    for cut in clips:
        times = [time.perf_counter()]
        queries.clips.clear()
        queries.add_all(cut.path)
        times.append(time.perf_counter())
        search = MomentSearch(index, MomentQuery(queries.clips, (), 10, 3), reader)
        nearest = search.nearest()
        times.append(time.perf_counter())
        compared = search.compared(nearest)
        times.append(time.perf_counter())
        for name, begin, end in zip(seconds, times, times[1:], strict=False):
            seconds[name].append(end - begin)
        for stage, places in (("one", nearest[:N_COMPARED]), ("two", search.merged(compared))):
            right = (n for n, p in enumerate(places) if is_right(p, cut, tracks, reader))
            ranks[stage].append(next(right, sys.maxsize))
        if ranks["two"][-1]:
            at = f"{cut.track.path} {cut.start:.2f}+{cut.seconds:.2f} s"
            print(f"  not first: {at}, rank {[r[-1] for r in ranks.values()]}", flush=True)
    for stage, values in ranks.items():
        first, ten, forty = (np.mean(np.array(values) < n) for n in (1, 10, N_COMPARED))
        print(f"{kind}, stage {stage}: first {first:.1%}, in the first ten {ten:.1%}", end="")
        print(f", in the first {N_COMPARED} {forty:.1%}" if stage == "one" else "")
    medians = ", ".join(f"{name} {np.median(t) * 1e3:.0f} ms" for name, t in seconds.items())
    print(f"{kind}, median time: {medians}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--weights")
    parser.add_argument("--index")
    parser.add_argument("--kinds", nargs="+", default=["noisy", "mixed"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        location = options.index or os.path.join(folder, "index")
        if not Index.exists(location):
            names = {"model": options.model, "weights": options.weights}
            add(location, options.folders, moments=True, **names)
        request = ModelRequest(options.model, options.weights)
        with Index(location) as index:
            hours = sum(track.seconds for track in index) / 3600
            print(f"{options.model}: {index.n_tracks} tracks, {hours:.1f} hours", flush=True)
            tracks = [track for track in index if track.seconds >= 3]
            for kind in options.kinds:
                rng = np.random.default_rng(options.seed)
                made = cuts(tracks, kind, Path(folder), rng)
                clips = [next(made) for _ in range(options.clips)]
                measure(index, request, clips, kind)


if __name__ == "__main__":
    main()
