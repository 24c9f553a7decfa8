"""Labels of tracks on a map: tags and sounds to color by, and names to show."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.library.filters import split_genres
from audiosearch.library.track import fold
from audiosearch.soundmap.sounds import characteristic_sounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

    from audiosearch.library.index import Track

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")

#: Tags that tracks can be colored by.
TAGS = ("genre", "artist", "album")
#: Fields that tracks can be colored by, besides their cluster.
FIELDS = (*TAGS, "folder", "sound")
#: Plural of each field that tracks can be colored by.
PLURALS = {field: f"{field}s" for field in (*FIELDS, "cluster")}


def labels_of(tracks: Sequence[Track], field: str) -> list[str | None]:
    """Return each track's genre, artist, album, folder or most characteristic sound.

    It is None if the track has none.

    Labels that differ only in case or Unicode's normal form get their most frequent spelling. If a
    tag lists several artists or genres, the first one is used.

    Parameters
    ----------
    tracks : sequence of Track
    field : {"genre", "artist", "album", "folder", "sound"}
    """
    if field == "sound":
        return characteristic_sounds(tracks)
    if field == "folder":
        return _folder_names([_path(track).parent for track in tracks])
    texts = [_text(track, field) for track in tracks]
    spellings: dict[str, Counter[str]] = {}
    for text in filter(None, texts):
        spellings.setdefault(fold(text), Counter())[text] += 1
    return [text and spellings[fold(text)].most_common(1)[0][0] for text in texts]


def name_of(track: Track) -> str:
    """Return a track's title, or its file name if it has no title."""
    return readable(track.title) if track.title else file_of(track)


def file_of(track: Track) -> str:
    """Return the name of a track's file, without its folder."""
    return readable(_path(track).name)


def folder_of(track: Track) -> str:
    """Return the name of the folder that a track's file is in; empty for the root folder."""
    return readable(_path(track).parent.name)


def first_sounds(track: Track) -> list[str]:
    """Return the names of the sounds that are best heard in a track."""
    return [sound.name for sound in track.sounds[: defaults.SOUNDS_SHOWN]]


def readable(text: str) -> str:
    """Replace control characters by spaces, and bytes that are not UTF-8 by escapes."""
    return _CONTROL_CHARACTERS.sub(" ", text).encode(errors="backslashreplace").decode()


def _folder_names(paths: Sequence[PurePath]) -> list[str | None]:
    """Return each folder's name. If two folders have the same name, prepend the parent's name."""
    counts = Counter(path.name for path in set(paths))
    return [
        readable("/".join(path.parts[-2:]) if counts[path.name] > 1 else path.name) or None
        for path in paths
    ]


def _text(track: Track, field: str) -> str | None:
    if field == "artist":
        return next(iter(track.artists), None)
    text: str | None = getattr(track, field)
    if text and field == "genre":
        text = split_genres(text)[0]
    return (text and text.strip()) or None


def _path(track: Track) -> PurePath:
    """Return a track's path. The paths of imported tracks may be Windows paths."""
    windows = PureWindowsPath(track.path)
    return windows if windows.drive else PurePosixPath(track.path)
