"""Measure how many lossy copies `duplicates` finds, and how many wrong ones.

Usage: python tests/benchmarks/copies.py FOLDER... [--songs N] [--others N] [--work FOLDER]

Each song is encoded as mp3 128 and 64 kb/s, m4a 128, ogg q4, opus 96 and wma 128 by ffmpeg. Songs
are the first N files in the folders that are 40 s or longer; all other files there must not be
grouped. Synthesized noises, tones and loops are added until there are --others such sounds.
Files and index stay in the folder --work, so that a second run encodes and adds nothing.
It prints figures and checks nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from programs import run_program
from sounds import melody, noise, tone, write

from audiosearch import Index, add
from audiosearch.audio.decode import open_recording
from audiosearch.audio.discovery import discover
from audiosearch.demo import KINDS, RATE_HZ
from audiosearch.errors import AudioError
from audiosearch.search.copy_groups import Copy
from audiosearch.search.duplicates import DuplicateSearch
from audiosearch.search.print_match import Relation

ENCODINGS = {
    "128.mp3": ("libmp3lame", "-b:a", "128k"),
    "64.mp3": ("libmp3lame", "-b:a", "64k"),
    "m4a": ("aac", "-b:a", "128k"),
    "q4.ogg": ("libvorbis", "-q:a", "4"),
    "opus": ("libopus", "-b:a", "96k"),
    "wma": ("wmav2", "-b:a", "128k"),
}
MIN_SONG_SECONDS = 40.0


def seconds_of(path: str) -> float:
    try:
        recording = open_recording(path)
        try:
            return recording.measured_seconds()
        finally:
            recording.close()
    except AudioError:
        return 0.0


def encode(song: Path, folder: Path) -> None:
    """Put a song and its encodings into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"original{song.suffix}").exists():
        shutil.copy(song, folder / f"original{song.suffix}")
    for suffix, (codec, *options) in ENCODINGS.items():
        path = folder / f"copy.{suffix}"
        if path.exists():
            continue
        part = path.with_name(f"part.{suffix}")
        source = ("-nostdin", "-v", "error", "-y", "-i", song, "-vn", "-map_metadata", "-1")
        run_program("ffmpeg", *source, "-c:a", codec, *options, part)
        part.rename(path)


def other_sound(number: int) -> tuple[np.ndarray, int]:
    """Return a noise, a tone, a melody, a synthesized instrument or a loop, and its sample rate."""
    rng = np.random.default_rng(number)
    seconds = float(rng.choice([3.0, 8.0, 20.0]))
    if number % 6 == 0:
        return noise(seconds, seed=number), 16_000
    if number % 6 == 1:  # noise without treble
        return np.convolve(noise(seconds, seed=number), np.ones(8) / 3, "same"), 16_000
    if number % 6 == 2:
        return tone(float(rng.uniform(60, 4_000)), seconds), 16_000
    if number % 6 == 3:
        return melody(seconds, seed=number), 16_000
    sound = list(KINDS.values())[number % len(KINDS)](rng).astype(np.float32)
    if number % 6 == 4:
        return sound, RATE_HZ
    return np.tile(sound[: int(rng.uniform(0.4, 1.2) * RATE_HZ)], int(rng.integers(6, 20))), RATE_HZ


def prepare(folders: Sequence[Path], work: Path, *, n_songs: int, n_others: int) -> None:
    """Fill the folders "songs", with a folder for each song, and "others"."""
    paths = sorted(discover(folders).paths)
    songs: list[str] = []
    for path in paths:
        if len(songs) < n_songs and seconds_of(path) >= MIN_SONG_SECONDS:
            try:
                encode(Path(path), work / "songs" / Path(path).stem)
                songs.append(path)
            except AssertionError as exc:  # ffmpeg can't read some files that libsndfile can
                shutil.rmtree(work / "songs" / Path(path).stem)
                print(f"{path} is left out: {exc}")
    others = work / "others"
    others.mkdir(exist_ok=True)
    rest = sorted(set(paths) - set(songs))
    for number, path in enumerate(rest):
        target = others / f"{number:04}-{Path(path).name}"
        if not target.exists():
            shutil.copy(path, target)
    for number in range(len(rest), n_others):
        target = others / f"{number:04}.wav"
        if not target.exists():
            samples, rate = other_sound(number)
            write(target, 0.5 * samples / np.abs(samples).max(), rate)


def report(groups: Sequence[Sequence[Copy]], index: Index) -> None:
    labels = {track.id: _label(track.path) for track in index}
    members: dict[str, list[int]] = defaultdict(list)
    for track_id, label in labels.items():
        members[label].append(track_id)
    found: set[tuple[int, int]] = set()
    relations: dict[tuple[int, int], Relation] = {}
    for group in groups:
        for first, second in combinations(sorted(group, key=lambda copy: copy.track.id), 2):
            pair = first.track.id, second.track.id
            found.add(pair)
            is_same = first.relation is second.relation is Relation.SAME
            relations[pair] = Relation.SAME if is_same else Relation.PARTIAL
    right = {
        pair
        for ids in members.values()
        if len(ids) == len(ENCODINGS) + 1
        for pair in combinations(sorted(ids), 2)
    }
    n_same = sum(relations[pair] is Relation.SAME for pair in right & found)
    print(f"{index.n_tracks} tracks, {len(right)} pairs of copies, {len(groups)} groups")
    print(f"pairs of copies found: {len(right & found) / len(right):.4f}")
    print(f"pairs of copies found as same: {n_same / len(right):.4f}")
    print(f"wrong pairs: {len(found - right)}")
    paths = {track.id: track.path for track in index}
    for first, second in sorted(found - right)[:20]:
        print(f"  wrong, {relations[first, second].value}: {paths[first]} and {paths[second]}")
    for first, second in sorted(right - found)[:20]:
        print(f"  missed: {paths[first]} and {paths[second]}")


def _label(path: str) -> str:
    return path.rpartition("/")[0] if "/songs/" in path else path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--others", type=int, default=500)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "copies")
    parser.add_argument("--model", default="compact")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    prepare(options.folders, options.work, n_songs=options.songs, n_others=options.others)
    location = options.work / f"index-{options.model}"
    add(location, [options.work / "songs", options.work / "others"], model=options.model)
    with Index(location) as index:
        for title in ("first", "second"):
            started = time.perf_counter()
            search = DuplicateSearch(index)
            n_files = len(search)
            for _, error in search:
                if error is not None:
                    print(f"  failed: {error}")
            read_seconds = time.perf_counter() - started
            groups = search.groups()
            seconds = time.perf_counter() - started
            print(
                f"{title} run: {n_files} files read in {read_seconds:.1f} s, {seconds:.1f} s in all"
            )
        prints = index.prints(index).values()
        n_bytes = sum(p.words.nbytes + p.fine_words.nbytes for p in prints)
        n_minutes = sum(p.seconds for p in prints) / 60
        print(f"prints: {n_bytes / n_minutes:.0f} bytes a minute over {n_minutes:.0f} minutes")
        report(groups, index)


if __name__ == "__main__":
    main()
