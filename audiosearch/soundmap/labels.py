"""What tracks may be coloured, named and found by."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from audiosearch.library.filters import split_values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

    from audiosearch.library.index import Track

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

#: What tracks can be coloured by, besides the cluster that they are in.
FIELDS = ("genre", "artist", "album", "folder")


def labels_of(tracks: Sequence[Track], field: str) -> list[str | None]:
    """Return each track's genre, artist, album or folder, spelled as most spell it.

    Of a genre that lists several, the first counts.
    """
    if field == "folder":
        return _folders([_path(track).parent for track in tracks])
    texts = [_text(track, field) for track in tracks]
    spellings: dict[str, Counter[str]] = {}
    for text in filter(None, texts):
        spellings.setdefault(text.casefold(), Counter())[text] += 1
    return [text and spellings[text.casefold()].most_common(1)[0][0] for text in texts]


def name_of(track: Track) -> str:
    """Return a track's title, or else its file's name."""
    return readable(track.title) if track.title else file_of(track)


def file_of(track: Track) -> str:
    """Return the name of a track's file."""
    return readable(_path(track).name)


def readable(text: str) -> str:
    """Spell out a path's bytes that are not UTF-8, and leave out what controls terminals."""
    return _CONTROLS.sub(" ", text).encode(errors="backslashreplace").decode()


def _folders(paths: Sequence[PurePath]) -> list[str | None]:
    """Return the last part of each folder's path, or the last two where it has namesakes."""
    namesakes = Counter(path.name for path in set(paths))
    return [
        readable("/".join(path.parts[-2:]) if namesakes[path.name] > 1 else path.name) or None
        for path in paths
    ]


def _text(track: Track, field: str) -> str | None:
    text: str | None = getattr(track, field)
    if text and field == "genre":
        text = split_values(text)[0]
    return (text and text.strip()) or None


def _path(track: Track) -> PurePath:
    """Return a path by the rules of where it comes from: imported ones may be of Windows."""
    windows = PureWindowsPath(track.path)
    return windows if windows.drive else PurePosixPath(track.path)
