"""PLS: a text file with numbered keys for the path, title and duration of each track.

References
----------
.. [1] "PLS (file format)", https://en.wikipedia.org/wiki/PLS_(file_format)
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from audiosearch.playlist_files.entry import Entry, check_n_entries, make_entry
from audiosearch.playlist_files.m3u8 import (
    label_of,
    path_line,
    split_label,
    whole_seconds,
)
from audiosearch.playlist_files.text import lines_of, parse_seconds
from audiosearch.playlist_files.uri import possible_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIELD = re.compile(r"\s*(File|Title|Length)\s*([0-9]{1,9})\s*=(.*)", re.IGNORECASE)


def write(entries: Sequence[Entry], name: str) -> bytes:  # noqa: ARG001
    """Return the contents of a PLS file. The format has no title of the playlist."""
    lines = ["[playlist]"]
    for number, entry in enumerate(entries, start=1):
        lines.append(f"File{number}={path_line(entry.path)}")
        lines.append(f"Title{number}={label_of(entry)}")
        lines.append(f"Length{number}={whole_seconds(entry)}")
    lines += [f"NumberOfEntries={len(entries)}", "Version=2"]
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def read(content: bytes) -> Iterator[Entry | str]:
    """Yield the entries of a PLS file by number, and a warning for each without a usable path.

    Raises
    ------
    ValueError
        If the file isn't a PLS playlist.
    """
    fields: dict[int, dict[str, str]] = defaultdict(dict)
    has_header = False
    for line in lines_of(content):
        if match := _FIELD.match(line):
            fields[int(match[2])][match[1].lower()] = match[3]
            check_n_entries(len(fields))
        else:
            has_header = has_header or line.strip().lower() == "[playlist]"
    if not fields and not has_header:
        raise ValueError("it has no [playlist]")
    for _, entry in sorted(fields.items()):
        artist, title = split_label(entry.get("title", ""))
        paths = possible_paths(entry.get("file", ""), is_uri=False)
        seconds = parse_seconds(entry.get("length", ""))
        yield make_entry(paths, title=title, artist=artist, seconds=seconds)
