"""Text for people: counts, durations, safe characters."""

from __future__ import annotations

from audiosearch.counting import counted
from audiosearch.escapes import printable

__all__ = ["clock", "counted", "printable"]


def clock(seconds: float) -> str:
    """Write a duration as music players do.

    Examples
    --------
    >>> clock(3.4), clock(225), clock(3_725)
    ('0:03', '3:45', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def position(seconds: float) -> str:
    """Write a position in a track, to a tenth of a second.

    Examples
    --------
    >>> position(0), position(62.44), position(3_725.99)
    ('0:00.0', '1:02.4', '1:02:06.0')
    """
    tenths = round(10 * seconds)
    return f"{clock(tenths // 10)}.{tenths % 10}"


def duration(seconds: float) -> str:
    """Write a duration as `clock` does, but one under a minute in seconds.

    Examples
    --------
    >>> duration(0.284), duration(59.999), duration(225)
    ('0.28 s', '1:00', '3:45')
    """
    return f"{seconds:.2f} s" if round(seconds, 2) < 60 else clock(seconds)
