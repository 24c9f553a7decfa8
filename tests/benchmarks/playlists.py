"""Measure playlists on a large index, and a query compared with a bare FAISS search.

Usage: python tests/benchmarks/playlists.py [--tracks 100000] [--playlists 1000]

The vectors are synthetic, in clusters. It prints figures and checks
nothing, because machines differ.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from speed import AUDIOSEARCH, report

from audiosearch import Index
from audiosearch.library.index import EmbeddingSpec, Track
from audiosearch.models.registry import compact
from audiosearch.playlist_files import Entry, PlaylistFile
from audiosearch.playlists import Constraints, PlaylistOptions, PlaylistRequest, playlist
from audiosearch.search.playlist_tracks import PlaylistTracks

# The minimum for a query: start a process, import FAISS, read the index file, search.
BARE = """
import sys, numpy, sqlite_utils, rich, typer, faiss
index = faiss.read_index(sys.argv[1])
print(index.search(index.index.reconstruct(5)[None], 11))
"""

WHITENED = PlaylistOptions(keep_seeds=False, whiten=True)
LIMITS = {"constraints": Constraints(max_per_artist=3)}


def fill(directory: Path, n_tracks: int) -> None:
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((n_tracks // 20 + 1, 128)).repeat(20, axis=0)[:n_tracks]
    vectors = 2 * np.abs(rng.standard_normal(128)) + 0.5 * centers
    vectors += 0.4 * rng.standard_normal((n_tracks, 128))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    spec = EmbeddingSpec("compact", compact().weights_digest)
    with Index(directory, spec=spec) as index:
        with index.transaction():
            for i, vector in enumerate(vectors):
                names = {
                    "title": f"Song {i}",
                    "artist": f"Band {i // 15}",
                    "album": f"LP {i // 10}",
                }
                path = f"/music/{i}.mp3"
                index.add(Track(path, 1, 1, f"{i:032x}", 200.0, 44_100, 2, "mp3", **names), vector)
        index.sync()


def match(index: Index, n_tracks: int, n_entries: int = 10_000) -> None:
    """Match a playlist of another machine, of which no path is a path of the index."""
    ids = np.random.default_rng(2).integers(0, n_tracks, n_entries).tolist()
    file = PlaylistFile("other.m3u", tuple(Entry(f"D:\\Music\\{i}.mp3") for i in ids))
    started = time.perf_counter()
    matches = list(PlaylistTracks(index).find(file, with_files=False))
    print(f"{n_entries:,} entries matched in {time.perf_counter() - started:.2f} s")
    assert [match.track.path for match in matches if match.track] == [
        f"/music/{i}.mp3" for i in ids
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--playlists", type=int, default=1_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "index"
        fill(directory, arguments.tracks)
        rng = np.random.default_rng(1)
        with Index(directory) as index:
            match(index, arguments.tracks)
            for title, request in {
                "similar": PlaylistRequest(options=WHITENED),
                "diverse": PlaylistRequest(options=replace(WHITENED, diversity=0.3)),
                "drift": PlaylistRequest(options=WHITENED, strategy="drift"),
            }.items():
                times = []
                for seed in rng.integers(1, arguments.tracks, arguments.playlists + 1).tolist():
                    started = time.perf_counter()
                    result = playlist(index, replace(request, seeds=(f"#{seed}",), **LIMITS))
                    times.append(1e3 * (time.perf_counter() - started))
                    assert len(result.tracks) == 25
                times = times[1:]  # the first loads the index
                print(f"{title:10} median {statistics.median(times):6.2f} ms", end="")
                print(f"   mean {statistics.mean(times):6.2f}   worst {max(times):6.2f}")
        report(
            f"a track of an index of {arguments.tracks:,}, from process start to answer",
            7,
            query=(*AUDIOSEARCH, "query", "--index", directory, "#500"),
            bare_search=(sys.executable, "-c", BARE, directory / "vectors.faiss"),
        )


if __name__ == "__main__":
    main()
