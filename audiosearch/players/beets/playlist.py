"""M3U files of items, where beets' plugin smartplaylist writes its own and in the same style."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from beets.util import sanitize_path

from audiosearch.atomic import atomic_path
from audiosearch.errors import LibraryError
from audiosearch.players.beets.items import path_of
from audiosearch.playlist_files import (
    Entry,
    PathStyle,
    PlaylistFormat,
    is_playlist,
    playlist_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item, Library
    from confuse import ConfigView

_SUFFIXES = (".m3u", ".m3u8")


def write_playlist(
    library: Library, name: str, items: Sequence[Item], *, settings: Sequence[ConfigView]
) -> Path:
    """Write a playlist, and return its path. It replaces a playlist of the same name.

    Parameters
    ----------
    library : Library
    name : str
        Name of the file, with or without suffix.
    items : sequence of Item
    settings : sequence of ConfigView
        Sections of the configuration that may have ``playlist_dir``, ``relative_to``, ``prefix``
        and ``forward_slash``. The first one with a value counts.

    Raises
    ------
    LibraryError
        If the file exists and is no playlist, or can't be written.
    """
    folder, relative_to, prefix, forward_slash = (
        next((view[key] for view in settings if view[key].exists() and view[key].get()), None)
        for key in ("playlist_dir", "relative_to", "prefix", "forward_slash")
    )
    file = sanitize_path(name, library.replacements)
    path = Path(
        folder.as_filename() if folder else os.getcwd(),
        file if file.lower().endswith(_SUFFIXES) else f"{file}.m3u",
    )
    if not is_playlist(path):
        raise LibraryError(f"{path} exists and is no playlist.", hint="Choose another name.")
    style = PathStyle(
        relative_to=relative_to.as_filename() if relative_to else None,
        forward_slash=forward_slash is not None,
    )
    start = prefix.as_str() if prefix else ""
    entries = [
        Entry(start + style.apply(path_of(i)), i.title, i.artist, i.album, i.length) for i in items
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as draft:
            draft.write_bytes(playlist_text(entries, path.stem, PlaylistFormat.M3U8))
    except OSError as exc:
        raise LibraryError(
            f"Can't write {path}: {exc.strerror}.", hint="Set `playlist_dir` to another folder."
        ) from exc
    return path
