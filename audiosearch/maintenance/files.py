"""Update an index after audio files were deleted, moved or retagged. Nothing is embedded."""

from __future__ import annotations

import fnmatch
import logging
import os
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import is_missing
from audiosearch.audio.disk import DISKS, mounted_disks
from audiosearch.audio.opened_file import open_regular
from audiosearch.audio.tags import read_tags
from audiosearch.counting import counted
from audiosearch.errors import AudioError, LibraryError, TrackNotFound, UsageError
from audiosearch.library.known_mounts import known_mounts
from audiosearch.paths import absolute, is_url, real_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.audio.tags import Tags
    from audiosearch.library.index import Failure, Index, Track
    from audiosearch.types import StrPath

log = logging.getLogger(__name__)

# Patterns of folders in which systems mount disks.
_MOUNT_FOLDERS = ("/media/*", "/run/media/*", "/mnt", "/Volumes")


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """Tracks and failures of an index whose files no longer exist."""

    tracks: list[Track]
    failures: list[Failure]


def missing_files(index: Index) -> MissingFiles:
    """Return the tracks and failures whose files no longer exist.

    Raises
    ------
    Unreachable
        If a disk doesn't answer.
    """
    fields, failures = index.fields(("id", "path")), index.storage.failures()
    missing = compress(fields, DISKS.map(is_missing, [path for _, path in fields]))
    return MissingFiles(
        list(index.storage.tracks([track_id for track_id, _ in missing])),
        list(compress(failures, DISKS.map(is_missing, [failure.path for failure in failures]))),
    )


def prune(
    index: Index, missing: MissingFiles, *, force: bool = False, dry_run: bool = False
) -> None:
    """Remove tracks and failures whose files no longer exist.

    Parameters
    ----------
    index : Index
    missing : MissingFiles
        Result of `missing_files`.
    force : bool
        Whether to remove them even if a disk seems not to be mounted.
    dry_run : bool
        Only check that they may be removed.

    Raises
    ------
    LibraryError
        If ``force`` is false and a disk seems not to be mounted: if every local file is missing, if
        a missing file was added from a disk that isn't mounted now, if a missing folder is in a
        place where systems mount disks, or if files are missing from a folder that is now empty.
    """
    missing_paths = {track.path for track in missing.tracks}
    paths = (path for _, path in index.fields(("id", "path")))
    present = [path for path in paths if path not in missing_paths and not is_url(path)]
    folders = sorted({_highest_missing(path) for path in missing_paths})
    unmounted = next(filter(None, (_unmounted(folder, present) for folder in folders)), None)
    unmounted = _away_disk(index, missing, present) or unmounted
    if folders and not present:
        unmounted = unmounted or folders[0]
    if unmounted and not force:
        raise LibraryError(
            f"Everything in {unmounted} is missing. Its disk may not be mounted.",
            hint="Mount the disk. If the folder moved, use `audiosearch relocate`. If it is "
            "deleted, add --force.",
        )
    if dry_run:
        return
    index.remove(missing.tracks)
    index.storage.remove_failures(missing.failures)
    index.sync()


def _away_disk(index: Index, missing: MissingFiles, present: list[str]) -> str | None:
    """Return the folder of a disk with missing files that was mounted at an earlier time only."""
    paths = [track.real_path for track in missing.tracks]
    paths += [failure.path for failure in missing.failures]
    for mount in known_mounts(index).difference(mounted_disks()):
        prefix = os.path.join(mount, "")
        lacks_all = not any(path.startswith(prefix) for path in present)
        if lacks_all and any(path.startswith(prefix) for path in paths):
            return mount
    return None


def _highest_missing(path: str) -> str:
    """Return the topmost missing folder above a missing file; the file if its folder exists.

    On Windows, that may be a whole drive.
    """
    while (parent := os.path.dirname(path)) not in {"", path} and not os.path.lexists(parent):
        path = parent
    return path


def _unmounted(missing: str, present: list[str]) -> str | None:
    """Return the folder of a disk that seems not to be mounted, if that explains a missing path.

    An empty folder counts as such a folder, unless files of tracks exist beside it.
    """
    parent = os.path.dirname(missing) or os.curdir
    if parent == missing:  # a drive of Windows, or a folder of the network
        return missing
    if any(fnmatch.fnmatch(parent, pattern) for pattern in _MOUNT_FOLDERS):
        return missing
    grandparent = os.path.join(os.path.dirname(parent), "")
    is_empty = os.path.isdir(parent) and not os.listdir(parent)
    return parent if is_empty and not any(p.startswith(grandparent) for p in present) else None


