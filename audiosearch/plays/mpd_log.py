"""Plays in the log of MPD, the Music Player Daemon: lines like ``... player: played "a/b.mp3"``.

Since version 0.24, a line begins with a time such as ``2026-05-07T17:51:23``. Before, it began with
``May 07 17:51 :``, and in the system's log with ``May  7 17:51:23``, both without the year. All
times are local.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from audiosearch.plays.history import Recording, TooLarge

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

_MAX_LINE = 100_000  # bytes
_MAX_PLAYS = 5_000_000
_MAX_BYTES = 8_000_000_000
_PLAYED = re.compile(rb'[^"]*\bplayed "(.+)"\s*')
_ISO = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?")
_WITHOUT_YEAR = re.compile(rb"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d)(?::(\d\d))?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# An entry may be this much later than the next one: clocks are set, and daylight saving time ends.
_DISORDER = timedelta(days=1)
_LEAP_YEARS = 8  # between two 29ths of February, at most


def plays_in_log(
    file: io.BufferedReader, *, changed: float
) -> Iterator[tuple[Recording, float] | None]:
    """Yield the plays in a log.

    A time without a year is the latest one that isn't after the next entry.

    Parameters
    ----------
    file : binary file
    changed : float
        Time of the last change of the file, in seconds since 1970. No entry is later.

    Raises
    ------
    TooLarge
        If it has too many bytes or plays.
    """
    entries: list[tuple[datetime | tuple[int, ...], str]] = []
    paths: dict[bytes, str] = {}
    n_bytes = 0
    for line in iter(partial(file.readline, _MAX_LINE), b""):
        n_bytes += len(line)
        entry = _entry(line)
        if entry is not None:
            stamp, raw_path = entry
            text = paths.setdefault(raw_path, raw_path.decode("utf-8", "surrogateescape"))
            entries.append((stamp, text))
        if n_bytes > _MAX_BYTES or len(entries) > _MAX_PLAYS:
            raise TooLarge(f"it has more than {_MAX_BYTES:,} bytes or {_MAX_PLAYS:,} plays")
    following = datetime.fromtimestamp(changed)
    for stamp, path in reversed(entries):
        time = stamp if isinstance(stamp, datetime) else _latest(stamp, following)
        if time is None:
            yield None
        else:
            following = time
            seconds = _timestamp(time)
            yield None if seconds is None else (Recording(path=path), seconds)


def _entry(line: bytes) -> tuple[datetime | tuple[int, ...], bytes] | None:
    """Return the time and the path in a line about a play. Without a year, the time is a tuple."""
    match = _PLAYED.fullmatch(line)
    if match is None:
        return None
    if iso := _ISO.match(line):
        try:
            return datetime.fromisoformat(iso.group().decode()), match[1]
        except ValueError:
            return None
    if (parts := _WITHOUT_YEAR.match(line)) and (month := parts[1].decode()) in _MONTHS:
        numbers = (int(part or 0) for part in parts.groups()[1:])
        return (_MONTHS.index(month) + 1, *numbers), match[1]
    return None


def _timestamp(time: datetime) -> float | None:
    """Return a time in seconds since 1970, or None if the system can't tell it."""
    try:
        return time.timestamp()
    except (OSError, OverflowError, ValueError):  # before 1970 on Windows, or in the year 1
        return None


def _latest(stamp: tuple[int, ...], following: datetime) -> datetime | None:
    """Return the latest time with a month, day, hour, minute and second that isn't too late."""
    month, day, hour, minute, second = stamp
    for year in range(following.year + 1, following.year - _LEAP_YEARS, -1):
        try:
            time = datetime(year, month, day, hour, minute, second)
        except ValueError:
            continue
        if time <= following + _DISORDER:
            return time
    return None
