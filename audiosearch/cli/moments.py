"""Moments on the command line: ``TRACK@START-END``, and the options ``--from`` and ``--to``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiosearch.cli.text import position
from audiosearch.errors import UsageError
from audiosearch.json_input import parse_json
from audiosearch.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.library.track import Track
    from audiosearch.search.options import TimeRange

_QUERY_HINT = "Pipe the output of `audiosearch query CLIP --moments --format jsonl` into it."
_MAX_SECONDS = 1e9  # 30 years


@dataclass(frozen=True, slots=True)
class NamedMoment:
    """A moment as the user names it.

    Attributes
    ----------
    track : str
        Path or ``#ID`` of a track, or path of a file.
    start, end : float
        In seconds.
    title, artist : str or None
        Tags of the file, if they are given.
    """

    track: str
    start: float
    end: float
    title: str | None = None
    artist: str | None = None

    @property
    def is_named_by_id(self) -> bool:
        """Whether the track is named by its id."""
        return self.track[0] == "#" and self.track[1:].isdigit()


def time_range(start: str | None, end: str | None) -> TimeRange | None:
    """Return the part of a clip that ``--from`` and ``--to`` select; None without them.

    Raises
    ------
    UsageError
        If one of them is not a time.
    """
    from audiosearch.search.options import TimeRange

    if start is None and end is None:
        return None
    return TimeRange(
        0.0 if start is None else parse_time(start), None if end is None else parse_time(end)
    )


def moment_text(track: Track, start: float, end: float) -> str:
    """Return a moment as tables show it, and as `parse_moment` reads it.

    A track is named by its id, and a file that is not in the index by its path. The text of a very
    short moment covers a tenth of a second, so that it can be cut out.
    """
    end = max(end, round(start, 1) + 0.1)
    return f"{track.id or track.path}@{position(start)}-{position(end)}"


def parse_moments(texts: Iterable[str]) -> Iterator[NamedMoment]:
    """Yield the moments in the arguments of a command. The argument ``-`` is standard input.

    Raises
    ------
    UsageError
        If an argument, or a line of the input, is not a moment.
    """
    for text in texts:
        if text == "-":
            for number, line in enumerate(sys.stdin.buffer, start=1):
                if line.strip():
                    yield _moment_in_json(line, number)
        else:
            yield parse_moment(text)


def parse_moment(text: str) -> NamedMoment:
    """Return the moment in a text like ``12@1:02-1:07``.

    Raises
    ------
    UsageError
        If it is not a moment.

    Examples
    --------
    >>> parse_moment("12@1:02-1:07.5")
    NamedMoment(track='#12', start=62.0, end=67.5, title=None, artist=None)
    >>> parse_moment("me@home.mp3@0-2").track
    'me@home.mp3'
    """
    name, _, times = text.rpartition("@")
    start, dash, end = times.partition("-")
    if not name or not dash:
        raise UsageError(
            f"{text or 'An empty text'} is not a moment.",
            hint="Enter TRACK@START-END, for example 12@1:02.5-1:07, with a track's id or path.",
        )
    track = f"#{name}" if name.isascii() and name.isdigit() else name
    moment = NamedMoment(track, parse_time(start), parse_time(end))
    if moment.end <= moment.start:
        raise UsageError(
            f"The moment {text} doesn't end after it starts.", hint="Enter the earlier time first."
        )
    return moment


def _moment_in_json(line: bytes, number: int) -> NamedMoment:
    """Return the moment in a line of JSON: a hit of `query`."""
    try:
        hit = parse_json(line)
    except ValueError:
        hit = None
    if not isinstance(hit, dict) or not _has_moment(hit):
        raise UsageError(
            f"Line {number} of the standard input is not a hit with a start and an end.",
            hint=_QUERY_HINT,
        )
    tags = {name: hit[name] for name in ("title", "artist") if isinstance(hit.get(name), str)}
    return NamedMoment(hit["path"], float(hit["start"]), float(hit["end"]), **tags)


def _has_moment(hit: dict[str, Any]) -> bool:
    start, end = hit.get("start"), hit.get("end")
    are_numbers = type(start) in {int, float} and type(end) in {int, float}
    is_path = isinstance(hit.get("path"), str) and bool(hit["path"])
    return is_path and are_numbers and 0 <= hit["start"] < hit["end"] < _MAX_SECONDS
