"""The radio: keeps MPD's queue a few tracks ahead of what plays."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.errors import PlayerUnreachable, UsageError
from audiosearch.players.mpd.connection import DEFAULT_PORT, connected, translated_errors
from audiosearch.players.mpd.played import Played, only_radio, played_file
from audiosearch.players.mpd.player import add_to_queue, unknown_tracks
from audiosearch.players.mpd.queue_events import QueueItem, Snapshot, n_ahead
from audiosearch.players.mpd.radio_state import RadioSettings, RadioState
from audiosearch.players.mpd.songs import Songs, seconds_of
from audiosearch.playlists.songs import is_song

if TYPE_CHECKING:
    from mpd import MPDClient

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.players.address import PlayerAddress
    from audiosearch.players.mpd.player import MpdPlayer
    from audiosearch.playlists import Continuation

log = logging.getLogger(__name__)

_COMMANDS = ("add", "delete", "idle", "play", "playlistinfo", "status")
_EVENTS = ("database", "options", "player", "playlist")
_IDLE_S = 300.0  # then the connection is made again, because a dead one tells nothing
_MAX_WAIT_S = 60.0  # between two attempts to connect
_GROWTH = 4  # factor for the number of tracks to choose, if MPD doesn't know some
_MAX_CHOSEN = 256
_MAX_UNKNOWN = 2_000  # tracks in a row that MPD doesn't know
_RANDOM_MODE = "MPD plays the tracks ahead in random order. `mpc random off` ends that."
_SINGLE_MODE = "MPD stops after each track, or repeats it. `mpc single off` ends that."


def play_radio(
    index: Index, continuation: Continuation, player: MpdPlayer, settings: RadioSettings
) -> None:
    """Keep MPD's queue a few tracks ahead of what plays, until the process is interrupted.

    Tracks that the listener leaves within the first 30 seconds, or 30 % if that is less, become
    tracks to avoid. Tracks that are added by hand become seeds. If the continuation has no seeds,
    the tracks that are in the queue at the beginning are the seeds.

    Parameters
    ----------
    index : Index
    continuation : Continuation
        Chooses the tracks.
    player : MpdPlayer
    settings : RadioSettings

    Raises
    ------
    UsageError
        If there is no seed.
    PlayerError
        If MPD can't be reached at the beginning, refuses, or knows no track of the index, or
        another radio fills its queue.
    LibraryError
        If the index can't be searched.
    """
    address = player.address
    is_default_port = address.host and address.port is None
    file = played_file(f"{address}:{DEFAULT_PORT}" if is_default_port else str(address))
    with only_radio(file, str(address)):
        state = RadioState(index, continuation, settings, Played(file))
        _stay_connected(state, address)


def _stay_connected(state: RadioState, address: PlayerAddress) -> None:
    """Follow MPD, and connect again whenever the connection is lost."""
    wait = 0.0
    while True:
        try:
            with connected(address, _COMMANDS) as client:
                client.idletimeout = _IDLE_S
                connected_radio = _ConnectedRadio(state, client, address)
                is_alive = True
                while is_alive:
                    connected_radio.update()
                    if wait:
                        log.info("Connected to %s again.", address)
                    wait = 0.0
                    is_alive = connected_radio.wait_for_news()
        except PlayerUnreachable as exc:
            if not state.has_started:
                raise
            wait = min(2 * wait or 1.0, _MAX_WAIT_S)
            log.warning("%s Trying again in %g s.", exc, wait)
            state.observer.reconnected()
            time.sleep(wait)


class _ConnectedRadio:
    """The radio during one connection."""

    def __init__(self, state: RadioState, client: MPDClient, address: PlayerAddress) -> None:
        self._state, self._client, self._address = state, client, address
        self._read_songs()

    def _read_songs(self) -> None:
        with translated_errors(self._address):
            self._songs = Songs(self._client, self._state.settings.prefixes)

    def update(self) -> None:
        """Look at the queue, take account of what has happened, and add tracks."""
        state = self._state
        with translated_errors(self._address):
            now, status = _snapshot(self._client)
        if now.is_random:
            state.warn_once("random", _RANDOM_MODE)
        if status.get("single", "0") != "0":
            state.warn_once("single", _SINGLE_MODE)
        if error := status.get("error"):
            state.warn_once(error, f"MPD: {error}")
        events = state.observer.observe(now)
        state.find_tracks(self._songs, now.queue)
        if not state.has_started:
            self._start(now)
        for kind, uri in events:
            state.follow(kind, uri)
        played = {play.path for play in state.recent()}
        is_played = {item.uri for item in now.queue if state.paths.get(item.uri) in played}
        self._fill(state.settings.n_ahead - n_ahead(now, is_played), now.queue)
        if not state.has_started and state.settings.is_played and now.state != "play":
            with translated_errors(self._address):
                self._client.play()
        state.has_started = True

    def wait_for_news(self) -> bool:
        """Wait until something happens in MPD. Return False if it has been quiet for long."""
        with translated_errors(self._address):
            try:
                changes = self._client.idle(*_EVENTS)
            except TimeoutError:
                return False
        if "database" in changes:
            self._state.unknown.clear()
            self._read_songs()
        return True

    def _start(self, now: Snapshot) -> None:
        state = self._state
        if state.continuation.has_seeds:
            return
        items = sorted(now.queue, key=lambda item: item.song_id != now.current_id)
        known = [(path, item.seconds) for item in items if (path := state.paths.get(item.uri))]
        songs = [path for path, seconds in known if is_song(seconds)]
        state.first_seeds = (songs or [path for path, _ in known])[: defaults.MAX_SEEDS]
        if not state.first_seeds:
            raise UsageError(
                f"The queue of {self._address} holds no track of the index to start from.",
                hint="Name a track as SEED, or add one to the queue.",
            )

    def _fill(self, n_wanted: int, queue: tuple[QueueItem, ...]) -> None:
        """Add tracks to the queue: the next ones among those that MPD knows."""
        state, n_chosen = self._state, n_wanted
        while n_wanted > 0:
            tracks = state.next_tracks(n_chosen, queue)
            with translated_errors(self._address):
                uris = self._songs.uris(tracks)
            first = tracks[:n_wanted]
            if first and all(track.id in uris for track in first):
                self._enqueue([(track, uris[track.id]) for track in first])
                return
            state.unknown.update(track.path for track in tracks if track.id not in uris)
            if not first or (not uris and len(state.unknown) > _MAX_UNKNOWN):
                self._report_no_track()
                return
            n_chosen = min(n_chosen * _GROWTH, _MAX_CHOSEN)

    def _report_no_track(self) -> None:
        if self._state.unknown and not self._state.has_started:
            with translated_errors(self._address):
                raise unknown_tracks(self._address, self._client)
        self._state.warn_once("no track", "There is no track to add at the moment.")

    def _enqueue(self, songs: list[tuple[Track, str]]) -> None:
        uris = [uri for _, uri in songs]
        with translated_errors(self._address):
            add_to_queue(self._client, uris)
        self._state.observer.enqueued(uris)
        for track, uri in songs:
            self._state.paths[uri] = track.path
            log.info("Added %s.", track.label)


def _snapshot(client: MPDClient) -> tuple[Snapshot, dict[str, str]]:
    """Return the state of MPD, and all of its answer to "status"."""
    client.command_list_ok_begin()
    client.status()
    client.playlistinfo()
    status, songs = client.command_list_end()
    queue = tuple(QueueItem(int(song["id"]), song["file"], seconds_of(song)) for song in songs)
    current = status.get("songid")
    snapshot = Snapshot(
        time.monotonic(),
        queue,
        status["state"],
        None if current is None else int(current),
        elapsed=float(status.get("elapsed", 0.0)),
        is_decoded="audio" in status,
        is_random=status.get("random") == "1",
        has_next="nextsong" in status,
    )
    return snapshot, status
