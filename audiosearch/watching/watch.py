"""Watch folders: an index follows the files in them."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import PartOfFolders, find_files, folders_above, is_missing
from audiosearch.audio.ignore_patterns import IGNORE_FILE, IgnorePatterns
from audiosearch.counting import counted
from audiosearch.errors import AudiosearchError, UsageError
from audiosearch.library.backend import display_location
from audiosearch.paths import absolute, is_url, real_path
from audiosearch.watching.changes import ChangedPath, Changes, event_path
from audiosearch.watching.folders import Folders
from audiosearch.watching.index_update import IndexUpdate
from audiosearch.watching.observer import FolderObserver
from audiosearch.watching.options import WatchOptions
from audiosearch.watching.report import Change, Note, away_note, kept_note, problem_note
from audiosearch.watching.scan_schedule import ScanSchedule
from audiosearch.watching.watch_file import WatchFile, Watching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.audio.discovery import AudioFiles
    from audiosearch.types import StrPath

_TICK_SECONDS = 1.0
_RETRY_SECONDS = 15.0
_BATCH_FILES = 250  # after so many, changes that came in the meantime are handled first


class Watch:
    """Folders whose files an index follows.

    The constructor checks everything that can be checked. Iterating, which is possible once, ends
    only when `stop` is called. It yields each change of the index, and notes. A file is added once
    it is complete: once it has not changed for some seconds. What goes wrong later, such as a full
    disk, is a note; the same work is tried again until it succeeds.

    Nothing is removed from the index because a folder is missing or empty, or because a disk in it
    isn't mounted; see `docs/players.md`.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index. It is created with the first embedded file.
    folders : sequence of str or path-like
    options : WatchOptions, optional

    Raises
    ------
    UsageError
        If a folder doesn't exist and has no tracks, or an option is invalid.
    LibraryError, ModelError
        If the index can't take the files, or is being watched by another process.
    MissingExtra
        If watchdog is not installed.
    AudiosearchError
        If the system allows no further watched folders.
    """

    def __init__(
        self,
        location: StrPath,
        folders: Sequence[StrPath],
        options: WatchOptions | None = None,
    ) -> None:
        self._options = options = options or WatchOptions()
        self._index_folder = os.path.join(real_path(display_location(location)), "")
        for folder in folders:
            if is_url(os.fspath(folder)):
                raise UsageError(
                    f"{folder} is a URL, and only folders on this machine can be watched.",
                    hint="Run `audiosearch add` on it regularly, for example by cron.",
                )
        names = list(dict.fromkeys(absolute(os.fspath(folder)) for folder in folders))
        IgnorePatterns(names[0], options.exclude)
        self._update = IndexUpdate(location, options)
        self._changes = Changes(options.quiet_seconds, options.open_seconds)
        self._aliases: list[str] = []
        self._backlog: deque[str] = deque()  # files to add when nothing else changes
        self._gone: list[ChangedPath] = []  # removed after the backlog, which may hold moved files
        self._stopping = threading.Event()
        self._schedule = ScanSchedule(options.poll_seconds)
        self._retry_at = 0.0
        self._problem = ""
        self._away: set[str] = set()  # folders of which a note said that they are away
        self._kept: set[str] = set()  # folders of which a note said that their tracks are kept
        self._failed: dict[str, str] = {}  # reported failures
        with contextlib.ExitStack() as on_failure:
            self._file = WatchFile(location)
            on_failure.callback(self._file.close)
            self._folders = Folders(names, self._update.known_mounts())
            self._folders.check()
            self._disks = self._folders.disks()
            self._require_folders()
            self._observer = None
            if options.poll_seconds is None:
                self._observer = FolderObserver(self._changes, self._is_relevant)
                on_failure.callback(self._observer.close)
                self._watch_folders()
            self._since = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._write_file()
            self._closing = on_failure.pop_all()

    def _require_folders(self) -> None:
        for folder in self._folders.away:
            if os.path.lexists(folder.real) and not os.path.isdir(folder.real):
                raise UsageError(f"{folder.name} is not a folder.", hint="Name a folder to watch.")
            if not self._update.missing(folder.paths):
                raise UsageError(f"There is no folder {folder.name}.", hint="Check its name.")

    def _write_file(self) -> None:
        names = [folder.name for folder in self._folders.roots]
        self._file.write(Watching(names, self._since))

    def stop(self) -> None:
        """End the iteration soon. May be called from any thread."""
        self._stopping.set()

    def __iter__(self) -> Iterator[Change | Note]:
        """Follow the files until `stop` is called."""
        tick = min(_TICK_SECONDS, self._options.quiet_seconds / 2)
        with self._closing:
            yield from self._first_notes()
            while not self._stopping.is_set():
                yield from self._step()
                is_busy = self._backlog and time.monotonic() > self._retry_at
                self._stopping.wait(0 if is_busy else tick)

    def _first_notes(self) -> Iterator[Note]:
        yield Note(f"Watching {', '.join(folder.name for folder in self._folders.roots)}.")
        for name in self._folders.on_network() if self._observer else ():
            yield Note(
                f"{name} is on another machine. Changes that others make there aren't seen.",
                "Look for changes every minute with --poll 60.",
            )

    def _step(self) -> Iterator[Change | Note]:
        """Do what there is to do now."""
        try:
            yield from self._look_at_folders()
            if time.monotonic() < self._retry_at:
                return
            n_events = self._changes.take_event_count()
            if self._schedule.is_due(n_events, is_idle=not self._backlog):
                yield from self._scan()
            yield from self._handle_changes()
            yield from self._handle_backlog()
        except (AudiosearchError, OSError) as exc:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            if str(exc) != self._problem:
                self._problem = str(exc)
                yield problem_note(exc)
        else:
            if self._problem:
                self._problem = ""
                yield Note("Going on.")

    # Folders

    def _look_at_folders(self) -> Iterator[Note]:
        """Look for folders that have gone away, or are back."""
        gone, back = self._folders.check()
        for folder in gone:
            self._changes.drop_under(folder.real)
        former, self._away = self._away, {folder.name for folder in self._folders.away}
        yield from map(away_note, sorted(self._away - former))
        yield from (Note(f"{folder.name} is back.") for folder in back if folder.name in former)
        former_disks, self._disks = self._disks, self._folders.disks()
        if gone or back or self._disks != former_disks:
            self._schedule.request()
            self._watch_folders()

    def _watch_folders(self) -> None:
        """Watch all folders that are there, also those on disks that were mounted since."""
        if self._observer is None:
            return
        self._observer.unwatch_all()
        for folder in self._folders.present:
            self._observer.watch(folder.real)
        self._observer.require_room()

    def _is_relevant(self, changed: ChangedPath) -> bool:
        """Return whether a change may concern the index. This runs in a thread of the observer."""
        name = os.path.basename(changed.path)
        if name.startswith("."):
            return name == IGNORE_FILE
        if os.path.join(changed.path, "").startswith(self._index_folder):
            return False
        is_audio = os.path.splitext(name)[1].lower() in self._options.suffixes
        if changed.is_folder or is_audio:
            return True
        return (
            self._folders.is_link(changed.path) if changed.is_gone else os.path.isdir(changed.path)
        )

    # Scans

    def _scan(self) -> Iterator[Note]:
        """Compare all files with the index."""
        present = [path for folder in self._folders.present for path in folder.paths]
        missing = self._update.missing(present)  # first: a file moved since then has its new path
        files = self._find()
        self._aliases = files.folder_aliases
        outdated = self._update.outdated(files)
        kept = self._folders.kept(files.paths)
        part = PartOfFolders(kept)
        if self._folders.has_changed() or self._folders.disks() != self._disks:
            return  # a disk came or went in the meantime: the next step scans again
        young = set(filter(self._changes.is_young, outdated))
        gone = [
            ChangedPath(path, is_gone=True, is_open=bool(young))  # it may be one of these, moved
            for path in missing
            if not part.covers(path)
        ]
        self._changes.add_new(ChangedPath(event_path(path), is_open=True) for path in young)
        self._backlog = deque(path for path in outdated if path not in young)
        if young:
            self._changes.add_new(gone)
        else:
            self._gone += gone
        self._folders.forget_links()
        self._schedule.scanned()
        self._update.remember_mounts(self._folders.mounted)
        yield from self._notes_on_kept(kept, missing)
        if self._backlog:
            yield Note(f"{counted(len(self._backlog), 'file')} to look at.")

    def _find(self, part: PartOfFolders | None = None) -> AudioFiles:
        options, present = self._options, self._folders.present
        files = find_files(
            [folder.name for folder in self._folders.roots if folder in present],
            exclude=options.exclude,
            suffixes=options.suffixes,
            part=part,
        )
        self._folders.add_links(files.folder_links)
        return files

    def _notes_on_kept(self, kept: Sequence[str], missing: Sequence[str]) -> Iterator[Note]:
        """Yield a note for each folder that has got missing files that stay in the index."""
        above = {folder for path in missing for folder in folders_above(path)}
        concerned = above.intersection(kept)
        yield from map(kept_note, sorted(concerned - self._kept))
        self._kept = concerned

    # Changes

    def _handle_changes(self) -> Iterator[Change | Note]:
        """Handle the paths that have changed and are complete."""
        changed = self._changes.take_ready()
        if not changed:
            return
        if not self._update.exists():
            self._schedule.request()
        try:
            paths = [_concerned(change.path) for change in changed]
            part = PartOfFolders(name for path in paths for name in self._folders.names_of(path))
            files = [
                path for path in self._find(part).paths if event_path(path) not in self._changes
            ]
            if len(files) > _BATCH_FILES:
                self._backlog.extend(files)
            else:
                yield from self._add(files)
        except BaseException:
            self._changes.add_new(changed)
            raise
        self._gone += [
            change
            for change in changed
            if change.has_replaced or (change.is_gone and is_missing(change.path))
        ]
        if self._observer is not None and any(change.is_folder for change in changed):
            self._observer.require_room()

    def _handle_backlog(self) -> Iterator[Change]:
        """Add some files of the backlog. After the last one, remove what is gone."""
        if self._backlog:
            batch = list(islice(self._backlog, _BATCH_FILES))
            yield from self._add(batch)
            for _ in batch:
                self._backlog.popleft()
        if not self._backlog and self._gone:
            yield from self._remove(self._gone)
            self._gone = []

    def _add(self, paths: Sequence[str]) -> Iterator[Change]:
        for change in self._update.add(paths, self._aliases):
            if change.status != "failed":
                self._failed.pop(change.path, None)
            elif self._failed.get(change.path) == change.message:
                continue
            else:
                self._failed[change.path] = change.message or ""
            yield change

    def _remove(self, gone: Sequence[ChangedPath]) -> Iterator[Change]:
        files: list[str] = []
        folders: list[str] = []
        for removed in gone:
            names = self._folders.names_of(removed.path)
            files += names
            if removed.is_folder or self._folders.is_link(removed.path):
                folders += names
        kept = self._folders.away_disks() if folders else ()
        for change in self._update.remove(files, folders, kept) if gone else ():
            self._failed.pop(change.path, None)
            yield change


def _concerned(path: str) -> str:
    """Return the path of the files that a change concerns: an ignore file concerns its folder."""
    return os.path.dirname(path) if os.path.basename(path) == IGNORE_FILE else path
