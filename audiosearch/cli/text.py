"""Text for people: counts, durations, safe characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.escapes import printable
from audiosearch.times import clock, position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SOUNDS", "clock", "counted", "duration", "joined_names", "position", "printable"]

#: Column with the sounds of tracks: lists in JSON, elsewhere texts from `joined_names`.
SOUNDS = "sounds"


def joined_names(sounds: Sequence[Mapping[str, Any]]) -> str:
    """Return the names of sounds as one text.

    Examples
    --------
    >>> joined_names([{"name": "Dog", "score": 0.9}, {"name": "Bark", "score": 0.5}])
    'Dog; Bark'
    """
    return defaults.LIST_SEPARATOR.join(sound["name"] for sound in sounds)


def duration(seconds: float) -> str:
    """Write a duration as `clock` does, but one under a minute in seconds.

    Examples
    --------
    >>> duration(0.284), duration(59.999), duration(225)
    ('0.28 s', '1:00', '3:45')
    """
    return f"{seconds:.2f} s" if round(seconds, 2) < 60 else clock(seconds)
