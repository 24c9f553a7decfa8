"""What an index knows of files, before they are opened."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index


class State(str, Enum):
    """What an index knows of a file, before it is opened."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"  # before, and not changed since


class FileStates:
    """The states of files, in memory, for a look-up each.

    Parameters
    ----------
    index : Index or None
        To an index that is yet to be made, all files are new.
    paths : sequence of str
        The files.
    """

    def __init__(self, index: Index | None, paths: Sequence[str]) -> None:
        self._tracks = index.sizes_and_times(paths) if index else {}
        self.failures = {f.path: f for f in index.failures()} if index else {}

    def state(self, path: str, size: int, mtime_ns: int) -> State:
        """Return the state of a file of that size, in bytes, and time of change."""
        if self._tracks.get(path) == (size, mtime_ns):
            return State.UNCHANGED
        failure = self.failures.get(path)
        if failure and (failure.size, failure.mtime_ns) == (size, mtime_ns):
            return State.FAILED
        return State.CHANGED if path in self._tracks else State.NEW
