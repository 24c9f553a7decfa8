"""Keeping an index true to the files it speaks of, without embedding any."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError, TrackNotFound
from audiosearch.sound.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.index import Failure, Index, Track
    from audiosearch.params import StrPath


@dataclass(frozen=True, slots=True)
class Gone:
    """What an index speaks of that is no longer there."""

    tracks: list[Track]
    failures: list[Failure]


def gone(index: Index) -> Gone:
    """Find the tracks, and the failures, whose files are gone."""
    return Gone(
        [track for track in index if not os.path.lexists(track.path)],
        [failure for failure in index.failures() if not os.path.lexists(failure.path)],
    )


def prune(index: Index, missing: Gone, *, force: bool = False) -> None:
    """Forget what is gone.

    Parameters
    ----------
    index : Index
    missing : Gone
        As `gone` found it.
    force : bool
        Forget even every track there is.

    Raises
    ------
    LibraryError
        Where every track is gone, as when a disk is not mounted, and ``force`` is false.
    """
    n_tracks = index.totals().tracks
    if n_tracks and len(missing.tracks) == n_tracks and not force:
        folder = os.path.commonpath([os.path.dirname(track.path) for track in missing.tracks])
        raise LibraryError(
            f"Every file of the index is gone: is {folder} on a disk that is not mounted?",
            hint="Mount it; or use `audiosearch relocate` if it moved, or --force if it is gone.",
        )
    index.remove(missing.tracks)
    index.remove_failures(missing.failures)
    index.catch_up()


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
    old_root, new_root = (os.path.abspath(os.fspath(folder)) for folder in (old, new))
    tracks = index.find(old_root)
    if any(track.path == old_root for track in tracks):
        raise TrackNotFound(f"{old_root} is a file.", hint="Name the folder that moved.")
    moved = [replace(t, path=os.path.join(new_root, t.path[len(old_root) + 1 :])) for t in tracks]
    taken = [track.path for track in moved if index.track_at(track.path)]
    if taken:
        raise LibraryError(
            f"{len(taken)} of the tracks are stored at their new place too, such as {taken[0]}.",
            hint=f"`audiosearch remove` one of the two folders: {old_root} or {new_root}.",
        )
    index.update(*moved)
    return len(moved)


def refresh(index: Index) -> Iterator[Track]:
    """Read the tags of every file that is there anew, and yield the tracks that changed."""
    for track in list(index):
        if os.path.isfile(track.path):
            fresh = replace(track, **asdict(read_tags(track.path)))
            if fresh != track:
                index.update(fresh)
                yield fresh
