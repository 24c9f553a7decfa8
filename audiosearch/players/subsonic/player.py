"""Sends playlists to Subsonic servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import PlayerError, UsageError
from audiosearch.players.player import SendResult
from audiosearch.players.subsonic.client import items, logged_in
from audiosearch.players.subsonic.lookup import songs_of
from audiosearch.players.subsonic.passwords import find_password
from audiosearch.players.subsonic.server_url import server_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audiosearch.library.track import Track
    from audiosearch.players.address import PlayerAddress
    from audiosearch.players.player import SendOptions
    from audiosearch.players.subsonic.client import SubsonicClient


_HINT = (
    "The server must have the same files. Songs are found by path, by MusicBrainz id, or by title, "
    "artist and length."
)


class SubsonicPlayer:
    """A Subsonic server, which keeps named playlists.

    Parameters
    ----------
    address : PlayerAddress
    ask : callable, optional
        Asks the user for a password that is found nowhere: see `passwords.find_password`.

    Raises
    ------
    UsageError
        If the address names no server or no user.
    """

    def __init__(self, address: PlayerAddress, ask: Callable[[str], str] | None = None) -> None:
        self._url = server_url(address)
        if not address.user:
            raise UsageError(f"{address} names no user.", hint="Enter subsonic://USER@HOST.")
        self._address, self._user, self._ask = address, address.user, ask

    def send(self, tracks: Sequence[Track], options: SendOptions) -> SendResult:
        """Make a playlist of the user on the server, or replace or extend the one of that name.

        Its name is the option's, or else the playlist's title.

        Raises
        ------
        PlayerError
            If the server can't be reached, refuses, or knows none of the tracks.
        UsageError
            If the tracks should play: the user's app does that.
        """
        if options.is_played:
            raise UsageError(
                "A Subsonic server doesn't play: the app does that.",
                hint="Leave out --play, and start the playlist in the app.",
            )
        password = find_password(self._address, self._ask)
        name = options.title or "audiosearch" if options.name is None else options.name
        with logged_in(self._url, self._user, password) as client:
            songs = songs_of(client, tracks)
            ids = [song.id for song in songs if song is not None]
            if not ids:
                raise PlayerError(
                    f"The server {self._url} knows none of the {len(tracks)} tracks.",
                    hint="Check that the server has the same files, and has scanned them.",
                )
            self._store(client, name, ids, is_appended=options.is_appended)
        unmatched = [track for track, song in zip(tracks, songs, strict=True) if song is None]
        return SendResult(len(ids), f"the playlist {name}", unmatched, _HINT)

    def _store(
        self, client: SubsonicClient, name: str, ids: list[str], *, is_appended: bool
    ) -> None:
        playlists = items(client.call("getPlaylists"), "playlists", "playlist")
        user = self._user.casefold()
        same_name = [
            str(playlist["id"])
            for playlist in playlists
            if playlist.get("name") == name
            and str(playlist.get("owner") or user).casefold() == user
        ]
        if not same_name:
            client.call("createPlaylist", name=name, songId=ids)
        elif is_appended:
            client.call("updatePlaylist", playlistId=same_name[0], songIdToAdd=ids)
        else:
            client.call("createPlaylist", playlistId=same_name[0], songId=ids)
