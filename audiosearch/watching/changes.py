"""Paths that have changed lately, until they have been quiet for some seconds."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from audiosearch.audio.disk import DISKS
from audiosearch.errors import Unreachable
from audiosearch.paths import real_path

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds without a change after which a closed file counts as complete.
QUIET_SECONDS: Final = 3.0
#: The same for a file that another program may still write.
OPEN_SECONDS: Final = 20.0

_LATER = 1.5  # a moved file first gets its new path: then its track stays

_Signature = tuple[int, int]


@dataclass(slots=True)
class ChangedPath:
    """A path that has changed.

    Attributes
    ----------
    path : str
        Without symbolic links.
    is_gone : bool
        Whether it was deleted or moved away.
    is_folder : bool
    has_replaced : bool
        Whether it is a folder in whose place there was something that is gone.
    is_open : bool
        Whether a program may still write the file.
    changed_at : float
        Time of its last change, on the monotonic clock.
    signature : tuple of int, or None
        Size in bytes and modification time in ns when they were last looked at; None before that.
    """

    path: str
    is_gone: bool = False
    is_folder: bool = False
    has_replaced: bool = False
    is_open: bool = False
    changed_at: float = field(default_factory=time.monotonic)
    signature: _Signature | None = None

    def saw(self, signature: _Signature, now: float) -> bool:
        """Keep a new signature, and return whether it is the same as before."""
        former, self.signature = self.signature, signature
        if former not in (None, signature):
            self.changed_at = now
        return former == signature


class Changes:
    """Paths that have changed. Several threads may add some.

    Parameters
    ----------
    quiet_seconds, open_seconds : float
        Time without a change after which a path is ready, and the same for a file that may still be
        written.
    """

    def __init__(
        self, quiet_seconds: float = QUIET_SECONDS, open_seconds: float = OPEN_SECONDS
    ) -> None:
        self.quiet_seconds = quiet_seconds
        self.open_seconds = open_seconds
        self._paths: dict[str, ChangedPath] = {}
        self._lock = threading.Lock()
        self._n_events = 0

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def add(self, *changed: ChangedPath) -> None:
        """Add paths, in place of earlier changes of the same ones."""
        with self._lock:
            for change in changed:
                former = self._paths.get(change.path)
                is_known = former is not None and (former.is_gone or former.has_replaced)
                change.has_replaced = change.is_folder and is_known
                self._paths[change.path] = change

    def is_open(self, path: str) -> bool:
        """Return whether a path has changed, and a program may still write it."""
        change = self._paths.get(path)
        return change is not None and change.is_open

    def is_young(self, path: str) -> bool:
        """Return whether a file was changed so lately that it may still be written."""
        with contextlib.suppress(OSError):
            return abs(time.time() - os.stat(path).st_mtime) < self.open_seconds
        return False

    def add_new(self, changed: Iterable[ChangedPath]) -> None:
        """Add paths, except those of which a change is known already."""
        with self._lock:
            self._paths = {change.path: change for change in changed} | self._paths

    def drop_under(self, folder: str) -> None:
        """Forget the changes in a folder."""
        prefix = os.path.join(folder, "")
        with self._lock:
            self._paths = {
                p: change for p, change in self._paths.items() if not p.startswith(prefix)
            }

    def count_event(self) -> None:
        """Count an event of the system, whether it matters or not."""
        self._n_events += 1

    def take_event_count(self) -> int:
        """Return the number of events since the last call."""
        number, self._n_events = self._n_events, 0
        return number

    def take_ready(self) -> list[ChangedPath]:
        """Remove and return the paths that have been quiet for long enough."""
        now = time.monotonic()
        with self._lock:
            waiting = list(self._paths.values())
        due = [
            change
            for change in waiting
            if change.signature is None or now - change.changed_at >= self._seconds(change)
        ]
        try:
            signatures = list(DISKS.map(_signature, [change.path for change in due]))
        except Unreachable:  # its files wait until the disk answers
            return []
        quiet = [
            change
            for change, signature in zip(due, signatures, strict=True)
            if change.saw(signature, now)
        ]
        with self._lock:
            ready = [change for change in quiet if self._paths.get(change.path) is change]
            for change in ready:
                del self._paths[change.path]
        return ready

    def _seconds(self, change: ChangedPath) -> float:
        size = change.signature[0] if change.signature else None
        is_empty = size == 0 and not change.is_folder
        if change.is_open or is_empty:
            return self.open_seconds
        return self.quiet_seconds * (_LATER if change.is_gone or change.has_replaced else 1)


def event_path(path: str) -> str:
    """Return the path that events have for a file: without links to folders."""
    folder, name = os.path.split(path)
    return os.path.join(real_path(folder), name)


def _signature(path: str) -> _Signature:
    """Return the size and modification time of a file; the same for all that can't be read."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns
