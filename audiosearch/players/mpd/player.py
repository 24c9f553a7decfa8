"""MPD as a player: its queue and its stored playlists."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from audiosearch.errors import PlayerError, UsageError
from audiosearch.players.mpd.connection import (
    check_address,
    connected,
    is_sendable,
    parts,
    require_client,
    translated_errors,
)
from audiosearch.players.mpd.songs import Songs
from audiosearch.players.player import SendResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mpd import MPDClient

    from audiosearch.library.track import Track
    from audiosearch.players.address import PlayerAddress
    from audiosearch.players.player import SendOptions

UNKNOWN_HINT = (
    "Update MPD's database with `mpc update`. If its folders have other names than those of the "
    "index, add --prefix OLD=NEW, where NEW is a folder below MPD's music folder."
)
_QUEUE_COMMANDS = ("add", "delete", "stop", "play", "status")
_PLAYLIST_COMMANDS = ("listplaylists", "playlistadd", "rename", "rm")


class MpdPlayer:
    """The Music Player Daemon.

    Parameters
    ----------
    address : PlayerAddress
        ``mpd://[PASSWORD@]HOST[:PORT]``, or ``mpd:///PATH`` of a socket.

    Raises
    ------
    MissingExtra
        If the package python-mpd2 is not installed.
    UsageError
        If the address can't be one of MPD.
    """

    def __init__(self, address: PlayerAddress) -> None:
        require_client()
        check_address(address)
        self.address = address

    def send(self, tracks: Sequence[Track], options: SendOptions) -> SendResult:
        """Fill the queue, or make or replace a stored playlist. See `Player.send`."""
        if options.name is not None:
            _check_name(options.name)
        needs = _QUEUE_COMMANDS if options.name is None else _PLAYLIST_COMMANDS
        with connected(self.address, needs) as client, translated_errors(self.address):
            uris = Songs(client, options.prefixes).uris(tracks)
            sent = [uris[track.id] for track in tracks if track.id in uris]
            if not sent:
                raise unknown_tracks(self.address, client)
            if options.name is None:
                _fill_queue(client, sent, options)
            else:
                _store_playlist(client, options.name, sent, is_appended=options.is_appended)
        unmatched = [track for track in tracks if track.id not in uris]
        destination = "the queue" if options.name is None else f"the playlist {options.name}"
        return SendResult(len(sent), destination, unmatched, UNKNOWN_HINT)


def unknown_tracks(address: PlayerAddress, client: MPDClient) -> PlayerError:
    """Return the error that MPD knows none of the tracks."""
    if client.stats().get("songs") == "0":
        return PlayerError(
            f"The database of MPD at {address} is empty.",
            hint="Set music_directory in mpd.conf, and run `mpc update`.",
        )
    return PlayerError(f"MPD at {address} knows none of the tracks.", hint=UNKNOWN_HINT)


def add_to_queue(client: MPDClient, uris: Sequence[str]) -> None:
    """Add songs at the end of the queue: all of them, or none."""
    with _all_or_none(client, _queue_length(client)):
        _begin_adding(client, client.add, uris)
        client.command_list_end()


def _fill_queue(client: MPDClient, uris: Sequence[str], options: SendOptions) -> None:
    from mpd import CommandError, FailureResponseCode

    n_before = _queue_length(client)
    try:
        with _all_or_none(client, n_before):
            _begin_adding(client, client.add, uris)
            if not options.is_appended:  # the old ones go last, so that an error leaves them
                client.stop()
                if n_before:
                    client.delete((0, n_before))
            if options.is_played:
                client.play(n_before if options.is_appended else 0)
            client.command_list_end()
    except CommandError as exc:
        is_full = exc.errno is FailureResponseCode.PLAYLIST_MAX
        if options.is_appended or not is_full or len(uris) > n_before:
            raise
        client.clear()  # there is no room for the old and the new ones at the same time
        _fill_queue(client, uris, options)


def _queue_length(client: MPDClient) -> int:
    return int(client.status()["playlistlength"])


def _begin_adding(client: MPDClient, add: Callable[[str], object], uris: Sequence[str]) -> None:
    """Begin a list of commands that adds songs, which MPD runs once it has received all of it.

    If one list can't hold them, all but the last songs are added at once.
    """
    for number, part in enumerate(parts(uris)):
        if number:
            client.command_list_end()
        client.command_list_ok_begin()
        for uri in part:
            add(uri)


@contextlib.contextmanager
def _all_or_none(client: MPDClient, n_before: int) -> Iterator[None]:
    """Remove the songs that were added to the queue, if MPD refuses one of them."""
    from mpd import CommandError

    try:
        yield
    except CommandError:
        with contextlib.suppress(CommandError):  # none was added
            client.delete((n_before,))
        raise


def _store_playlist(
    client: MPDClient, name: str, uris: Sequence[str], *, is_appended: bool
) -> None:
    """Make or replace a stored playlist, or add to it.

    A draft replaces the old playlist once it is complete, because a list of commands that fails
    halfway isn't undone.
    """
    from mpd import CommandError

    names = {playlist["playlist"] for playlist in client.listplaylists()}
    is_new = not (is_appended and name in names)
    draft = _unused(f"{name} (new)", names) if is_new else name
    try:
        _begin_adding(client, partial(client.playlistadd, draft), uris)
        if is_new and name in names:
            client.rm(name)
        if is_new:
            client.rename(draft, name)
        client.command_list_end()
    except CommandError:
        if is_new:
            with contextlib.suppress(CommandError):  # there is none yet
                client.rm(draft)
        raise


def _unused(name: str, names: set[str]) -> str:
    while name in names:
        name += "+"
    return name


def _check_name(name: str) -> None:
    if "/" in name or not is_sendable(name):
        raise UsageError(
            f"MPD can't keep a playlist under the name {name!r}.",
            hint="Use a name without slashes and line breaks.",
        )
