"""Find the track whose path ends like a path from another machine."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from operator import itemgetter
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from audiosearch import time_limit
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
            (_folded(key), key, track) for track in tracks for key in [_key(_parts(track.path))]
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
        length, ties, parts = max(matches, key=itemgetter(0))  # the first of the longest
        if not ties or len({track.sound_hash or track.path for track in ties}) > 1:
            return None, len(ties)
        is_whole = length == len(parts)
        if is_whole or _is_telling(parts[-length:], entry, ties[0]):
            return ties[0], len(ties)
        return None, 0

    def _longest(self, parts: list[str]) -> tuple[int, list[Track]]:
        """Return the number of parts in the longest known suffix, and the tracks that have it."""
        for length in range(len(parts), 0, -1):
            time_limit.check()
            key = _key(parts[-length:])
            folded = _folded(key)
            start = bisect_left(self._rows, folded, key=itemgetter(0))
            end = bisect_left(self._rows, folded + "\U0010ffff", lo=start, key=itemgetter(0))
            if start < end:
                rows = self._rows[start:end]
                if 1 < len(rows) <= _MAX_TIES:
                    rows = [row for row in rows if row[1].startswith(key)] or rows
                return length, [track for _, _, track in rows]
        return 0, []


def _possible_parts(path: str) -> list[list[str]]:
    """Return the parts of an entry's path below its drive or host: as written, and decoded."""
    if not is_url(path):
        parts = _parts(path)
        return [parts[1:] if parts and re.fullmatch("[A-Za-z]:", parts[0]) else parts]
    below_host = path.partition("://")[2].partition("/")[2]
    return [_parts(below_host), _parts(unquote(re.split("[?#]", below_host)[0]))]


def _parts(path: str) -> list[str]:
    parts = normpath(unicodedata.normalize("NFC", path).replace("\\", "/")).split("/")
    return [part for part in parts if part not in ("", ".", "..")]


def _key(parts: list[str]) -> str:
    """Return parts of a path in reverse order, the file name first."""
    return "".join(f"{part}/" for part in reversed(parts))


def _folded(key: str) -> str:
    return unicodedata.normalize("NFC", key.casefold())


def _is_telling(parts: list[str], entry: Entry, track: Track) -> bool:
    """Return whether parts of a path are enough to tell that an entry means a track."""
    *folders, name = parts
    if not all(_NUMBER.fullmatch(folder) for folder in folders):
        return True
    if entry.seconds and track.seconds:
        return abs(entry.seconds - track.seconds) <= _TOLERANCE_SECONDS
    return not _NUMBER.fullmatch(PurePosixPath(name).stem)
