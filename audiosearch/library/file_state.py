"""State of files in relation to an index, determined without opening the files."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index


class State(str, Enum):
    """State of a file, compared with the index."""

    NEW = "new"
    CHANGED = "changed"  # since it was embedded
    UNCHANGED = "unchanged"  # since it was embedded
    FAILED = "failed"  # could not be embedded, and unchanged since then


class FileStates:
    """States of many files: reads the index once, then looks up each file in memory.

    Parameters
    ----------
    index : Index or None
        None if the index doesn't exist yet. All files are new then.
    paths : sequence of str
        Paths of the files.

    Attributes
    ----------
    failures : dict
        The `Failure` of each path that failed.
    """

    def __init__(self, index: Index | None, paths: Sequence[str]) -> None:
        self._tracks = index.storage.sizes_and_times(paths) if index else {}
        self.failures = {f.path: f for f in index.storage.failures()} if index else {}

    def state(self, path: str, size: int, mtime_ns: int) -> State:
        """Return the state of a file.

        Parameters
        ----------
        path : str
        size : int
            Current size, in bytes.
        mtime_ns : int
            Current time of the last change, in nanoseconds since 1970.
        """
        if self._tracks.get(path) == (size, mtime_ns):
            return State.UNCHANGED
        failure = self.failures.get(path)
        if failure and (failure.size, failure.mtime_ns) == (size, mtime_ns):
            return State.FAILED
        return State.CHANGED if path in self._tracks else State.NEW
