"""Size, modification time and content hash of local files: they tell whether a file has changed."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.audio.opened_file import not_a_file
from audiosearch.errors import AudioError, Unreachable
from audiosearch.paths import why_missing

if TYPE_CHECKING:
    from audiosearch.audio.opened_file import OpenedFile

#: Size and modification time that no file has. A failure stored with them is always tried again.
ALWAYS_RETRY = (-1, -1)

_HASH_BYTES = 1 << 18  # read at a time
_MAX_INT64 = 2**63 - 1  # databases store times as int64


@dataclass(frozen=True, slots=True)
class FileStat:
    """Size, modification time and content hash of a file, taken before it is decoded.

    Attributes
    ----------
    size : int
        Size in bytes.
    mtime_ns : int
        Modification time in nanoseconds since 1970, as `storable_ns` returns it.
    content_hash : str
        BLAKE3 of the file's bytes, as 32 hexadecimal digits. Empty if only parts were read.
    audio_hash : str
        Hash of the file's audio packets; empty if unknown. See `audiosearch.audio.packets`.
    real_path : str
        Path of the file without symbolic links; empty if the file isn't on this machine.
    """

    size: int
    mtime_ns: int
    content_hash: str
    audio_hash: str = ""
    real_path: str = ""


def storable_ns(time_ns: int) -> int:
    """Return the nearest time that an index can store, in nanoseconds since 1970.

    Those are the times from 1677 to 2262. Every time that is stored, or compared with a stored
    one, goes through this function.

    Examples
    --------
    >>> storable_ns(1_000), storable_ns(2**70) == 2**63 - 1
    (1000, True)
    """
    return max(-_MAX_INT64, min(time_ns, _MAX_INT64))


def read_file_stat(file: OpenedFile) -> FileStat:
    """Read a file to its end, and return its size, modification time, content hash and real path.

    Raises
    ------
    OSError
        If it can't be read.
    """
    from blake3 import blake3

    digest = blake3()
    buffer = memoryview(bytearray(_HASH_BYTES))
    with open(file.fileno(), "rb", buffering=0, closefd=False) as content:
        while n_bytes := content.readinto(buffer):
            digest.update(buffer[:n_bytes])
    content_hash = digest.hexdigest(length=16)
    return FileStat(*size_and_mtime_of(file.status), content_hash, real_path=file.real_path)


def size_and_mtime(path: str) -> tuple[int, int]:
    """Return a file's size in bytes and modification time in ns since 1970, without opening it.

    Raises
    ------
    AudioError
        If there is no such file, or it is not a regular file.
    """
    try:
        status = os.stat(path)
    except OSError as exc:
        if exc.errno in {errno.ENOENT, errno.ELOOP}:
            raise AudioError(path, why_missing(path), hint="Check the path.") from exc
        hint = "Check its read permission."
        raise AudioError(path, "it can't be opened", hint=hint) from exc
    if stat.S_ISDIR(status.st_mode):
        hint = "Check its read permission."
        raise AudioError(path, "this folder can't be opened", hint=hint)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block until it has a writer
        raise not_a_file(path)
    return size_and_mtime_of(status)


def size_and_mtime_after_failure(error: AudioError) -> tuple[int, int] | None:
    """Return the size and modification time to store with a failure.

    The file is tried again once its size or modification time differs from the stored one.

    Returns
    -------
    tuple of int, or None
        Size in bytes and modification time in ns since 1970; `ALWAYS_RETRY` for a file that may
        become readable without changing; None if there is no file.
    """
    path = error.path
    if isinstance(error, Unreachable):
        return ALWAYS_RETRY
    if not os.path.lexists(path):
        return None
    try:
        status = os.stat(path)
    except OSError:
        return ALWAYS_RETRY
    return size_and_mtime_of(status) if os.access(path, os.R_OK) else ALWAYS_RETRY


def size_and_mtime_of(status: os.stat_result) -> tuple[int, int]:
    """Return a size in bytes and modification time in ns since 1970, as an index stores them."""
    return status.st_size, storable_ns(status.st_mtime_ns)
