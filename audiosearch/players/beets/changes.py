"""Changes of a beets library that its index has not followed yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from audiosearch.paths import real_path
from audiosearch.players.beets.items import items_at, track_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Item, Library

    from audiosearch.library.index import Index


@dataclass(slots=True)
class Changes:
    """Changes of a library, in the order in which they happened. Any thread may add to them.

    Attributes
    ----------
    moved : list of (str, str)
        Old and new path of each renamed file.
    removed : list of str
        Paths of items that were removed from the library. It may have got them back since.
    imported : dict
        Ids of imported items, as keys.
    written : dict
        Path of the track of each item whose file was written or copied, by id of the item.
    """

    moved: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    imported: dict[int, None] = field(default_factory=dict)
    written: dict[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.moved or self.removed or self.imported or self.written)

    def add_imported(self, items: Iterable[Item]) -> None:
        """Add items that were imported."""
        self.imported |= {item.id: None for item in items if item.id is not None}

    def rename_and_remove(self, index: Index, library: Library) -> None:
        """Give the tracks of moved files their new paths, and remove those of removed items.

        Nothing is embedded. A removed item whose path is in the library again keeps its track.
        """
        with index.transaction():
            for old, new in self.moved:
                _rename(index, old, new)
            removed = set(self.removed) - items_at(library, self.removed).keys()
            index.remove(filter(None, map(index.resolve, removed)))
            _settle_failures(index, dict(self.moved), removed)

    def items_with_tracks(self, index: Index, library: Library) -> list[Item]:
        """Return the items whose files were written or copied, if the index has their tracks."""
        items = ((library.get_item(item_id), path) for item_id, path in self.written.items())
        return [
            item
            for item, path in items
            if item is not None and (track_of(index, item) or index.resolve(path))
        ]

    def imported_items(self, library: Library) -> list[Item]:
        """Return the imported items that are still in the library."""
        return [item for item_id in self.imported if (item := library.get_item(item_id))]


def _rename(index: Index, old: str, new: str) -> None:
    """Rename a track. The file of another one with the new path must have gone: beets spares it."""
    track = index.resolve(old)  # it may be stored under a link
    if track is None or old == new:
        return
    stale = index.storage.track_at(new)
    if stale is not None:
        index.remove([stale])
    index.storage.move([(replace(track, real_path=real_path(new)), new)])


def _settle_failures(index: Index, moved: dict[str, str], removed: set[str]) -> None:
    gone = moved.keys() | removed
    failures = [failure for failure in index.storage.failures() if failure.path in gone]
    index.storage.remove_failures(failures)
    index.storage.add_failures(
        replace(failure, path=moved[failure.path]) for failure in failures if failure.path in moved
    )
