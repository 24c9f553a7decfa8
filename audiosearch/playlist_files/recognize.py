"""Recognize playlist files by their contents, whichever program wrote them."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError
from audiosearch.paths import is_url
from audiosearch.playlist_files.formats import (
    MAX_FILE_BYTES,
    SUFFIXES,
    PlaylistFormat,
    parse_playlist,
)

if TYPE_CHECKING:
    from pathlib import Path


def is_playlist(path: Path) -> bool:
    """Return whether a file is a playlist in the format of its suffix, or doesn't exist.

    Any text can be read as M3U8. Such a file is a playlist if it begins with ``#EXTM3U``, or if
    all of its entries are URLs or have the suffix of an audio file. An empty file counts as a
    playlist.
    """
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            return False  # reading a named pipe or a device may never end
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return not os.path.exists(path)  # Path.exists raises an error for a long name
    if not content.strip():
        return True
    try:
        entries = parse_playlist(content, str(path)).entries
    except LibraryError:
        return False
    if SUFFIXES.get(path.suffix.lower()) is not PlaylistFormat.M3U8:
        return True
    from audiosearch.audio.decode import SUFFIXES as AUDIO_SUFFIXES  # imports decoders

    is_audio = [
        is_url(e.path) or PurePath(e.path).suffix.lower() in AUDIO_SUFFIXES for e in entries
    ]
    return _begins_with_header(content) or (bool(entries) and all(is_audio))


def _begins_with_header(content: bytes) -> bool:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return content.decode(encoding, errors="replace").lstrip().upper().startswith("#EXTM3U")
