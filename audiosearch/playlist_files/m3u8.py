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
from audiosearch.playlist_files.entry import Entry, make_entry
from audiosearch.playlist_files.text import lines_of, parse_seconds, readable
from audiosearch.playlist_files.uri import has_scheme, path_to_uri, possible_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Duration, attributes such as group="a, b", and label.
_EXTINF = re.compile(r'#EXTINF:\s*([^\s,"]*)(?:"[^"]*"|[^",])*,?(.*)', re.IGNORECASE)

_MAX_COMMENT_LENGTH = 10_000  # characters that are read

#: Control characters and line separators: some readers end a line at them, terminals obey them.
CONTROL_CHARACTERS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")


def write(
    entries: Sequence[Entry], name: str, *, options: Sequence[Sequence[str]] | None = None
) -> bytes:
    """Return the contents of an M3U8 file.

    Parameters
    ----------
    entries : sequence of Entry
    name : str
        Title of the playlist.
    options : sequence of sequences of str, optional
        Comments for players, before the path of each entry.
    """
    lines = ["#EXTM3U", f"#PLAYLIST:{single_line(name)}"]
    for entry, comments in zip(entries, options or [()] * len(entries), strict=True):
        lines.append(f"#EXTINF:{whole_seconds(entry)},{label_of(entry)}")
        lines += [*comments, path_line(entry.path)]
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def read(content: bytes) -> Iterator[Entry | str]:
    """Yield the entries of an M3U8 file, and a warning for each one without a usable path.

    Any text is valid: lines are paths or comments.
    """
    seconds, label = 0.0, ""
    for line in lines_of(content):
        text = line.strip()
        if text.startswith("#"):
            if comment := _EXTINF.match(text[:_MAX_COMMENT_LENGTH]):
                seconds, label = parse_seconds(comment[1]), comment[2]
        elif text:
            artist, title = split_label(label)
            paths = possible_paths(line, is_uri=False)
            yield make_entry(paths, title=title, artist=artist, seconds=seconds)
            seconds, label = 0.0, ""


def split_label(label: str) -> tuple[str | None, str | None]:
    """Return artist and title in a label like "artist - title"; None for what is missing."""
    artist, dash, title = readable(label).strip().partition(" - ")
    return (artist, title or None) if dash else (None, artist or None)


def label_of(entry: Entry) -> str:
    """Return "artist - title" on one line. In place of a missing title, the name of the file."""
    label = artist_and_title(entry.artist, entry.title or PurePath(entry.path).stem)
    return single_line(label)


def whole_seconds(entry: Entry) -> int:
    """Return the duration in seconds, or -1 if it is unknown."""
    return round(entry.seconds) if entry.seconds else -1


def path_line(path: str) -> str:
    """Return a path as one line: plain, or as a URI if a reader could misread the plain path."""
    is_plain = not CONTROL_CHARACTERS.search(path) and path == path.strip()
    if is_plain and not path.startswith(("#", "./")) and not has_scheme(path):
        return path
    if os.path.isabs(path) or is_url(path):
        return path_to_uri(path)
    return path_to_uri("./" + path.removeprefix("./"))


def single_line(text: str) -> str:
    """Return a text with its line breaks and control characters replaced, without surrogates."""
    return " ".join(CONTROL_CHARACTERS.sub(" ", text).split()).encode(errors="replace").decode()
