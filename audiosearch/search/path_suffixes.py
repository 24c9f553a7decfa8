"""Find the track whose path ends like a path from another machine."""

from __future__ import annotations

import re
from bisect import bisect_left
from operator import itemgetter
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from audiosearch import time_limit
from audiosearch.normal_form import normal_form
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.track import Track
    from audiosearch.playlist_files import Entry

_MAX_TIES = 100  # tracks with the same suffix that are compared more closely
_TOLERANCE_SECONDS = 2.0  # programs round durations, and count padding or not
# Names that say nothing but a number: those that programs give to discs and tracks.
_NUMBER = re.compile(r"(?:audio|cd|dis[ck]|track|titel|piste|pista|[\W\d_])*", re.IGNORECASE)


class PathSuffixes:
    """The ends of all tracks' paths.

    Paths are compared in Unicode's normal form NFC, case-folded, and with backslashes as slashes.

    Parameters
    ----------
    tracks : iterable of Track
    """

    def __init__(self, tracks: Iterable[Track]) -> None:
        # Reversed paths that start alike end alike, and are neighbors once sorted.
        rows = [
            (_folded(key), key, track)
            for track in tracks
            for key in [_key(folders_and_name(track.path))]
        ]
        self._rows = sorted(rows, key=itemgetter(0))

    def find(self, entry: Entry) -> tuple[Track | None, int]:
        """Return the track that an entry of a playlist names.

        It has the longest suffix in common with the entry. Case decides between several such
        tracks. A suffix shared by different recordings names none of them. Neither does a
        suffix that drops folders of the entry, unless it contains a folder or a file name that is
        more than a number. A file name alone must not contradict the duration of the entry.

        Returns
        -------
        (Track or None, int)
            The track, or None, and the number of tracks with the longest suffix.
        """
        matches = [
            (*self._longest(parts), parts)
            for path in (entry.path, *entry.alternatives)
            for parts in _possible_parts(path)
        ]
        length, n_ties, ties, parts = max(matches, key=itemgetter(0))  # the first of the longest
        is_ambiguous = len({track.sound_hash or track.path for track in ties}) > 1
        if not ties or n_ties > _MAX_TIES or is_ambiguous:
            return None, n_ties
        is_whole = length == len(parts)
        if is_whole or _is_telling(parts[-length:], entry, ties[0]):
            return ties[0], n_ties
        return None, 0

    def _longest(self, parts: list[str]) -> tuple[int, int, list[Track]]:
        """Find the longest known suffix: its number of parts, and of tracks, and some of these."""

        def rows_of(length: int) -> tuple[int, int]:
            time_limit.check()
            folded = _folded(_key(parts[-length:]))
            start = bisect_left(self._rows, folded, key=itemgetter(0))
            end = bisect_left(self._rows, folded + "\U0010ffff", lo=start, key=itemgetter(0))
            return start, end

        def is_unknown(length: int) -> bool:
            start, end = rows_of(length)
            return start == end

        # A suffix is known only if all shorter ones are.
        length = bisect_left(range(1, len(parts) + 1), 1, key=is_unknown)
        if not length:
            return 0, 0, []
        start, end = rows_of(length)
        rows = self._rows[start : min(end, start + _MAX_TIES + 1)]
        n_rows = end - start
        if 1 < n_rows <= _MAX_TIES:
            key = _key(parts[-length:])
            rows = [row for row in rows if row[1].startswith(key)] or rows
            n_rows = len(rows)
        return length, n_rows, [track for _, _, track in rows]


def _possible_parts(path: str) -> list[list[str]]:
    """Return the parts of an entry's path below its drive or host: as written, and decoded."""
    if not is_url(path):
        parts = folders_and_name(path)
        return [parts[1:] if parts and re.fullmatch("[A-Za-z]:", parts[0]) else parts]
    below_host = path.partition("://")[2].partition("/")[2]
    return [
        folders_and_name(below_host),
        folders_and_name(unquote(re.split("[?#]", below_host)[0])),
    ]


def folders_and_name(path: str) -> list[str]:
    r"""Return the folders and the file name of a path, in Unicode's normal form NFC.

    Examples
    --------
    >>> folders_and_name(r"C:\Music\..\a.mp3")
    ['C:', 'a.mp3']
    """
    parts = normpath(normal_form("NFC", path).replace("\\", "/")).split("/")
    return [part for part in parts if part not in ("", ".", "..")]


def is_number(name: str) -> bool:
    """Return whether a name says nothing but a number.

    Examples
    --------
    >>> is_number("CD 1"), is_number("Track 01"), is_number("01 - Song")
    (True, True, False)
    """
    return _NUMBER.fullmatch(name) is not None


def _key(parts: list[str]) -> str:
    """Return parts of a path in reverse order, the file name first."""
    return "".join(f"{part}/" for part in reversed(parts))


def _folded(key: str) -> str:
    return normal_form("NFC", key.casefold())


def _is_telling(parts: list[str], entry: Entry, track: Track) -> bool:
    """Return whether parts of a path are enough to tell that an entry means a track."""
    *folders, name = parts
    if not all(map(is_number, folders)):
        return True
    if entry.seconds and track.seconds:
        return abs(entry.seconds - track.seconds) <= _TOLERANCE_SECONDS
    return not is_number(PurePosixPath(name).stem)
