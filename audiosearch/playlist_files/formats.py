"""Table of playlist file formats, with functions that read and write any of them.

A new format is one module with functions `write` and `read`, and one line in each table here.
"""

from __future__ import annotations

import os
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from audiosearch.errors import LibraryError
from audiosearch.paths import why_missing
from audiosearch.playlist_files import jspf, m3u8, pls, xspf
from audiosearch.playlist_files.entry import (
    Entry,
    PlaylistFile,
    check_n_entries,
    warnings_about,
)
from audiosearch.playlist_files.text import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class PlaylistFormat(str, Enum):
    """Names of the playlist file formats."""

    M3U8 = "m3u8"
    XSPF = "xspf"
    JSPF = "jspf"
    PLS = "pls"


class _FormatModule(Protocol):
    """Interface of a format's module."""

    def write(self, entries: Sequence[Entry], name: str) -> bytes:
        """Return the contents of a playlist file."""

    def read(self, content: bytes) -> Iterator[Entry | str]:
        """Yield the entries of a playlist file, and a phrase for each of its faults.

        If it isn't a playlist, raise one of `_MALFORMED`.
        """


_MODULES: dict[PlaylistFormat, _FormatModule] = {
    PlaylistFormat.M3U8: m3u8,
    PlaylistFormat.XSPF: xspf,
    PlaylistFormat.JSPF: jspf,
    PlaylistFormat.PLS: pls,
}

#: Formats by file name suffix, in lower case.
SUFFIXES = {
    ".m3u": PlaylistFormat.M3U8,
    ".m3u8": PlaylistFormat.M3U8,
    ".xspf": PlaylistFormat.XSPF,
    ".jspf": PlaylistFormat.JSPF,
    ".pls": PlaylistFormat.PLS,
}

MAX_FILE_BYTES = 32_000_000

# Exceptions that the readers raise for files that aren't playlists.
_MALFORMED = (ValueError, LookupError)


def playlist_text(entries: Sequence[Entry], name: str, playlist_format: PlaylistFormat) -> bytes:
    """Return the contents of a playlist file.

    Parameters
    ----------
    entries : sequence of Entry
        Tracks, in playing order.
    name : str
        Title of the playlist.
    playlist_format : PlaylistFormat
    """
    return _MODULES[playlist_format].write(entries, name)


def read_playlist(path: str) -> PlaylistFile:
    """Read a playlist file.

    Relative paths in the file stay relative. `absolute_path` makes them absolute.

    Raises
    ------
    LibraryError
        If the file can't be read, or isn't a playlist.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        is_missing = isinstance(exc, FileNotFoundError)
        reason = why_missing(path) if is_missing else str(exc.strerror or exc).lower()
        raise LibraryError(
            f"Can't read {path} as a playlist: {reason}.", hint="Check the path."
        ) from exc
    return replace(parse_playlist(content, path), folder=os.path.dirname(os.path.abspath(path)))


def parse_playlist(content: bytes, name: str) -> PlaylistFile:
    """Return the contents of a playlist file from another machine.

    A field that can't be read is left out, and so is an entry without a usable path, with a
    warning.

    Parameters
    ----------
    content : bytes
        Contents of the file.
    name : str
        File name. Its suffix determines the format. A file with an unknown suffix is read as
        M3U8.

    Raises
    ------
    LibraryError
        If the contents aren't a playlist of this format, or have more than `MAX_FILE_BYTES` bytes
        or `MAX_ENTRIES` entries.
    """
    items: list[Entry | str] = []
    try:
        if len(content) > MAX_FILE_BYTES:
            raise TooLarge(f"it is larger than {MAX_FILE_BYTES:,} bytes")  # noqa: TRY301
        for item in _MODULES[_format_of(name)].read(content):
            items.append(item)
            check_n_entries(len(items))
    except TooLarge as exc:
        raise _unreadable(name, exc, hint="Split it into smaller playlists.") from exc
    except _MALFORMED as exc:
        raise _unreadable(name, exc) from exc
    entries = tuple(item for item in items if isinstance(item, Entry))
    faults = [item for item in items if isinstance(item, str)]
    return PlaylistFile(name, entries, tuple(warnings_about(name, faults)))


def absolute_path(playlist: str, path: str) -> str:
    """Return the absolute path of an entry, which may be relative to the playlist's folder.

    Parameters
    ----------
    playlist : str
        Path of the playlist file.
    path : str
        Path of the entry.
    """
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(playlist)), path))


def _format_of(name: str) -> PlaylistFormat:
    return SUFFIXES.get(Path(name).suffix.lower(), PlaylistFormat.M3U8)


def _unreadable(
    name: str, reason: object, *, hint: str = "Use a .m3u8, .xspf, .jspf or .pls file."
) -> LibraryError:
    return LibraryError(
        f"Can't read {name} as a playlist ({_format_of(name).value}): {reason}.", hint=hint
    )
