"""Find groups of tracks that are copies of the same recording."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.paths import real_path
from audiosearch.search.same_recording import SAME_SECONDS, same_recordings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.types import Float32

_BLOCK_ROWS = 512  # tracks that are compared with all tracks at a time; limits the memory
_LOSSLESS = {"alac", "flac", "wavpack", "ape", "tta", "wav", "aiff", "w64", "caf"}


def duplicates(index: Index) -> list[list[Track]]:
    """Find the tracks that are copies of the same recording.

    Two tracks are copies if their files have the same bytes. They are also copies if the cosine of
    their embeddings is above 0.999 and their durations differ by at most 2 seconds. An unknown
    duration agrees with any duration.

    Returns
    -------
    list of list of Track
        Groups of two or more tracks. Each group is sorted by quality, best first: lossless files,
        then the higher bit rate, then the longer duration. Symbolic links come last.
    """
    with index.storage.all_with_vectors() as (_, rows):
        tracks, vectors = [], []
        for track, vector in rows:
            tracks.append(track)
            vectors.append(vector)
    groups = _Groups(len(tracks))
    _join_same_bytes(groups, tracks)
    _join_same_sound(groups, tracks, np.array(vectors, dtype=np.float32).reshape(len(tracks), -1))
    return [
        sorted((tracks[position] for position in group), key=_quality, reverse=True)
        for group in groups.to_lists()
        if len(group) > 1
    ]


class _Groups:
    """Disjoint groups of positions that can be joined (union-find)."""

    def __init__(self, n_positions: int) -> None:
        self._parents = list(range(n_positions))

    def join(self, position: int, other: int) -> None:
        """Join the groups of two positions."""
        self._parents[self._root(other)] = self._root(position)

    def to_lists(self) -> list[list[int]]:
        """Return the groups, each as a list of ascending positions."""
        groups: dict[int, list[int]] = {}
        for position in range(len(self._parents)):
            groups.setdefault(self._root(position), []).append(position)
        return list(groups.values())

    def _root(self, position: int) -> int:
        parents = self._parents
        while parents[position] != position:
            parents[position] = position = parents[parents[position]]
        return position


def _join_same_bytes(groups: _Groups, tracks: Sequence[Track]) -> None:
    first_positions: dict[str, int] = {}
    for position, track in enumerate(tracks):
        if track.content_hash:
            first = first_positions.setdefault(track.content_hash, position)
            groups.join(first, position)


def _join_same_sound(groups: _Groups, tracks: Sequence[Track], vectors: Float32) -> None:
    seconds = np.array([track.seconds for track in tracks])
    for start in range(0, len(tracks), _BLOCK_ROWS):
        cosines = vectors[start : start + _BLOCK_ROWS] @ vectors.T
        for position, row in enumerate(cosines, start=start):
            later = position + 1
            same = same_recordings(
                row[later:], seconds[position], seconds[later:], max_difference=SAME_SECONDS
            )
            for other in same.tolist():
                groups.join(position, later + other)


def _quality(track: Track) -> tuple[bool, bool, float, float, bool, int]:
    """Return a sort key for copies. The best copy has the largest key.

    In a tie, that is the track under its real path, then the one with the lowest id.
    """
    is_lossless = track.format in _LOSSLESS or track.format.startswith("pcm")
    bytes_per_second = track.size / track.seconds if track.seconds else 0.0
    is_file = not os.path.islink(track.path)  # who deletes the other copies must not keep a link
    is_real = real_path(track.path) == track.path
    return is_file, is_lossless, bytes_per_second, track.seconds, is_real, -track.id
