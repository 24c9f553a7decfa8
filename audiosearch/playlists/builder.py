"""The tracks of a playlist so far, and the rules for those that follow."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import SAME_COSINE, SAME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Track
    from audiosearch.types import Float32

_THERE = "a seed, or there already"


@dataclass(frozen=True, slots=True)
class Constraints:
    """What may not come too often, or again.

    Attributes
    ----------
    per_artist, per_album : int or None
        At most so many tracks.
    artist_gap : int
        At least so many tracks between two of the same artist.
    recent : frozenset of str
        Paths that may not come at all.
    """

    per_artist: int | None = None
    per_album: int | None = None
    artist_gap: int = 0
    recent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tracks in order, and what kept them from being what was asked for."""

    tracks: list[Track]
    notes: list[str] = field(default_factory=list)
    name: str = "Playlist"


class PlaylistBuilder:
    """The tracks of a playlist so far, and whether another one may follow.

    Attributes
    ----------
    refused : Counter of str
        How often each rule kept a track out.
    waiting : list of int
        The ids of tracks that were refused only for now.
    """

    def __init__(self, caps: Constraints, left_out: Iterable[Track] = ()) -> None:
        self._caps = caps
        self._left_out = {track.id for track in left_out}
        self._contents: set[str] = set()
        self._names: set[tuple[str, str]] = set()
        self._per_artist: Counter[str] = Counter()
        self._per_album: Counter[tuple[str, str]] = Counter()
        self._last_of_artist: dict[str, int] = {}
        self.tracks: list[Track] = []
        self.vectors: list[Float32] = []
        self.seconds = 0.0
        self.refused: Counter[str] = Counter()
        self.waiting: list[int] = []

    def copy(self) -> PlaylistBuilder:
        """Return one that goes on from the same tracks, its own way."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (list, dict, set)):
                setattr(other, name, copy(value))
        return other

    def add(self, track: Track, vector: Float32) -> None:
        """Append a track."""
        artist = _folded(track.artist)
        self._left_out.add(track.id)
        self._contents.add(track.content_hash)
        self._names.add((artist, _folded(track.title)))
        self._per_artist[artist] += 1
        self._per_album[artist, _folded(track.album)] += 1
        self._last_of_artist[artist] = len(self.tracks)
        self.tracks.append(track)
        self.vectors.append(vector)
        self.seconds += track.seconds

    def rejects(self, track: Track, vector: Float32) -> bool:
        """Return whether a track may not follow; the reason is counted."""
        reason = self._reason(track, vector)
        if reason not in (None, _THERE):  # which is no bound
            self.refused[str(reason)] += 1
        return reason is not None

    def note(self, wanted: str) -> str:
        """Say what kept the list from being as long as it was to be."""
        bound = ", ".join(f"{reason} ({count})" for reason, count in self.refused.most_common())
        why = f"refused: {bound}" if bound else "no more tracks fit the filters"
        return f"{len(self.tracks)} tracks in place of {wanted}; {why}"

    def _reason(self, track: Track, vector: Float32) -> str | None:
        """Return the first rule that keeps a track out."""
        rules = {
            _THERE: track.id in self._left_out,
            "in a playlist to exclude": track.path in self._caps.recent,
            "the same title by the same artist": bool(track.title and track.artist)
            and (_folded(track.artist), _folded(track.title)) in self._names,
            **self._caps_reached(track),
        }
        reason = next((reason for reason, applies in rules.items() if applies), None)
        if reason is None and self._is_there(track, vector):
            return "the same recording"
        return reason

    def _caps_reached(self, track: Track) -> dict[str, bool]:
        artist, album, caps = _folded(track.artist), _folded(track.album), self._caps
        reached = {}
        if artist and caps.per_artist is not None:
            is_reached = self._per_artist[artist] >= caps.per_artist
            reached[f"more than {caps.per_artist} by an artist"] = is_reached
        if album and caps.per_album is not None:
            is_reached = self._per_album[artist, album] >= caps.per_album
            reached[f"more than {caps.per_album} of an album"] = is_reached
        last = self._last_of_artist.get(artist) if artist else None
        is_too_soon = last is not None and len(self.tracks) - last <= caps.artist_gap
        if is_too_soon and not any(reached.values()):
            self.waiting.append(track.id)
        reached[f"fewer than {caps.artist_gap} between two of an artist"] = is_too_soon
        return reached

    def _is_there(self, track: Track, vector: Float32) -> bool:
        """Return whether the same recording is there."""
        if track.content_hash and track.content_hash in self._contents:
            return True
        if not self.vectors:
            return False
        near = np.flatnonzero(np.asarray(self.vectors) @ vector > SAME_COSINE)
        return any(_lasts_as_long(track, self.tracks[place]) for place in near)


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def _lasts_as_long(track: Track, other: Track) -> bool:
    """Return whether two tracks may last as long, as far as that is known."""
    longest = max(track.seconds, other.seconds)
    is_known = track.seconds > 0 and other.seconds > 0
    return not is_known or abs(track.seconds - other.seconds) <= SAME_SECONDS * longest
