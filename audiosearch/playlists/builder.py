"""A playlist that grows track by track, and the rules that tracks must pass."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.counting import counted
from audiosearch.library.track import fold
from audiosearch.search.same_recording import same_recordings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.track import Track
    from audiosearch.playlists.main_artists import MainArtists
    from audiosearch.playlists.request import Constraints, PlaylistOptions
    from audiosearch.search.same_recording import KnownPrints
    from audiosearch.types import Float32

_NOT_AVAILABLE = "already in the playlist, or a seed that is left out"
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
    tracks : list of Track
        Tracks so far.
    vectors : list of ndarray of float32, shape (dimension,)
        Their embeddings, of unit length.
    seconds : float
        Playing time so far. A track of unknown duration counts as 4 minutes.
    rejections : dict of int to str
        Rule that each rejected track broke last, by id of the track.
    deferred : list of int
        Ids of tracks that were rejected only because of the artist gap. The caller may try them
        again after the next track, and clear the list.
    """

    def __init__(
        self,
        constraints: Constraints,
        artists: MainArtists,
        excluded: Iterable[Track] = (),
        *,
        prints: KnownPrints | None = None,
    ) -> None:
        self._constraints = constraints
        self._artists = artists
        self._prints = prints
        self._excluded_ids = {track.id for track in excluded}
        self._sound_hashes: set[str] = set()
        self._artists_and_titles: set[tuple[str, str]] = set()
        self._n_per_artist: Counter[str] = Counter()
        self._n_per_album: Counter[tuple[str, str]] = Counter()
        self._last_position: dict[str, int] = {}  # by artist
        self.tracks: list[Track] = []
        self.vectors: list[Float32] = []
        self.seconds = 0.0
        self.rejections: dict[int, str] = {}
        self.deferred: list[int] = []

    def copy(self) -> PlaylistBuilder:
        """Return an independent builder with the same tracks."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (list, dict, set)):
                setattr(other, name, copy(value))
        return other

    def add(self, track: Track, vector: Float32) -> None:
        """Append a track, without checking the rules.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (dimension,)
            Its embedding, of unit length.
        """
        artist = self._artists.of(track.artist)
        self._excluded_ids.add(track.id)
        self.rejections.pop(track.id, None)
        self._sound_hashes.add(track.sound_hash)
        self._artists_and_titles.add((fold(track.artist), fold(track.title)))
        self._n_per_artist[artist] += 1
        self._n_per_album[self._album_of(track)] += 1
        self._last_position[artist] = len(self.tracks)
        self.tracks.append(track)
        self.vectors.append(vector)
        self.seconds += track.seconds or UNKNOWN_SECONDS

    def _album_of(self, track: Track) -> tuple[str, str]:
        """Return the artist and the name of a track's album, to tell albums apart."""
        artist = fold(track.album_artist) or self._artists.of(track.artist)
        return artist, fold(track.album)

    def rejects(self, track: Track, vector: Float32) -> bool:
        """Return whether a track breaks a rule, and remember that rule.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (dimension,)
            Its embedding, of unit length.
        """
        rule = self._broken_rule(track, vector)
        if rule not in (None, _NOT_AVAILABLE):
            self.rejections[track.id] = str(rule)
        return rule is not None

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
        found = counted(len(self.tracks), "track")
        if options.seconds is None:
            is_short = len(self.tracks) < options.n_tracks
            return [f"found {found} instead of {options.n_tracks}; {reason}"] if is_short else []
        notes = []
        if self.seconds < options.seconds:
            found += f" of {_duration(self.seconds)} in all"
            notes.append(f"found {found} instead of {_duration(options.seconds)}; {reason}")
        n_unknown = sum(not track.seconds for track in self.tracks)
        if n_unknown:
            unknown = counted(n_unknown, "track")
            notes.append(
                f"{unknown} of unknown duration counted as {_duration(UNKNOWN_SECONDS)} each"
            )
        return notes

    def _broken_rule(self, track: Track, vector: Float32) -> str | None:
        """Return the first rule that a track breaks."""
        artist_and_title = (fold(track.artist), fold(track.title))
        is_broken = {
            _NOT_AVAILABLE: track.id in self._excluded_ids,
            "excluded playlists": track.path in self._constraints.excluded_paths,
            "same title and artist": bool(track.title and track.artist)
            and artist_and_title in self._artists_and_titles,
            **self._broken_limits(track),
        }
        rule = next((rule for rule, broken in is_broken.items() if broken), None)
        if rule is None and self._has_recording(track, vector):
            return "same recording"
        return rule

    def _broken_limits(self, track: Track) -> dict[str, bool]:
        """Return the constraints on the artist and album, and whether a track breaks them."""
        artist, constraints = self._artists.of(track.artist), self._constraints
        album = self._album_of(track)
        is_broken = {}
        if artist and constraints.max_per_artist is not None:
            is_reached = self._n_per_artist[artist] >= constraints.max_per_artist
            is_broken[f"limit of {constraints.max_per_artist} per artist"] = is_reached
        if album[1] and constraints.max_per_album is not None:
            is_reached = self._n_per_album[album] >= constraints.max_per_album
            is_broken[f"limit of {constraints.max_per_album} per album"] = is_reached
        last = self._last_position.get(artist) if artist else None
        is_too_soon = last is not None and len(self.tracks) - last <= constraints.artist_gap
        if is_too_soon and not any(is_broken.values()):
            self.deferred.append(track.id)
        is_broken[f"artist gap of {constraints.artist_gap}"] = is_too_soon
        return is_broken

    def _has_recording(self, track: Track, vector: Float32) -> bool:
        """Return whether a copy of a track's recording is in the playlist."""
        if track.sound_hash and track.sound_hash in self._sound_hashes:
            return True
        if not self.vectors:
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
