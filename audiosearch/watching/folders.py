"""Watched folders: their paths with and without links, and whether their disks are there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audiosearch.audio.discovery import find_files, folders_above
from audiosearch.audio.disk import DISKS, mounted_disks, mounts
from audiosearch.errors import Unreachable
from audiosearch.paths import is_in, real_path

if TYPE_CHECKING:
    from collections.abc import Iterable

#: File systems that report only the changes that this machine makes.
NETWORK_TYPES: Final = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.rclone", "9p", "afs", "ceph", "davfs")
)


@dataclass(slots=True)
class WatchedFolder:
    """A watched folder, or a folder behind a link in one.

    Attributes
    ----------
    name : str
        Absolute path, as it was given or found.
    real : str
        Path without symbolic links.
    identity : tuple or None
        Device and inode of the folder; None while it is away.
    """

    name: str
    real: str = ""
    identity: tuple[int, int] | None = None

    @property
    def paths(self) -> list[str]:
        """Both paths."""
        return [self.name, self.real]


class Folders:
    """The watched folders, and the folders behind links in them.

    A folder that is missing, can't be opened, or has become another one is away: its disk may not
    be mounted.

    Parameters
    ----------
    names : iterable of str
        Absolute paths of the watched folders.
    mounted : iterable of str
        Folders in which disks were mounted at an earlier time.
    """

    def __init__(self, names: Iterable[str], mounted: Iterable[str] = ()) -> None:
        self.roots = [WatchedFolder(name) for name in names]
        self._links: dict[str, WatchedFolder] = {}
        self.mounted = set(mounted)

    @property
    def all(self) -> list[WatchedFolder]:
        """All folders, those behind links last."""
        return [*self.roots, *self._links.values()]

    def add_links(self, names: Iterable[str]) -> None:
        """Add links to folders that were found."""
        known = {folder.name for folder in self.all}
        self._links |= {name: WatchedFolder(name) for name in names if name not in known}

    def is_link(self, path: str) -> bool:
        """Return whether a path without links above it is that of a link to a folder, or was."""
        return not self._links.keys().isdisjoint(self.names_of(path))

    def forget_links(self) -> None:
        """Forget the links to folders that were deleted."""
        self._links = {name: p for name, p in self._links.items() if os.path.lexists(name)}

    def check(self) -> tuple[list[WatchedFolder], list[WatchedFolder]]:
        """Look at all folders. Return those that have gone away, and those that are there now.

        A folder that has become another one is in both lists.
        """
        gone, back = [], []
        for folder in self.all:
            former, former_real = folder.identity, folder.real
            folder.real, folder.identity = _looked_up(folder.name)
            if former is not None and (former, former_real) != (folder.identity, folder.real):
                gone.append(WatchedFolder(folder.name, former_real, former))
            if folder.identity not in {None, former}:
                back.append(folder)
        return gone, back

    def names_of(self, path: str) -> list[str]:
        """Return the paths by which a file or folder may be found, given one without links."""
        behind_links = (
            folder.name + path[len(folder.real) :]
            for folder in self.all
            if is_in(path, folder.real)
        )
        return list(dict.fromkeys([path, *behind_links]))

    @property
    def present(self) -> list[WatchedFolder]:
        """The folders that are there."""
        return [folder for folder in self.all if folder.identity is not None]

    @property
    def away(self) -> list[WatchedFolder]:
        """The folders that are away, without those whose link was deleted."""
        return [
            folder
            for folder in self.all
            if folder.identity is None and (folder in self.roots or os.path.lexists(folder.name))
        ]

    def has_changed(self) -> bool:
        """Return whether `check` would find a change."""
        return any((folder.real, folder.identity) != _looked_up(folder.name) for folder in self.all)

    def disks(self) -> frozenset[str]:
        """Return the folders in which disks with watched files are mounted, and remember them."""
        current = frozenset(mount for mount in mounted_disks() if self._concerns(mount))
        self.mounted |= current
        return current

    def kept(self, paths: Iterable[str]) -> list[str]:
        """Return the folders of which nothing may be removed, because their disk may be away.

        Those are the folders that are away; and watched folders, and folders in which a disk with
        watched files was mounted at an earlier time, that hold no audio files now.

        Parameters
        ----------
        paths : iterable of str
            Paths of all audio files that were found.
        """
        occupied = {folder for path in paths for folder in folders_above(path)}
        kept = [folder.paths for folder in self.away]
        kept += [folder.paths for folder in self.roots if occupied.isdisjoint(folder.paths)]
        kept += [names for names in self._unmounted() if occupied.isdisjoint(names)]
        return [name for names in kept for name in names]

    def away_disks(self) -> list[str]:
        """Return the folders without audio files in which a disk was mounted at an earlier time."""
        away = [n for n in self._unmounted() if not find_files(filter(os.path.isdir, n)).paths]
        return [name for names in away for name in names]

    def _unmounted(self) -> list[list[str]]:
        """Return the names of each folder in which a disk was mounted earlier and isn't now."""
        return list(map(self.names_of, self.mounted - self.disks()))

    def _concerns(self, mount: str) -> bool:
        return any(
            is_in(folder.real, mount) or is_in(mount, folder.real) for folder in self.present
        )

    def on_network(self) -> list[str]:
        """Return the watched folders on file systems that report only changes by this machine."""
        kinds = {os.path.join(path, ""): kind for path, kind in mounts().items()}

        def kind_of(folder: str) -> str:
            path = os.path.join(folder, "")
            return next((kind for mount, kind in kinds.items() if path.startswith(mount)), "")

        return [folder.name for folder in self.roots if kind_of(folder.real) in NETWORK_TYPES]


def _looked_up(name: str) -> tuple[str, tuple[int, int] | None]:
    """Return the path of a folder without links, and its identity."""
    folder = real_path(name)
    try:
        status = DISKS.call(folder, lambda: os.stat(folder))
    except (OSError, ValueError, Unreachable):
        return folder, None
    is_readable = stat.S_ISDIR(status.st_mode) and os.access(folder, os.R_OK | os.X_OK)
    return folder, (status.st_dev, status.st_ino) if is_readable else None
