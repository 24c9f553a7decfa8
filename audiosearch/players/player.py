"""The protocol of players, and what they are told and answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.track import Track


@dataclass(frozen=True, slots=True)
class SendOptions:
    """Settings of sending a playlist.

    Attributes
    ----------
    title : str
        The playlist's own title. A player that only keeps named playlists uses it without a name.
    name : str or None
        Name of a stored playlist of the player, made or replaced instead of filling the queue.
    is_appended : bool
        Whether the tracks go behind those that are in the queue or playlist.
    is_played : bool
        Whether the first sent track starts to play.
    prefixes : tuple of (str, str)
        Pairs of a prefix and its replacement: they turn a track's path into the player's path. The
        first prefix that a path starts with is replaced.

    Raises
    ------
    UsageError
        If a stored playlist should play, or its name is blank.
    """

    title: str = ""
    name: str | None = None
    is_appended: bool = False
    is_played: bool = False
    prefixes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check that the settings don't contradict each other."""
        if self.name is not None and not self.name.strip():
            raise UsageError(
                "The name of the player's playlist is empty.", hint="Enter --name NAME."
            )
        if self.name is not None and self.is_played:
            raise UsageError(
                "A playlist that the player keeps under a name doesn't start to play.",
                hint="Leave out --name or --play.",
            )


@dataclass(frozen=True, slots=True)
class SendResult:
    """Result of sending a playlist.

    Attributes
    ----------
    n_sent : int
    destination : str
        Where the tracks are now, such as "the queue" or "the playlist Like Song".
    unmatched : list of Track
        Tracks that the player doesn't know. They were left out.
    hint : str
        What makes the player know such tracks, in one sentence.
    """

    n_sent: int
    destination: str
    unmatched: list[Track] = field(default_factory=list)
    hint: str = ""


class Player(Protocol):
    """A music player or server."""

    def send(self, tracks: Sequence[Track], options: SendOptions) -> SendResult:
        """Send tracks in playing order.

        Raises
        ------
        PlayerError
            If the player can't be reached, refuses, or knows none of the tracks.
        UsageError
            If it can't do what an option asks.
        """
        ...
