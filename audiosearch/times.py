"""Times in a recording, as people type and read them: ``62.5``, ``1:02`` and ``1:02:03.4``."""

from __future__ import annotations

import re

from audiosearch.errors import UsageError

_HOURS_OR_MINUTES = re.compile("[0-9]{1,6}")
_SECONDS = re.compile(r"[0-9]{1,8}(\.[0-9]{0,9})?|\.[0-9]{1,9}")


def parse_time(text: str) -> float:
    """Return a time in seconds.

    Parameters
    ----------
    text : str
        Seconds; minutes and seconds; or hours, minutes and seconds.

    Raises
    ------
    UsageError
        If the text is not a time.

    Examples
    --------
    >>> parse_time("62.5"), parse_time("1:02"), parse_time("1:02:03.4")
    (62.5, 62.0, 3723.4)
    """
    *larger, smallest = text.strip().split(":")
    is_time = (
        len(larger) <= 2
        and all(map(_HOURS_OR_MINUTES.fullmatch, larger))
        and _SECONDS.fullmatch(smallest)
    )
    parts = [*map(int, larger), float(smallest)] if is_time else []
    if not parts or any(part >= 60 for part in parts[1:]):
        raise UsageError(
            f"{text or 'An empty text'} is not a time in a recording.",
            hint="Enter seconds like 62.5, or a time like 1:02 or 1:02:03.4.",
        )
    return float(sum(part * 60.0**power for power, part in enumerate(reversed(parts))))


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
