"""Open the file that a path stands for, and only that one.

A file of an index may be replaced while nobody looks: by a pipe or a device, which would block or
never end, or by a link to a file that isn't meant for others. So a file is opened once, checked,
and from then on used by its descriptor.
"""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO

from audiosearch import system
from audiosearch.errors import AudioError


class OpenedFile:
    """An open regular file. Leaving a ``with`` block closes it.

    Attributes
    ----------
    path : str
        Path by which it was opened.
    real_path : str
        Its path without symbolic links.
    status : os.stat_result
        Its status when it was opened.
    """

    def __init__(self, path: str, file: FileIO) -> None:
        self.path = self.real_path = path
        self.status = os.fstat(file.fileno())
        self._file = file

    def __enter__(self) -> OpenedFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Path by which this process, or a child that inherits the descriptor, opens it again.

        On Linux, it leads to this very file, even if another one has its path by now. On other
        systems, it is the real path.
        """
        has_path = system.HAS_DESCRIPTOR_PATHS
        return system.descriptor_path(self.fileno()) if has_path else self.real_path

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_regular(path: str, *, real_path: str = "") -> OpenedFile:
    """Open a regular file for reading, without waiting.

    Parameters
    ----------
    path : str
    real_path : str
        Real path that the path must still have, as `OpenedFile.real_path` returned it. Empty: any.

    Raises
    ------
    AudioError
        If it is not a regular file, or has another real path.
    OSError
        If it can't be opened.
    """
    check_regular(path, real_path=real_path)  # opening a device may already have an effect
    descriptor = system.open_without_links(real_path) if real_path else system.open_at_once(path)
    file = OpenedFile(path, FileIO(descriptor))
    try:
        _require_regular(path, file.status)
        file.real_path = real_path or _real_path(path, file.status)
    except BaseException:
        file.close()
        raise
    return file


def check_regular(path: str, *, real_path: str = "") -> None:
    """Check a file like `open_regular`, without opening it. It may be replaced afterwards."""
    try:
        _require_regular(path, os.stat(path))
    except ValueError as exc:
        raise OSError(errno.EINVAL, "no file has such a name") from exc
    if real_path and os.path.realpath(path) != real_path:
        raise AudioError(
            path,
            "its path leads to another place than when it was added",
            hint="If this is right, run `audiosearch add` on its folder again.",
        )


def not_a_file(path: str) -> AudioError:
    """Return the error that a path doesn't lead to a regular file."""
    return AudioError(path, "it is not a file", hint="Name an audio file.")


def _require_regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise not_a_file(path)


def _real_path(path: str, status: os.stat_result) -> str:
    """Return the path without symbolic links of the file that was opened."""
    if not status.st_nlink:  # it has been deleted, and has no other path
        return path
    real_path = os.path.realpath(path)
    if not os.path.samestat(os.lstat(real_path), status):
        raise AudioError(path, "it was replaced while it was read", hint="Add it again.")
    return real_path
