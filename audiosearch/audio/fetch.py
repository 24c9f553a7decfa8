"""Temporary local copies of files behind URLs."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.audio.opened_file import DESCRIPTORS
from audiosearch.audio.urls import filesystem_of, is_http, translate_errors
from audiosearch.errors import Unreachable, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import BinaryIO

RESERVED_BYTES = 500_000_000  # of the disk, which copies leave free
_PART_BYTES = 8 << 20  # read at a time


@dataclass(frozen=True, slots=True)
class Copy:
    """A local copy of a file at a URL.

    Attributes
    ----------
    path : str
        Path at which this process opens it.
    descriptor : int or None
        Its descriptor, on Linux: the copy has no name there, so that it vanishes with the process.
    """

    path: str
    descriptor: int | None = None


def never() -> bool:
    """Return that nothing is to be stopped."""
    return False


@contextlib.contextmanager
def fetched(url: str, *, is_stopped: Callable[[], bool] = never) -> Iterator[Copy]:
    """Yield a local copy of a file at a URL; the copy lasts as long as the block.

    Parameters
    ----------
    url : str
    is_stopped : callable
        Whether to give up. It is asked again and again.

    Raises
    ------
    AudioError
        If the file can't be fetched.
    MissingExtra
        If fsspec is not installed.
    """
    with contextlib.ExitStack() as stack:
        try:
            copy, file = stack.enter_context(_new_copy())
        except OSError as exc:
            raise _no_room(url, exc.strerror or str(exc)) from exc
        with translate_errors(url), contextlib.closing(_parts(url)) as parts:
            for part in parts:
                if is_stopped():
                    raise Unreachable(url, "fetching it was stopped", hint="Add it again.")
                _write(url, file, part)
            file.flush()
        yield copy


@contextlib.contextmanager
def _new_copy() -> Iterator[tuple[Copy, BinaryIO]]:
    """Yield an empty copy and its file, which are removed afterwards."""
    if os.path.isdir(DESCRIPTORS):
        with tempfile.TemporaryFile() as file:
            yield Copy(f"{DESCRIPTORS}/{file.fileno()}", file.fileno()), file
        return
    folder = tempfile.TemporaryDirectory(prefix="audiosearch-", ignore_cleanup_errors=True)
    with folder as name, open(os.path.join(name, "sound"), "wb") as file:
        yield Copy(file.name), file


def _parts(url: str) -> Generator[bytes, None, None]:
    """Yield the content of a file at a URL."""
    if is_http(url):
        from audiosearch.audio.http_files import file_content

        yield from file_content(url)
        return
    filesystem, name = filesystem_of(url)
    with filesystem.open(name, "rb", cache_type="none") as source:
        while part := source.read(_PART_BYTES):
            yield part


def _write(url: str, file: BinaryIO, part: bytes) -> None:
    folder = tempfile.gettempdir()
    try:
        if shutil.disk_usage(folder).free - len(part) < RESERVED_BYTES:
            raise _no_room(url, f"{folder} is full")
        file.write(part)
    except OSError as exc:
        if is_disk_full(exc):
            raise _no_room(url, exc.strerror or str(exc)) from exc
        raise


def _no_room(url: str, reason: str) -> Unreachable:
    return Unreachable(
        url,
        f"{platform.node()} has no room for it ({reason})",
        hint="Free some space in the folder for temporary files, or set TMPDIR to another folder.",
    )
