"""Playlist requests: the same classes for Python, the command line and HTTP."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters

if TYPE_CHECKING:
    from audiosearch.playlist_files import PlaylistFile
    from audiosearch.plays import ListeningHistory


@dataclass(frozen=True, slots=True)
class Constraints:
    """Limits on tracks by the same artist or album, and tracks to leave out.

    The artist of a track that names several is its main artist: see
    `audiosearch.playlists.main_artists.MainArtists`. Albums are told apart by their name and album
    artist, or else main artist. The limits per artist don't apply to a track without an artist. The
    limit per album doesn't apply to a track without an album.

    Attributes
    ----------
    max_per_artist, max_per_album : int or None
        Largest number of tracks by one artist, and from one album. None means no limit.
    artist_gap : int
        Smallest number of tracks between two by the same artist.
    excluded_paths : frozenset of str
        Paths of tracks to leave out.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    max_per_artist: int | None = None
    max_per_album: int | None = None
    artist_gap: int = defaults.ARTIST_GAP
    excluded_paths: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the ranges."""
        for unit, limit in (("artist", self.max_per_artist), ("album", self.max_per_album)):
            if limit is not None and limit < 1:
                raise UsageError(
                    f"The number of tracks per {unit} can't be {limit}.", hint="Use 1 or more."
                )
        if self.artist_gap < 0:
            raise UsageError(
                f"The artist gap can't be {self.artist_gap} tracks.", hint="Use 0 or more."
            )


#: Constraints that every track meets.
NO_CONSTRAINTS: Final = Constraints()


@dataclass(frozen=True, slots=True)
class PlaylistOptions:
    """Length and character of a playlist.

    Attributes
    ----------
    n_tracks : int
        Number of tracks, seeds included; at least 1.
    seconds : float or None
        Playing time in seconds, used instead of ``n_tracks``.
    diversity : float
        From 0 to 1. With 0, the most similar tracks are chosen; with 1, those that differ most
        from the tracks already chosen.
    keep_seeds : bool
        Whether to start with the seeds or leave them out. Seeds that aren't tracks of the index
        are always left out. A path always contains its ends.
    drift : bool
        Shorthand for the strategy "drift".
    vary : bool
        Add randomness, so that each run gives a different playlist.
    random_seed : int or None
        Seed of the random numbers. The same seed gives the same playlist.
    whiten : bool or None
        Whether to compare whitened vectors. Default: if `is_whitening_better` for the library. A
        path always compares plain vectors.

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    n_tracks: int = defaults.PLAYLIST_TRACKS
    seconds: float | None = None
    diversity: float = defaults.DIVERSITY
    keep_seeds: bool = defaults.KEEP_SEEDS
    drift: bool = False
    vary: bool = False
    random_seed: int | None = None
    whiten: bool | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.n_tracks < 1:
            raise UsageError(
                f"A playlist can't have {self.n_tracks} tracks.", hint="Ask for 1 or more."
            )
        if not defaults.MIN_DIVERSITY <= self.diversity <= defaults.MAX_DIVERSITY:
            raise UsageError(
                f"The diversity can't be {self.diversity:g}.", hint="Use a number from 0 to 1."
            )
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise UsageError(
                f"The playing time can't be {self.seconds:g} seconds.",
                hint="Use a duration such as 60m.",
            )


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """Listening histories that a playlist starts from, or leaves out.

    Attributes
    ----------
    histories : tuple of ListeningHistory
    half_life_seconds : float
        A play counts half as much as one that is this much later.
    skip_seconds : float or None
        Tracks that were played at most this long ago are left out. None leaves out no track.

    Raises
    ------
    UsageError
        If a span of time is out of range.
    """

    histories: tuple[ListeningHistory, ...]
    half_life_seconds: float = defaults.HALF_LIFE_SECONDS
    skip_seconds: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for seconds in (self.half_life_seconds, self.skip_seconds):
            if seconds is not None and not 0 < seconds < math.inf:
                raise UsageError(
                    f"The span of time can't be {seconds:g} seconds.", hint="Use a span like 30d."
                )


