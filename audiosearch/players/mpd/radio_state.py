"""State of the radio: what was played, skipped and added, and which tracks come next."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.players.mpd.played import Play, Played
from audiosearch.players.mpd.queue_events import EventKind, QueueItem, QueueObserver
from audiosearch.search.playlist_tracks import PlaylistTracks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.players.mpd.songs import Songs
    from audiosearch.playlists import Continuation

log = logging.getLogger(__name__)

_MAX_UNLIKE = 10  # skipped tracks that have an influence: the last ones
_MAX_ADDED = 5  # the same for tracks that were added by hand


@dataclass(frozen=True, slots=True)
class RadioSettings:
    """Settings of the radio.

    Attributes
    ----------
    n_ahead : int
        Number of tracks in the queue after the one that plays.
    window_seconds : float
        Time in which no track comes again.
    is_played : bool
        Whether MPD starts to play at the beginning, if it doesn't.
    prefixes : tuple of (str, str)
        See `audiosearch.players.SendOptions`.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    n_ahead: int
    window_seconds: float
    is_played: bool = False
    prefixes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.n_ahead < 1 or self.window_seconds <= 0:
            raise UsageError(
                "The radio keeps at least one track ahead, and a time longer than 0.",
                hint="Use --ahead 3 and --window 4h, for example.",
            )


class RadioState:
    """Knowledge of the radio, which stays when the connection is lost.

    Parameters
    ----------
    index : Index
    continuation : Continuation
        Chooses the tracks.
    settings : RadioSettings
    played : Played

    Attributes
    ----------
    observer : QueueObserver
    has_started : bool
        Whether the queue was filled once.
    first_seeds : list of str
        Paths of tracks that are seeds instead of those of the continuation, which has none.
    added : list of str
        Paths of the tracks that were added by hand last, which are seeds too.
    unknown : set of str
        Paths of tracks that MPD doesn't know.
    paths : dict of str to str or None
        Paths of tracks by MPD's name of the song; None for songs that aren't in the index.
    """

    def __init__(
        self, index: Index, continuation: Continuation, settings: RadioSettings, played: Played
    ) -> None:
        self.index, self.settings, self.played = index, settings, played
        self.continuation = continuation
        self.observer = QueueObserver()
        self.has_started = False
        self.first_seeds: list[str] = []
        self.added: list[str] = []
        self.unknown: set[str] = set()
        self.paths: dict[str, str | None] = {}
        self._warned: set[str] = set()
        self._token: tuple[int, int] | None = None
        self._playlist_tracks = PlaylistTracks(index)

    def find_tracks(self, songs: Songs, items: Iterable[QueueItem]) -> None:
        """Find the tracks of songs that are new, or that were not in the index before."""
        token = self.index.version_token()
        if token != self._token:
            self._token, self._playlist_tracks = token, PlaylistTracks(self.index)
            self.paths = {uri: path for uri, path in self.paths.items() if path is not None}
        new = {item.uri: item.seconds for item in items if item.uri not in self.paths}
        if new:
            tracks = songs.tracks(new.items(), self._playlist_tracks)
            self.paths |= {uri: tracks[uri].path if uri in tracks else None for uri in new}

    def follow(self, kind: EventKind, uri: str) -> None:
        """Remember an event, and change the seeds by it."""
        path = self.paths.get(uri)
        if path is None:
            return
        if kind is EventKind.ADDED:
            self.added = [*_without(self.added, path), path][-_MAX_ADDED:]
            log.info("More like %s, which was added by hand.", self._label(path))
            return
        is_skipped = kind is EventKind.SKIPPED
        self.played.add(Play(time.time(), path, is_skipped))
        if is_skipped:
            log.info("Less like %s, which was skipped.", self._label(path))
            first_seeds, added = (_without(paths, path) for paths in (self.first_seeds, self.added))
            if first_seeds or added or self.continuation.has_seeds:
                self.first_seeds, self.added = first_seeds, added

    def next_tracks(self, n_tracks: int, queue: Iterable[QueueItem]) -> list[Track]:
        """Choose tracks that come after those in the queue."""
        plays = self.recent()
        in_queue = [path for item in queue if (path := self.paths.get(item.uri))]
        before = [play.path for play in plays if play.path not in in_queue]
        liked = [*self.first_seeds, *self.added]
        unlike = [play.path for play in plays if play.is_skipped and play.path not in liked]
        playlist = self.continuation.next_tracks(
            n_tracks,
            preceding=self._tracks([*before, *in_queue]),
            liked=self._tracks(liked),
            unlike=self._tracks(unlike[-_MAX_UNLIKE:]),
            excluded_paths=self.unknown,
        )
        if len(playlist.tracks) < n_tracks <= self.settings.n_ahead:
            self.warn_once("few tracks", "; ".join(playlist.notes))
        return playlist.tracks

    def recent(self) -> list[Play]:
        """Return what was played within the window, oldest first."""
        return self.played.since(time.time() - self.settings.window_seconds)

    def warn_once(self, key: str, message: str) -> None:
        """Log a warning, unless one with the same key was logged before."""
        if key not in self._warned:
            log.warning("%s", message)
        self._warned.add(key)

    def _label(self, path: str) -> str:
        track = self.index.storage.track_at(path)
        return path if track is None else track.label

    def _tracks(self, paths: Iterable[str]) -> list[Track]:
        tracks = map(self.index.storage.track_at, dict.fromkeys(paths))
        return [track for track in tracks if track is not None]


def _without(paths: list[str], path: str) -> list[str]:
    return [other for other in paths if other != path]
