"""Plays of recordings, collected by recording."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from audiosearch.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_PLAYS = 20_000_000
_MAX_RECORDINGS = 2_000_000
_FUTURE_SECONDS = 86_400.0  # clocks and time zones differ by less than this


class TooLarge(ValueError):
    """A history is larger than accepted. The message is a phrase."""


class Recording(NamedTuple):
    """A recording as a history names it: by its path, or by its artist and title.

    Attributes
    ----------
    path : str
        Path or end of a path; empty if unknown.
    artist, title, album : str
        Empty if unknown.
    """

    path: str = ""
    artist: str = ""
    title: str = ""
    album: str = ""


@dataclass(frozen=True, slots=True)
class ListeningHistory:
    """Contents of a file with plays.

    Attributes
    ----------
    name : str
        Path of the file.
    times : mapping of Recording to array of float
        Times of the plays of each recording, in seconds since 1970.
    warnings : tuple of str
        Sentences about entries that were left out.
    """

    name: str
    times: Mapping[Recording, array[float]]
    warnings: tuple[str, ...] = ()


def collect(
    name: str, plays: Iterable[tuple[Recording, float] | None], *, now: float
) -> ListeningHistory:
    """Collect plays by recording.

    Parameters
    ----------
    name : str
        Path of the file.
    plays : iterable of (Recording, float), or None
        Recording and time of each play, in seconds since 1970; None for an entry without them.
    now : float
        Current time. Later plays are left out.

    Raises
    ------
    TooLarge
        If there are too many plays.
    """
    times: dict[Recording, array[float]] = {}
    n_unusable = n_future = 0
    for n_plays, play in enumerate(plays):
        if n_plays >= _MAX_PLAYS or len(times) > _MAX_RECORDINGS:
            raise TooLarge(f"it has more than {_MAX_PLAYS:,} plays or {_MAX_RECORDINGS:,} tracks")
        if play is None or not math.isfinite(play[1]):
            n_unusable += 1
        elif play[1] > now + _FUTURE_SECONDS:
            n_future += 1
        else:
            recording, time = play
            if recording not in times:
                times[recording] = array("d")
            times[recording].append(time)
    warnings = []
    if n_unusable:
        entries = counted(n_unusable, "entry", "entries")
        warnings.append(f"{name}: {entries} without a time, artist or title left out")
    if n_future:
        warnings.append(f"{name}: {counted(n_future, 'play')} in the future left out")
    return ListeningHistory(name, times, tuple(warnings))
