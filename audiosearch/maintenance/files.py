"""Keeping an index true to the files it speaks of, without embedding any."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import is_missing
from audiosearch.audio.tags import read_tags
from audiosearch.errors import LibraryError, TrackNotFound, UsageError
from audiosearch.paths import absolute, is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.library.index import Failure, Index, Track
    from audiosearch.types import StrPath


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """What an index speaks of that is no longer there."""

    tracks: list[Track]
    failures: list[Failure]


#: Folders in which systems mount disks.
_MOUNT_FOLDERS = ("/media/*", "/run/media/*", "/mnt", "/Volumes")


def gone(index: Index) -> MissingFiles:
    """Find the tracks, and the failures, whose files are gone."""
    return MissingFiles(
        [track for track in index if is_missing(track.path)],
        [failure for failure in index.failures() if is_missing(failure.path)],
    )


def prune(index: Index, missing: MissingFiles, *, force: bool = False) -> None:
    """Forget what is gone.

    Parameters
    ----------
    index : Index
    missing : MissingFiles
        As `gone` found it.
    force : bool
        Forget even every track there is.

    Raises
    ------
    LibraryError
        Where ``force`` is false and a disk seems not to be mounted: every track is gone, or a
        folder in which disks are mounted, or one that is empty, has lost what was in it.
    """
    gone_paths = {track.path for track in missing.tracks}
    there = [t.path for t in index if t.path not in gone_paths and not is_url(t.path)]
    folders = sorted({_highest_missing(path) for path in gone_paths})
    unmounted = next(filter(None, (_unmounted(folder, there) for folder in folders)), None)
    if folders and not there:
        unmounted = unmounted or folders[0]
    if unmounted and not force:
        raise LibraryError(
            f"{unmounted} is gone with all that was in it: is it on a disk that is not mounted?",
            hint="Mount it; or use `audiosearch relocate` if it moved, or --force if it is gone.",
        )
    index.remove(missing.tracks)
    index.remove_failures(missing.failures)
    index.sync()


def _highest_missing(path: str) -> str:
    """Return the first part of a path that is not there."""
    while (parent := os.path.dirname(path)) and not os.path.lexists(parent):
        path = parent
    return path


def _unmounted(missing: str, there: list[str]) -> str | None:
    """Return the folder that seems to lack its disk, for something to be missing; else None.

    An empty folder seems so, unless other tracks are still there beside it.
    """
    parent = os.path.dirname(missing) or os.curdir
    if any(fnmatch.fnmatch(parent, pattern) for pattern in _MOUNT_FOLDERS):
        return missing
    beside = os.path.join(os.path.dirname(parent), "")
    is_empty = os.path.isdir(parent) and not os.listdir(parent)
    return parent if is_empty and not any(path.startswith(beside) for path in there) else None


def forget(index: Index, names: Iterable[str]) -> int:
    """Forget tracks, or all that is in folders, failures too; no audio file is touched.

    Parameters
    ----------
    index : Index
    names : iterable of str
        Paths or #IDs of tracks, or folders.

    Returns
    -------
    int
        How many tracks there were.

    Raises
    ------
    TrackNotFound
        Where a name stands for none.
    """
    tracks: dict[int, Track] = {}
    for name in names:
        tracks |= {track.id: track for track in index.resolve_all(name)}
        index.remove_failures(_failures_under(index, absolute(name)))
    index.remove(tracks.values())
    index.sync()
    return len(tracks)


def _failures_under(index: Index, folder: str) -> list[Failure]:
    prefix = os.path.join(folder, "")
    return [failure for failure in index.failures() if failure.path.startswith(prefix)]


def relocate(index: Index, old: StrPath, new: StrPath) -> int:
    """Let the tracks under one folder be those under another, without reading a file.

    Returns
    -------
    int
        How many tracks there are.

    Raises
    ------
    TrackNotFound
        Where none is under the old folder.
    LibraryError
        Where one of their new paths is another track's already.
    """
    if not os.fspath(old) or not os.fspath(new):
        raise UsageError("An empty name is no folder.", hint="Name the folder as it was and is.")
    old_root, new_root = (absolute(os.fspath(folder)) for folder in (old, new))
    tracks = index.resolve_all(old_root)
    if any(track.path == old_root for track in tracks):
        raise TrackNotFound(f"{old_root} is a file.", hint="Name the folder that moved.")

    def moved(path: str) -> str:
        return os.path.join(new_root, path[len(os.path.join(old_root, "")) :])

    paths = [moved(track.path) for track in tracks]
    taken = list(index.sizes_and_times(paths))
    if taken:
        raise LibraryError(
            f"{len(taken)} of the tracks are stored at their new place too, such as {taken[0]}.",
            hint="`audiosearch remove` those, at one place or the other, and relocate the rest.",
        )
    failures = _failures_under(index, old_root)
    with index.transaction():
        index.move(zip(tracks, paths, strict=True))
        index.remove_failures(failures)
        index.add_failures(replace(f, path=moved(f.path)) for f in failures)
    return len(tracks)


def refresh(index: Index) -> Iterator[Track]:
    """Read the tags of every file that can be read anew, and yield the tracks that changed."""
    for track in list(index):
        try:
            tags = asdict(read_tags(track.path))
        except OSError:  # gone, or not ours to read
            continue
        fresh = replace(track, **tags)
        if fresh != track:
            index.set_tags(track, tags)
            yield fresh