@dataclass(frozen=True, slots=True)
class PlaylistRequest:
    """Everything that defines a playlist.

    Tracks are given by a path, an ``#ID``, or, for ``destination`` and ``waypoints``, words.

    Attributes
    ----------
    seeds : tuple of str
        Clips to start from: tracks, audio files, or playlist files.
    named : tuple of str
        More seeds. Each text stands for the one track with these words in its tags or path.
    destination : str or None
        Track at the end of a path.
    waypoints : tuple of str
        Tracks that a path passes through on the way to the destination, in this order.
    strategy : str or None
        Name of the strategy in `audiosearch.playlists.STRATEGIES` that chooses the tracks.
        Default: see `strategy_name`.
    options : PlaylistOptions
    constraints : Constraints
    filters : Filters
        Conditions that the tracks must meet. They don't apply to the seeds, the destination and
        the waypoints.
    excluded_playlists : tuple of PlaylistFile
        Playlists whose tracks are left out, even as seeds.
    excluded_ids : tuple of int
        Ids of tracks that are left out like those. They need not exist.
    preceding_ids : tuple of int
        Ids of tracks that were played before, in this order. The playlist goes on after them: they
        aren't part of it, but its tracks pass the rules about artists, albums and copies together
        with them. Ids of removed tracks are left out. Not for a path.
    unlike_ids : tuple of int
        Ids of tracks that the playlist should not sound like. Not for a path.
    history : HistoryOptions or None
        Listening histories. Recent plays are weighted seeds, which together count as much as all
        other seeds. A path doesn't start from them, but may leave out recent plays.

    Raises
    ------
    UsageError
        If fields of the request contradict each other.

    Examples
    --------
    >>> PlaylistRequest(seeds=("#1",), destination="#9").strategy_name
    'path'
    """

    seeds: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    destination: str | None = None
    waypoints: tuple[str, ...] = ()
    strategy: str | None = None
    options: PlaylistOptions = PlaylistOptions()
    constraints: Constraints = NO_CONSTRAINTS
    filters: Filters = EVERYTHING
    excluded_playlists: tuple[PlaylistFile, ...] = ()
    excluded_ids: tuple[int, ...] = ()
    preceding_ids: tuple[int, ...] = ()
    unlike_ids: tuple[int, ...] = ()
    history: HistoryOptions | None = None

    def __post_init__(self) -> None:
        """Check that the fields don't contradict each other."""
        if self.waypoints and self.destination is None:
            raise UsageError(
                "A path with waypoints needs a destination.",
                hint="Name the last track too: --to TRACK.",
            )
        is_skipping = self.history is not None and self.history.skip_seconds is not None
        if self.strategy_name == "path" and self.history is not None and not is_skipping:
            raise UsageError(
                "A path can't start from a listening history.",
                hint="Leave it out, or use it to leave out recent plays: "
                "`audiosearch playlist --history FILE --skip-recent 30d`.",
            )
        if self.strategy_name == "path" and (self.preceding_ids or self.unlike_ids):
            raise UsageError(
                "A path can't go on after other tracks, or avoid the sound of some.",
                hint="Use the strategy similar or drift.",
            )
        if self.options.drift and self.strategy_name != "drift":
            raise UsageError(
                f"The strategy {self.strategy_name} can't be combined with drift.",
                hint=f"Leave out --drift or --{'strategy' if self.strategy else 'to'}.",
            )

    @property
    def strategy_name(self) -> str:
        """Name of the strategy: ``strategy``, or else the one that the other fields imply.

        A destination implies "path", drift implies "drift", and neither implies "similar".
        """
        if self.strategy is not None:
            return self.strategy
        if self.destination is not None:
            return "path"
        return "drift" if self.options.drift else "similar"
