"""Folders in which disks with files of an index were mounted, which the index remembers.

While such a disk is away, its files don't count as deleted.
"""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING, Final

from audiosearch.json_input import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index

#: Setting with the paths, as a list in JSON.
SETTING: Final = "mounts"


def known_mounts(index: Index) -> set[str]:
    """Return the folders in which disks with files of the index were mounted at any time."""
    try:
        paths = parse_json(index.storage.settings()[SETTING])
    except (KeyError, ValueError):
        return set()
    return set(map(str, paths)) if isinstance(paths, list) else set()


def remember_mounts(index: Index, mounts: Iterable[str]) -> None:
    """Add folders in which disks are mounted to those that the index knows."""
    known = known_mounts(index)
    if not known.issuperset(mounts):
        index.storage.set_settings({SETTING: dumps(sorted(known.union(mounts)))})