def find_named(index: Index, names: Iterable[str]) -> tuple[list[Track], list[Failure]]:
    """Return the tracks and failures with the given names, each once.

    Parameters
    ----------
    index : Index
    names : iterable of str
        Paths or #IDs of tracks, paths of files that failed, or folders with any of them.

    Raises
    ------
    TrackNotFound
        If a name matches neither a track nor a failure.
    """
    tracks: dict[int, Track] = {}
    failures: dict[str, Failure] = {}
    for name in names:
        path = absolute(name)
        matches = {failure.path: failure for failure in _failures_under(index, path)}
        matches |= {f.path: f for f in index.storage.failures() if f.path == path}
        try:
            tracks |= {track.id: track for track in index.resolve_all(name)}
        except TrackNotFound:
            if not matches:
                raise
        failures |= matches
    return list(tracks.values()), list(failures.values())


def forget(index: Index, names: Iterable[str]) -> int:
    """Remove tracks and failures from the index. Audio files are kept.

    Parameters
    ----------
    index : Index
    names : iterable of str
        See `find_named`.

    Returns
    -------
    int
        Number of removed tracks.

    Raises
    ------
    TrackNotFound
        If a name matches neither a track nor a failure. Nothing is removed then.
    """
    tracks, failures = find_named(index, names)
    index.remove(tracks)
    index.storage.remove_failures(failures)
    index.sync()
    return len(tracks)


def _failures_under(index: Index, folder: str) -> list[Failure]:
    prefix = os.path.join(folder, "")
    return [failure for failure in index.storage.failures() if failure.path.startswith(prefix)]


def relocate(index: Index, old: StrPath, new: StrPath) -> int:
    """Replace a folder in the paths of tracks and failures. No file is read.

    Parameters
    ----------
    index : Index
    old, new : str or path-like
        The folder before and after it was moved.

    Returns
    -------
    int
        Number of tracks relocated.

    Raises
    ------
    UsageError
        If a folder's name is empty.
    TrackNotFound
        If no track is in the old folder.
    LibraryError
        If another track already has one of the new paths.
    """
    if not os.fspath(old) or not os.fspath(new):
        raise UsageError(
            "The name of a folder is empty.",
            hint="Name both folders: `audiosearch relocate OLD NEW`.",
        )
    old_root, new_root = (absolute(os.fspath(folder)) for folder in (old, new))
    old_root = index.as_stored(old_root)
    tracks = index.storage.tracks_under(old_root)
    if not tracks and index.storage.track_at(old_root):
        raise TrackNotFound(
            f"{old_root} is a file, not a folder.", hint="Name the folder that moved."
        )
    if not tracks:
        raise index.no_track(old_root)

    def new_path(path: str) -> str:
        return os.path.join(new_root, path[len(os.path.join(old_root, "")) :])

    paths = [new_path(track.path) for track in tracks]
    taken = list(index.storage.sizes_and_times(paths))
    if taken:
        raise LibraryError(
            f"{len(taken)} of the tracks can't move, because another track is stored under the new "
            f"path, such as {taken[0]}.",
            hint="Remove the old or new ones with `audiosearch remove`. Then run relocate again.",
        )
    failures = _failures_under(index, old_root)
    moved = [replace(t, real_path=real) for t, real in zip(tracks, real_paths(paths), strict=True)]
    with index.transaction():
        index.storage.move(zip(moved, paths, strict=True))
        index.storage.remove_failures(failures)
        index.storage.add_failures(replace(f, path=new_path(f.path)) for f in failures)
    return len(tracks)


def refresh(index: Index) -> Iterator[Track]:
    """Read the tags of all files again, and store those that changed. Skip missing files.

    Files that can't be read for another reason are skipped too, and those at URLs, with a warning
    at the end.

    Yields
    ------
    Track
        Each track whose tags changed, with the new tags.
    """
    errors: list[AudioError] = []
    covers = []  # of tracks of which it wasn't known whether they have one
    tracks = list(index)
    n_urls = sum(is_url(track.path) for track in tracks)
    for track in tracks:
        try:
            tags = asdict(DISKS.call(track.path, partial(_tags, track)))
        except AudioError as exc:
            errors.append(exc)
            continue
        except OSError:  # missing or unreadable
            continue
        updated = replace(track, **tags)
        if track.has_cover is None and updated == replace(track, has_cover=updated.has_cover):
            covers.append((track, {"has_cover": updated.has_cover}))
        elif updated != track:
            index.storage.set_fields([(track, tags)])
            yield updated
    if covers:
        index.storage.set_fields(covers)
    if n_urls:
        log.warning(
            "%s skipped. `audiosearch add` reads the tags of those that have changed.",
            counted(n_urls, "track at a URL", "tracks at URLs"),
        )
    if errors:
        first = errors[0]
        log.warning(
            "%s skipped. The first is %s. %s", counted(len(errors), "file"), first, first.hint
        )


def _tags(track: Track) -> Tags:
    with open_regular(track.path, real_path=track.real_path) as file:
        return read_tags(file.name, name=track.path)
