"""A playlist that grows track by track, and the rules that tracks must pass."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audiosearch import time_limit
from audiosearch.counting import counted
from audiosearch.playlists.lookalikes import Lookalikes
from audiosearch.playlists.rules import EXCLUDED, NOT_AVAILABLE, SAME_RECORDING, Rules
from audiosearch.search.same_recording import same_recordings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.track import Track
    from audiosearch.playlists.main_artists import MainArtists
    from audiosearch.playlists.request import Constraints, PlaylistOptions
    from audiosearch.playlists.rules import KeyChange
    from audiosearch.search.same_recording import KnownPrints
    from audiosearch.types import Float32

UNKNOWN_SECONDS = 240.0  # duration of a track, if it is unknown


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tracks in playing order.

    Attributes
    ----------
    tracks : list of Track
    notes : list of str
        Sentences about requests that could not be fulfilled, and warnings about seeds.
    name : str
        Title of the playlist; empty until one is chosen.
    """

    tracks: list[Track]
    notes: list[str] = field(default_factory=list)
    name: str = ""


class _Rejections(NamedTuple):
    """Rules that tracks broke, by id, linked to earlier ones. Copies of a builder share them."""

    earlier: _Rejections | None
    rules: dict[int, str]


class PlaylistBuilder:
    """A playlist that grows track by track.

    `rejects` accepts a track unless

    - the track is in the playlist, or is one of the ``excluded`` tracks,
    - its path is one of the constraints' ``excluded_paths``,
    - a track with the same artist and title is in the playlist,
    - the constraints' limit for its artist or album is reached,
    - the last track by its artist is too near (the constraints' ``artist_gap``), or
    - the same recording is in the playlist (see `audiosearch.search.same_recording`).

    Parameters
    ----------
    constraints : Constraints
    artists : MainArtists
        Main artists of the library. The limits on artists apply to them.
    excluded : iterable of Track
        Tracks that are rejected.
    prints : KnownPrints, optional
        Spectral prints that are known, to recognize copies.

    Attributes
    ----------
    rules : Rules
    tracks : list of Track
        Tracks so far, after those that precede the playlist.
    n_preceding : int
        Number of tracks that precede it.
    vectors : list of ndarray of float32, shape (dimension,)
        Their embeddings, of unit length.
    seconds : float
        Playing time so far, without preceding tracks. A track of unknown duration counts as 4
        minutes.
    changes : list of KeyChange
        Keys that the last added track has blocked or allowed.
    """

    def __init__(
        self,
        constraints: Constraints,
        artists: MainArtists,
        excluded: Iterable[Track] = (),
        *,
        prints: KnownPrints | None = None,
    ) -> None:
        self.rules = Rules(constraints, artists)
        self._prints = prints
        self._blocked = 0  # one bit for each key, at its number; copying it takes no time
        self._counts: Counter[int] = Counter()  # tracks by number of the key
        self._last_position: dict[int, int] = {}  # by number of the artist's key
        # Shared by copies, like the rules. It numbers tracks like the rule about their ids.
        self._lookalikes = Lookalikes(has_prints=prints is not None and prints.has_prints)
        self.tracks: list[Track] = []
        self.n_preceding = 0
        self.vectors: list[Float32] = []
        self.seconds = 0.0
        self._rejections: _Rejections | None = None
        self.changes: list[KeyChange] = []
        for position, rule in enumerate(self.rules.rules):
            if rule.name == EXCLUDED:
                self._block(self.rules.number(position, (True, None)))
        for track in excluded:
            self._block(self.rules.of(track).numbers[0])

    def copy(self) -> PlaylistBuilder:
        """Return an independent builder with the same tracks. It takes little time and memory."""
        other = copy(self)
        for name in ("_counts", "_last_position", "tracks", "vectors"):
            setattr(other, name, copy(getattr(self, name)))
        return other

    def add(self, track: Track, vector: Float32) -> None:
        """Append a track, without checking the rules.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (dimension,)
            Its embedding, of unit length.
        """
        self.changes = []
        keys, numbers, _ = self.rules.of(track)
        for position, (rule, key, number) in enumerate(
            zip(self.rules.rules, keys, numbers, strict=True)
        ):
            if key is None:
                continue
            if rule.most > 1:
                self._counts[number] += 1
            if rule.most == 1 or self._counts[number] == rule.most:
                self._block(number)
                self.changes.append((position, key, True))
        if self.rules.gap is not None:
            self._last_position[numbers[self.rules.gap]] = len(self.tracks)
            self._end_gap(self.rules.gap)
        self._lookalikes.of(numbers[0], vector)
        self.tracks.append(track)
        self.vectors.append(vector)
        self.seconds += track.seconds or UNKNOWN_SECONDS

    def precede(self, track: Track, vector: Float32) -> None:
        """Append a track that isn't part of the playlist, before all others. See `add`."""
        self.add(track, vector)
        self.n_preceding += 1
        self.seconds = 0.0

    @property
    def own_tracks(self) -> list[Track]:
        """Tracks of the playlist so far."""
        return self.tracks[self.n_preceding :]

    def has(self, track: Track) -> bool:
        """Return whether a track is in the playlist, or is one of the excluded tracks."""
        return bool(self._blocked >> self.rules.of(track).numbers[0] & 1)

    def blocked_keys(self) -> list[KeyChange]:
        """Return all blocked keys, like ``changes``."""
        return self.rules.blocked(self._blocked)

    def _block(self, number: int) -> None:
        self._blocked |= 1 << number

    def _end_gap(self, gap: int) -> None:
        """Allow the artist whose last track is now far enough from the next one."""
        position = len(self.tracks) - self.rules.constraints.artist_gap
        if position < 0:
            return
        keys, numbers, _ = self.rules.of(self.tracks[position])
        key, number = keys[gap], numbers[gap]
        if key is not None and self._last_position[number] == position:
            self._blocked &= ~(1 << number)
            self.changes.append((gap, key, False))

    def rejects(self, track: Track, vector: Float32) -> bool:
        """Return whether a track breaks a rule, and remember that rule.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (dimension,)
            Its embedding, of unit length.
        """
        rule = self._broken_rule(track, vector)
        if rule not in (None, NOT_AVAILABLE):
            self.remember_rejections({track.id: str(rule)})
        return rule is not None

    def remember_rejections(self, rules: dict[int, str]) -> None:
        """Remember the rules that rejected tracks broke, by id of the track."""
        self._rejections = _Rejections(self._rejections, rules)

    @property
    def rejections(self) -> dict[int, str]:
        """Rule that each rejected track broke last, by id of the track."""
        chain, current = [], self._rejections
        while current is not None:
            chain.append(current.rules)
            current = current.earlier
        rules: dict[int, str] = {}
        for more in reversed(chain):
            rules.update(more)
        added = {track.id for track in self.tracks}
        return {track_id: rule for track_id, rule in rules.items() if track_id not in added}

    def length_notes(self, options: PlaylistOptions, other_reason: str) -> list[str]:
        """Return notes on a playlist that is shorter than requested, or of uncertain length.

        Parameters
        ----------
        options : PlaylistOptions
            The requested length.
        other_reason : str
            Reason for a short playlist if no track was rejected.
        """
        rules = Counter(self.rejections.values()).most_common()
        names = ", ".join(f"{rule} ({count})" for rule, count in rules)
        reason = f"tracks left out by: {names}" if names else other_reason
        n_tracks = len(self.own_tracks)
        found = counted(n_tracks, "track")
        if options.seconds is None:
            is_short = n_tracks < options.n_tracks
            return [f"found {found} instead of {options.n_tracks}; {reason}"] if is_short else []
        notes = []
        if self.seconds < options.seconds:
            found += f" of {_duration(self.seconds)} in all"
            notes.append(f"found {found} instead of {_duration(options.seconds)}; {reason}")
        n_unknown = sum(not track.seconds for track in self.own_tracks)
        if n_unknown:
            unknown = counted(n_unknown, "track")
            notes.append(
                f"{unknown} of unknown duration counted as {_duration(UNKNOWN_SECONDS)} each"
            )
        return notes

    def _broken_rule(self, track: Track, vector: Float32) -> str | None:
        """Return the first rule that a track breaks."""
        time_limit.check()
        _, numbers, mask = self.rules.of(track)
        if self._blocked & mask:
            rules = zip(self.rules.rules, numbers, strict=True)
            return next(rule.name for rule, n in rules if n >= 0 and self._blocked >> n & 1)
        return SAME_RECORDING if self._has_recording(track, vector) else None

    def _has_recording(self, track: Track, vector: Float32) -> bool:
        """Return whether a copy of a track's recording is in the playlist."""
        if not self._lookalikes.of(self.rules.of(track).numbers[0], vector) & self._blocked:
            return False
        cosines = np.asarray(self.vectors) @ vector
        return len(same_recordings(track, self.tracks, cosines, prints=self._prints)) > 0


def _duration(seconds: float) -> str:
    """Write a duration in seconds or minutes.

    Examples
    --------
    >>> _duration(20), _duration(90), _duration(3_600)
    ('20 seconds', '1.5 minutes', '60 minutes')
    """
    number, unit = (seconds, "second") if seconds < 60 else (seconds / 60, "minute")
    text = f"{number:,.1f}".removesuffix(".0")
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"
