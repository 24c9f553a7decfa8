"""The table of players by scheme of their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.players.address import PlayerAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.players.player import Player


def open_player(address: str | PlayerAddress, *, ask: Callable[[str], str] | None = None) -> Player:
    """Return the player at an address. It connects when it is used.

    Parameters
    ----------
    address : str or PlayerAddress
    ask : callable, optional
        Takes a question and returns the user's answer, if a password is needed and found nowhere.
        Default: nobody is asked.

    Raises
    ------
    UsageError
        If it is no address of a player.
    MissingExtra
        If the package for this player is not installed.
    """
    if isinstance(address, str):
        address = PlayerAddress.parse(address)
    if address.scheme == "mpd":
        from audiosearch.players.mpd import MpdPlayer

        return MpdPlayer(address)
    from audiosearch.players.subsonic import SubsonicPlayer

    return SubsonicPlayer(address, ask)
