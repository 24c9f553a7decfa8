"""State of files in relation to an index, determined without opening the files.

A file may have several paths, because of symbolic links. It has one track.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING

from audiosearch.paths import real_paths

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from audiosearch.library.index import Index


class State(str, Enum):
    """State of a file, compared with the index."""

    NEW = "new"
    CHANGED = "changed"  # since it was embedded
    MOVED = "moved"  # its track has another path
    UNCHANGED = "unchanged"  # since it was embedded
    FAILED = "failed"  # could not be embedded, and unchanged since then


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file with all its known paths.

    Attributes
    ----------
    real_path : str
        Path without symbolic links, or URL.
    paths : tuple of str
        Paths by which the file was found or is stored. The first one is best: the real path; else
        one that isn't itself a link; else one that is stored.
    stored_paths : tuple of str
        Those of the paths that tracks have. Only the track with the first one is kept.
    """

    real_path: str
    paths: tuple[str, ...]
    stored_paths: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path that the track of this file has, or gets."""
        return self.paths[0]

    @property
    def is_moved(self) -> bool:
        """Whether its track has another path than it gets."""
        return bool(self.stored_paths) and self.stored_paths[0] != self.path

    @property
    def is_settled(self) -> bool:
        """Whether it has no track, or only one under the path that this gets."""
        return self.stored_paths in ((), (self.path,))


def known_file(real_path: str, paths: Iterable[str], stored: Container[str]) -> KnownFile:
    """Return a file with its paths in order, given the container of all stored paths."""
    names = list(dict.fromkeys(paths))
    if real_path not in names and real_path in stored and os.path.lexists(real_path):
        names.append(real_path)
    if len(names) > 1:
        names.sort(key=lambda path: (path != real_path, os.path.islink(path), path not in stored))
    return KnownFile(real_path, tuple(names), tuple(name for name in names if name in stored))


class FileStates:
    """States of many files: reads the index once, then looks up each file in memory.

    Parameters
    ----------
    index : Index or None
        None if the index doesn't exist yet. All files are new then.
    paths : sequence of str
        Paths of the files.
    folder_aliases : sequence of str
        Other paths of folders with these files. Tracks that are stored under them count too.

    Attributes
    ----------
    files : list of KnownFile
        The files, each once.
    failures : dict
        The `Failure` of each path that failed.
    """

    def __init__(
        self, index: Index | None, paths: Sequence[str], folder_aliases: Sequence[str] = ()
    ) -> None:
        paths_by_file = _by_real_path(paths)
        if index and folder_aliases:
            tracks = index.storage.tracks_under(os.path.commonpath(folder_aliases))
            stored = _by_real_path([track.path for track in tracks])
            for real in stored.keys() & paths_by_file.keys():
                paths_by_file[real] += stored[real]
        names = list({*paths_by_file, *chain.from_iterable(paths_by_file.values())})
        self._tracks = index.storage.sizes_and_times(names) if index else {}
        self._links = index.linked_paths(list(self._tracks)) if index else None
        self.failures = {f.path: f for f in index.storage.failures()} if index else {}
        for real in self.failures.keys() & paths_by_file.keys():  # so that it fails only once
            paths_by_file[real].append(real)
        self.files = [
            known_file(real, known, self._tracks) for real, known in paths_by_file.items()
        ]

    def find_by_size(
        self, index: Index, new: Mapping[KnownFile, tuple[int, int]]
    ) -> list[KnownFile]:
        """Return new files, with the tracks that they have under paths that weren't given.

        Parameters
        ----------
        index : Index
        new : mapping
            Size (bytes) and modification time (ns) of each new file.
        """
        sizes = {size for size, _ in new.values()}
        tracks = list(index.storage.tracks_of_sizes(list(sizes)))
        self._tracks |= {track.path: (track.size, track.mtime_ns) for track in tracks}
        if self._links is not None:
            self._links |= {t.path: t.real_path for t in tracks if t.real_path != t.path}
        paths = _by_real_path([track.path for track in tracks])
        return [
            known_file(file.real_path, [*file.paths, *paths.get(file.real_path, ())], self._tracks)
            for file in new
        ]

    def state(self, file: KnownFile, size: int, mtime_ns: int) -> State:
        """Return the state of a file.

        Parameters
        ----------
        file : KnownFile
        size : int
            Current size, in bytes.
        mtime_ns : int
            Current time of the last change, in nanoseconds since 1970.
        """
        current = (size, mtime_ns)
        is_same = bool(file.stored_paths) and self._tracks[file.stored_paths[0]] == current
        if is_same and self._real_path(file) in {"", file.real_path}:
            return State.MOVED if file.is_moved else State.UNCHANGED
        failure = self.failures.get(file.path)
        if failure and (failure.size, failure.mtime_ns) == current:
            return State.FAILED
        return State.CHANGED if file.stored_paths else State.NEW

    def lacks_real_path(self, file: KnownFile) -> bool:
        """Return whether the index keeps real paths, but not yet the one of a file's track."""
        return bool(file.stored_paths) and self._real_path(file) == ""

    def _real_path(self, file: KnownFile) -> str:
        """Return the stored real path of a file that has a track; empty if unknown."""
        if self._links is None:
            return file.real_path
        path = file.stored_paths[0]
        return self._links.get(path, path)


def _by_real_path(paths: Sequence[str]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = defaultdict(list)
    for path, real in zip(paths, real_paths(paths), strict=True):
        result[real].append(path)
    return result
