"""Events of folders, from watchdog."""

from __future__ import annotations

import contextlib
import errno
import logging
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

from audiosearch.errors import AudiosearchError, MissingExtra
from audiosearch.paths import is_in
from audiosearch.watching.changes import ChangedPath, Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import ObservedWatch

_LIMITS = {
    errno.ENOSPC: ("watched folders", "max_user_watches=1048576"),
    errno.EMFILE: ("programs that watch folders", "max_user_instances=1024"),
}


class FolderObserver:
    """Adds the events in folders, and in all folders below them, to changes.

    Parameters
    ----------
    changes : Changes
    is_relevant : callable
        Takes a `ChangedPath`, and returns whether it matters.

    Raises
    ------
    MissingExtra
        If watchdog is not installed.
    AudiosearchError
        If the system allows no further observer.
    """

    def __init__(self, changes: Changes, is_relevant: Callable[[ChangedPath], bool]) -> None:
        try:
            from watchdog.observers import Observer
        except ImportError as exc:
            raise MissingExtra("`audiosearch watch` without --poll", "watchdog", "watch") from exc
        logging.getLogger("watchdog").addHandler(logging.NullHandler())  # it logs what is normal
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)  # folders moved back
        self._changes = changes
        self._is_relevant = is_relevant
        self._watches: dict[str, ObservedWatch] = {}
        with _limit_errors():
            self._observer: Any = Observer()
            self._observer.start()

    def watch(self, folder: str) -> None:
        """Watch a folder, unless it is watched with a folder above it.

        Raises
        ------
        AudiosearchError
            If the system allows no further watched folders.
        """
        if any(is_in(folder, other) for other in self._watches):
            return
        with contextlib.suppress(OSError), _limit_errors():  # it may be gone again
            self._watches[folder] = self._schedule(folder)

    def _schedule(self, folder: str) -> ObservedWatch:
        from watchdog import events

        class Handler(events.FileSystemEventHandler):
            dispatch = staticmethod(self._handle)

        kinds: list[type[FileSystemEvent]] = [
            *(events.FileCreatedEvent, events.FileModifiedEvent, events.FileAttribEvent),
            *(events.FileMovedEvent, events.FileDeletedEvent, events.FileClosedEvent),
            *(events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent),
        ]
        watch: ObservedWatch = self._observer.schedule(
            Handler(), folder, recursive=True, event_filter=kinds
        )
        return watch

    def unwatch_all(self) -> None:
        """Watch no folder any more."""
        self._observer.unschedule_all()
        self._watches.clear()

    def require_room(self) -> None:
        """Check that one more folder could be watched.

        watchdog leaves out folders below a watched one without a word if there are too many.

        Raises
        ------
        AudiosearchError
            If the system allows no further watched folders.
        """
        with tempfile.TemporaryDirectory() as folder, _limit_errors():
            self._observer.unschedule(self._schedule(folder))

    def close(self) -> None:
        """Stop watching."""
        self._observer.stop()
        self._observer.join()

    def _handle(self, event: FileSystemEvent) -> None:
        """Add an event to the changes. This runs in a thread of watchdog."""
        self._changes.count_event()
        path, kind, is_folder = str(event.src_path), event.event_type, event.is_directory
        was_open = self._changes.is_open(path)
        if kind in {"deleted", "moved"}:
            self._add(ChangedPath(path, is_gone=True, is_folder=is_folder))
        if kind != "deleted":
            path = str(event.dest_path) if kind == "moved" else path
            is_open = kind == "modified" or (kind in {"attrib", "moved"} and was_open)
            self._add(ChangedPath(path, is_folder=is_folder, is_open=is_open))

    def _add(self, changed: ChangedPath) -> None:
        if self._is_relevant(changed):
            self._changes.add(changed)


@contextlib.contextmanager
def _limit_errors() -> Iterator[None]:
    """Raise the errors of inotify's limits with a hint."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in _LIMITS:
            raise
        things, setting = _LIMITS[exc.errno]
        raise AudiosearchError(
            f"The limit of this system for {things} is reached.",
            hint=f"Raise it with `sudo sysctl fs.inotify.{setting}`, or look for changes every "
            "minute with --poll 60.",
        ) from exc
