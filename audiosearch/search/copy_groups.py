"""Group copies of the same recording, and the files that hold a part of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.paths import real_path
from audiosearch.search.print_match import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.library.track import Track

_LOSSLESS = {"alac", "flac", "wavpack", "ape", "tta", "wav", "aiff", "w64", "caf"}


@dataclass(frozen=True, slots=True)
class Copy:
    """A member of a group of copies.

    Attributes
    ----------
    track : Track
    relation : Relation
        Relation to the first member of the group.
    """

    track: Track
    relation: Relation


class CopyGroups:
    """Groups of positions that can be joined (union-find), and parts of groups.

    A part is listed once, below the longest recording that holds it. Recordings are not joined
    because they have a part in common.

    Parameters
    ----------
    tracks : sequence of list of Track
        Tracks at each position. Tracks at the same position are copies.
    """

    def __init__(self, tracks: Sequence[list[Track]]) -> None:
        self._tracks = tracks
        self._parents = list(range(len(tracks)))
        self._parts: list[tuple[int, int]] = []  # position of the part, and of the whole

    def join(self, position: int, other: int) -> None:
        """Join the groups of two positions: they hold the same recording."""
        self._parents[self._root(other)] = self._root(position)

    def add_part(self, part: int, whole: int) -> None:
        """Record that one position holds a part of the recording at another."""
        self._parts.append((part, whole))

    def to_lists(self) -> list[list[Copy]]:
        """Return the groups with two or more members, in the order of their first positions."""
        members: dict[int, list[Track]] = {}
        for position, tracks in enumerate(self._tracks):
            members.setdefault(self._root(position), []).extend(tracks)
        parts: dict[int, list[Track]] = {}
        for part, whole in self._wholes(members).items():
            parts.setdefault(whole, []).extend(members[part])
        groups = [
            _sorted(tracks, Relation.SAME) + _sorted(parts.get(root, []), Relation.PARTIAL)
            for root, tracks in members.items()
        ]
        return [group for group in groups if len(group) > 1]

    def _wholes(self, members: dict[int, list[Track]]) -> dict[int, int]:
        """Return for each group that is a part the longest group that holds it."""
        wholes: dict[int, int] = {}
        for part, whole in self._parts:
            part_root, root = self._root(part), self._root(whole)
            known = wholes.setdefault(part_root, root)
            if _seconds(members[root]) > _seconds(members[known]):
                wholes[part_root] = root
        return {part: whole for part, whole in wholes.items() if part != whole}

    def _root(self, position: int) -> int:
        parents = self._parents
        while parents[position] != position:
            parents[position] = position = parents[parents[position]]
        return position


def _seconds(tracks: Iterable[Track]) -> float:
    return max(track.seconds for track in tracks)


def _sorted(tracks: Iterable[Track], relation: Relation) -> list[Copy]:
    return [Copy(track, relation) for track in sorted(tracks, key=_quality, reverse=True)]


def _quality(track: Track) -> tuple[bool, bool, float, float, bool, int]:
    """Return a sort key for copies. The best copy has the largest key.

    In a tie, that is the track under its real path, then the one with the lowest id.
    """
    is_lossless = track.format in _LOSSLESS or track.format.startswith("pcm")
    bytes_per_second = track.size / track.seconds if track.seconds else 0.0
    is_file = not os.path.islink(track.path)  # who deletes the other copies must not keep a link
    is_real = real_path(track.path) == track.path
    return is_file, is_lossless, bytes_per_second, track.seconds, is_real, -track.id
