"""M3U8: a text file with one path on each line, and comments with durations and titles.

References
----------
.. [1] "M3U", https://en.wikipedia.org/wiki/M3U
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from audiosearch.library.track import artist_and_title
from audiosearch.paths import is_url
from audiosearch.playlist_files.entry import Entry
from audiosearch.playlist_files.uri import has_scheme, path_to_uri, uri_to_path

if TYPE_CHECKING:
    from collections.abc import Sequence


def write(entries: Sequence[Entry], name: str) -> bytes:
    """Return the contents of an M3U8 file."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_single_line(name)}"]
    for entry in entries:
        label = artist_and_title(entry.artist, entry.title) or PurePath(entry.path).stem
        seconds = round(entry.seconds) if entry.seconds else -1
        lines += [f"#EXTINF:{seconds},{_single_line(label)}", _path_line(entry.path)]
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def read(content: bytes) -> list[Entry]:
    """Return the entries of an M3U8 file. Any text is valid: lines are paths or comments."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    entries = []
    seconds, label = 0.0, ""
    for line in re.split(r"\r\n|\r|\n", text):
        if line.startswith("#EXTINF:"):
            length, _, label = line.removeprefix("#EXTINF:").partition(",")
            number = re.match(r"[0-9.]+", length)
            seconds = float(number[0]) if number else 0.0
        elif line.strip() and not line.startswith("#"):
            artist, dash, title = label.partition(" - ")
            is_uri = has_scheme(line) or line.startswith("./")
            entries.append(
                Entry(
                    path=uri_to_path(line) if is_uri else line,
                    title=(title if dash else label) or None,
                    artist=artist if dash else None,
                    seconds=seconds,
                )
            )
            seconds, label = 0.0, ""
    return entries


def _path_line(path: str) -> str:
    """Return a path as one line: plain, or as a URI if a reader could misread the plain path."""
    is_plain = not re.search("[\r\n]", path) and path == path.strip()
    if is_plain and not path.startswith(("#", "./")) and not has_scheme(path):
        return path
    if os.path.isabs(path) or is_url(path):
        return path_to_uri(path)
    return path_to_uri("./" + path.removeprefix("./"))


def _single_line(text: str) -> str:
    return " ".join(text.split()).encode(errors="replace").decode()
