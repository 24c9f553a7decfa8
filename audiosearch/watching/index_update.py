"""Bring an index up to date with some files: add those that are there, remove those that aren't."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, TypeVar

from audiosearch.audio.discovery import PartOfFolders, is_missing
from audiosearch.audio.disk import DISKS
from audiosearch.embedding.reader import Reader
from audiosearch.ingest.add import Ingest, Status
from audiosearch.ingest.plan import find_states
from audiosearch.library.file_state import FileStates, State
from audiosearch.library.index import Index
from audiosearch.library.known_mounts import known_mounts, remember_mounts
from audiosearch.models.download import no_progress
from audiosearch.watching.report import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.audio.discovery import AudioFiles
    from audiosearch.library.index import Failure, Track
    from audiosearch.types import StrPath
    from audiosearch.watching.options import WatchOptions

T = TypeVar("T", "Track", "Failure")

_REMOVED_AT_ONCE = 500  # tracks in one transaction


class IndexUpdate:
    """Changes an index as its files change. The networks stay loaded in between.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.
    options : WatchOptions

    Raises
    ------
    ModelMismatch, IndexUnwritable, LibraryError, ModelError, UsageError
        As `Ingest` raises them.
    """

    def __init__(self, location: StrPath, options: WatchOptions) -> None:
        self._location = location
        self._options = options
        self._reader = Reader(n_jobs=options.n_jobs, has_sounds=options.sounds, keeps_networks=True)
        list(self._ingest([]))  # checks the options
        self._options = replace(options, request=replace(options.request, progress=no_progress))

    def _ingest(self, paths: Sequence[str], folder_aliases: Sequence[str] = ()) -> Ingest:
        options = self._options
        return Ingest(
            self._location,
            paths,
            folder_aliases=folder_aliases,
            request=options.request,
            excerpt_seconds=options.excerpt_seconds,
            reader=self._reader,
            moments=options.moments,
            moment_hop=options.moment_hop,
        )

    def exists(self) -> bool:
        """Return whether the index exists."""
        return Index.exists(self._location)

    def add(self, paths: Sequence[str], folder_aliases: Sequence[str] = ()) -> Iterator[Change]:
        """Add files, and yield those whose tracks change, or that failed."""
        for result in self._ingest(paths, folder_aliases) if paths else ():
            is_known = result.status is Status.UNCHANGED or result.is_known_failure
            if not is_known and not is_missing(result.path):
                yield Change(result.path, result.status.value, result.message, result.hint)

    def remove(
        self, files: Iterable[str], folders: Iterable[str], kept: Iterable[str] = ()
    ) -> Iterator[Change]:
        """Remove the tracks and failures of files that are gone.

        Parameters
        ----------
        files : iterable of str
        folders : iterable of str
            Folders with files that may be gone.
        kept : iterable of str
            Folders of which no files are removed but those in `files`.
        """
        if not self.exists():
            return
        names = set(files)
        inside, spared = PartOfFolders(folders), PartOfFolders(kept)

        def may_be_gone(path: str) -> bool:
            return path in names or (inside.covers(path) and not spared.covers(path))

        with Index(self._location) as index:
            stored = index.storage.sizes_and_times(list(names))
            tracks = [track for name in stored if (track := index.storage.track_at(name))]
            tracks += [t for folder in folders for t in index.storage.tracks_under(folder)]
            tracks = [track for track in tracks if may_be_gone(track.path)]
            failures = [f for f in index.storage.failures() if may_be_gone(f.path)]
            gone = _missing({track.id: track for track in tracks}.values())
            index.storage.remove_failures(_missing(failures))
            for start in range(0, len(gone), _REMOVED_AT_ONCE):
                batch = gone[start : start + _REMOVED_AT_ONCE]
                index.remove(batch)
                yield from (Change(track.path, "removed") for track in batch)
            if gone:
                index.sync()

    def outdated(self, files: AudioFiles) -> list[str]:
        """Return the files whose tracks lack something, or that have none."""
        if not self.exists():
            return files.paths
        with Index(self._location) as index:
            states = FileStates(index, files.paths, files.folder_aliases)
            return [
                file.path
                for file, state in find_states(index, states, self._reader)
                if state not in {State.UNCHANGED, State.FAILED}
                or not file.is_settled
                or states.lacks_real_path(file)
            ]

    def missing(self, folders: Sequence[str]) -> list[str]:
        """Return the paths of tracks and failures in folders whose files don't exist."""
        if not self.exists():
            return []
        prefixes = tuple(os.path.join(folder, "") for folder in folders)
        with Index(self._location) as index:
            paths = [path for _, path in index.fields(("id", "path"))]
            paths += [failure.path for failure in index.storage.failures()]
        inside = [path for path in paths if path.startswith(prefixes)]
        return list(dict.fromkeys(compress(inside, DISKS.map(is_missing, inside))))

    def known_mounts(self) -> set[str]:
        """Return the folders in which disks with files of the index were mounted."""
        if not self.exists():
            return set()
        with Index(self._location) as index:
            return known_mounts(index)

    def remember_mounts(self, mounts: Iterable[str]) -> None:
        """Add folders in which disks are mounted to those that the index knows, if it exists."""
        if self.exists():
            with Index(self._location) as index:
                remember_mounts(index, mounts)


def _missing(items: Iterable[T]) -> list[T]:
    """Return the tracks or failures whose files don't exist."""
    listed = list(items)
    return list(compress(listed, DISKS.map(is_missing, [item.path for item in listed])))
