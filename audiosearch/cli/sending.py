"""Options that send tracks to a player, and the report on what was sent."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.errors import LoginRefused, PlayerError, PlayerUnreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.library.track import Track
    from audiosearch.players import Player, PlayerAddress, SendOptions, SendResult

_MAX_LISTED = 20  # tracks that the player doesn't know

SendTo = Annotated[
    str | None,
    typer.Option(
        "--send",
        metavar="ADDRESS",
        help="Send to a player, such as mpd://HOST, mpd://PASSWORD@HOST:PORT or "
        "subsonic://USER@HOST/PATH.",
    ),
]
StoredName = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="With --send: make or replace the player's playlist of this name. Default for MPD: "
        "the queue; for Subsonic: the playlist's own title.",
    ),
]
Append = Annotated[
    bool,
    typer.Option(
        "--append", help="With --send: add behind the tracks that are there, and replace none."
    ),
]
Play = Annotated[
    bool, typer.Option("--play", help="With --send: start to play the first sent track.")
]


@dataclass(frozen=True, slots=True)
class Sending:
    """A player and the settings of sending to it."""

    address: PlayerAddress
    player: Player
    options: SendOptions

    def send(self, tracks: Sequence[Track], title: str, *, name: str | None = None) -> None:
        """Send tracks, and say how many went where and which ones the player doesn't know.

        Parameters
        ----------
        tracks : sequence of Track
            In playing order.
        title : str
            Title of the playlist.
        name : str, optional
            Name of the player's playlist. Default: that of the options.

        Raises
        ------
        PlayerError
            If there are no tracks, or the player raises it.
        """
        self._warn_of_unmatched([self._send(tracks, title, name=name)])

    def _send(self, tracks: Sequence[Track], title: str, *, name: str | None) -> SendResult:
        from audiosearch.cli.console import say
        from audiosearch.cli.text import counted

        if not tracks:
            raise PlayerError(
                f"There are no tracks to send to {self.address}.",
                hint="The player keeps what it has. Make the playlist from other seeds or filters.",
            )
        name = self.options.name if name is None else name
        result = self.player.send(tracks, replace(self.options, title=title, name=name))
        say(f"{counted(result.n_sent, 'track')} sent to {result.destination} at {self.address}.")
        return result

    def _warn_of_unmatched(self, results: Iterable[SendResult]) -> None:
        """Warn of each track that the player doesn't know once."""
        from audiosearch.cli.console import say_hint, warn
        from audiosearch.cli.text import counted

        hints = {track.path: result.hint for result in results for track in result.unmatched}
        paths = list(hints)
        for path in paths[:_MAX_LISTED]:
            warn(f"{self.address} doesn't know {path}")
        n_more = len(paths) - _MAX_LISTED
        if n_more > 0:
            warn(f"and {counted(n_more, 'more track')}")
        for hint in filter(None, dict.fromkeys(hints.values())):
            say_hint(hint)

    def send_all(self, playlists: Iterable[tuple[str, Sequence[Track]]]) -> None:
        """Send playlists under their names. One that can't be sent doesn't keep back the others.

        Once the player can't be reached or refuses the login, nothing more is sent. Tracks that the
        player doesn't know, hints and equal failures are shown once, at the end.

        Parameters
        ----------
        playlists : iterable of (str, sequence of Track)

        Raises
        ------
        PlayerError
            If some were not sent.
        """
        from audiosearch.cli.console import warn

        results: list[SendResult] = []
        failed: dict[str, list[str]] = {}  # names by message
        error: PlayerError | None = None
        for name, tracks in playlists:
            if not isinstance(error, (PlayerUnreachable, LoginRefused)):
                try:
                    results.append(self._send(tracks, name, name=name))
                    continue
                except PlayerError as exc:
                    error = exc
            failed.setdefault(str(error), []).append(name)
        self._warn_of_unmatched(results)
        for message, names in failed.items():
            warn(f"{', '.join(names)}: not sent. {message}")
        if error is not None:
            all_names = ", ".join(chain.from_iterable(failed.values()))
            raise PlayerError(
                f"Not sent to {self.address}: {all_names}.", hint=error.hint
            ) from error


def checked_sending(
    address: str | None,
    *,
    name: str | None = None,
    is_appended: bool = False,
    is_played: bool = False,
    prefixes: tuple[tuple[str, str], ...] = (),
) -> Sending | None:
    """Return the player at an address with the settings; None without an address.

    Call this before long work, because it finds mistakes in the options.

    Parameters
    ----------
    address : str or None
    name, is_appended, is_played, prefixes : str or None, bool, bool, tuple of (str, str)
        See `audiosearch.players.SendOptions`.

    Raises
    ------
    UsageError
        If it is no address of a player, or settings are given without one.
    MissingExtra
        If the package for this player is not installed.
    """
    from audiosearch.cli.console import ask_password
    from audiosearch.players import PlayerAddress, SendOptions, open_player

    options = SendOptions(
        name=name, is_appended=is_appended, is_played=is_played, prefixes=prefixes
    )
    if address is not None:
        parsed = PlayerAddress.parse(address)
        ask = ask_password if sys.stdin.isatty() else None
        return Sending(parsed, open_player(parsed, ask=ask), options)
    given = {
        "--name": name is not None,
        "--append": is_appended,
        "--play": is_played,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} needs a player.", hint=f"Add --send ADDRESS, or leave out {option}."
            )
    return None
