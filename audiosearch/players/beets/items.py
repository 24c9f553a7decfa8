"""Items of a beets library, their paths and their tracks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from beets.dbcore.query import InQuery
from beets.library import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Library

    from audiosearch.library.index import Index, Track

_PATHS_PER_QUERY = 10_000  # SQLite takes 32,766 values


def path_of(item: Item) -> str:
    """Return the absolute path of an item, as an index stores it."""
    return os.fsdecode(item.path)


def track_of(index: Index, item: Item) -> Track | None:
    """Return the track of an item, which may be stored under a link; None if there is none."""
    return index.resolve(path_of(item))


def items_at(library: Library, paths: Sequence[str]) -> dict[str, Item]:
    """Return the items that a library has at some absolute paths, by path."""
    to_sql = Item._type("path").to_sql  # noqa: SLF001  (versions of beets store paths differently)
    items: dict[str, Item] = {}
    for start in range(0, len(paths), _PATHS_PER_QUERY):
        values = [to_sql(os.fsencode(path)) for path in paths[start : start + _PATHS_PER_QUERY]]
        items |= {path_of(item): item for item in library.items(InQuery("path", values))}
    return items
