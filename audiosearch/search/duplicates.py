"""Tracks that are the same recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import SAME_COSINE

if TYPE_CHECKING:
    from audiosearch.library.index import Index, Track

_SAME_SECONDS = 2.0  # by which the same recording's lengths may differ
_ROWS_AT_A_TIME = 512
_LOSSLESS = {"alac", "flac", "wavpack", "ape", "tta", "wav", "aiff", "w64", "caf"}


def duplicates(index: Index) -> list[list[Track]]:
    """Return groups of tracks with the same bytes, or that sound alike and last as long.

    They sound alike at a cosine over 0.999, and last as long within 2 s, where that is known.

    Returns
    -------
    list of list of Track
        Each the best copy first: lossless, then by bit rate, then by length.
    """
    with index.all_with_vectors() as (_, rows):
        tracks, vectors = [], []
        for track, vector in rows:
            tracks.append(track)
            vectors.append(vector)
    group_of = list(range(len(tracks)))

    def root(place: int) -> int:
        while group_of[place] != place:
            group_of[place] = place = group_of[group_of[place]]
        return place

    first_of: dict[str, int] = {}
    for place, track in enumerate(tracks):
        if track.content_hash:
            group_of[root(place)] = root(first_of.setdefault(track.content_hash, place))
    matrix = np.array(vectors, dtype=np.float32).reshape(len(tracks), -1)
    for start in range(0, len(tracks), _ROWS_AT_A_TIME):
        cosines = matrix[start : start + _ROWS_AT_A_TIME] @ matrix.T
        for row, column in np.argwhere(cosines > SAME_COSINE).tolist():
            one, other = start + row, column
            if one < other and _last_as_long(tracks[one], tracks[other]):
                group_of[root(other)] = root(one)
    groups: dict[int, list[Track]] = {}
    for place, track in enumerate(tracks):
        groups.setdefault(root(place), []).append(track)
    return [sorted(group, key=_worth, reverse=True) for group in groups.values() if len(group) > 1]


def _last_as_long(track: Track, other: Track) -> bool:
    is_known = track.seconds > 0 and other.seconds > 0
    return not is_known or abs(track.seconds - other.seconds) <= _SAME_SECONDS


def _worth(track: Track) -> tuple[bool, float, float, int]:
    is_lossless = track.format in _LOSSLESS or track.format.startswith("pcm")
    bit_rate = track.size / track.seconds if track.seconds else 0.0
    return is_lossless, bit_rate, track.seconds, -track.id
