"""Local files to decode: files on this machine, and temporary copies of files at URLs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from audiosearch.audio.fetch import PART_BYTES, fetched, never
from audiosearch.audio.urls import is_http
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from audiosearch.audio.file_stat import FileStat


_NO_LIMIT: Final = contextlib.nullcontext()


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine that holds the content of a path or URL.

    Attributes
    ----------
    path : str
        Path at which this process opens the file.
    size, mtime_ns : int or None
        Size in bytes and modification time in ns since 1970 of the file at the URL; None unless
        this is a copy of it.
    real_path : str
        Path without symbolic links that the file must have; empty for any.
    is_original : bool
        Whether the path leads to this file also on the machine with the index.
    descriptor : int or None
        Descriptor of a file without a name.
    fetch : callable or None
        Fetches the bytes between two positions, for a file of which nothing is there yet.
    """

    path: str
    size: int | None = None
    mtime_ns: int | None = None
    real_path: str = ""
    is_original: bool = True
    descriptor: int | None = None
    fetch: Callable[[int, int], None] | None = None

    @property
    def source(self) -> str | int:
        """Path or descriptor for a decoder process."""
        return self.path if self.descriptor is None else self.descriptor

    def original_stat(self, file_stat: FileStat) -> FileStat:
        """Return the `FileStat` to store: with the size and time of the file at the URL."""
        if not self.is_original:
            file_stat = replace(file_stat, real_path="")
        if self.size is None or self.mtime_ns is None:
            return file_stat
        return replace(file_stat, size=self.size, mtime_ns=self.mtime_ns)


@contextlib.contextmanager
def open_local(
    path: str,
    *,
    size_and_mtime: tuple[int, int] | None = None,
    in_parts: bool = False,
    is_stopped: Callable[[], bool] = never,
    large_copies: AbstractContextManager[object] = _NO_LIMIT,
) -> Iterator[LocalFile]:
    """Yield the local file for a path or URL; a copy of a URL lasts as long as the block.

    Parameters
    ----------
    path : str
        Path or URL.
    size_and_mtime : tuple of int, optional
        Size and modification time of a URL, as they were listed.
    in_parts : bool
        Fetch only the parts of a URL that are read, if its scheme allows this.
    is_stopped : callable
        Whether to give up fetching a URL. It is asked again and again.
    large_copies : context manager
        A semaphore that limits the number of large copies, which need room on the disk.

    Raises
    ------
    AudioError
        If a URL can't be fetched.
    MissingExtra
        If fsspec is not installed.
    """
    if not is_url(path):
        yield LocalFile(path)
        return
    size, mtime_ns = size_and_mtime or (None, None)
    is_small = 0 < (size or 0) <= PART_BYTES or (in_parts and not is_http(path))
    with (
        _NO_LIMIT if is_small else large_copies,
        fetched(path, size=size or 0, in_parts=in_parts, is_stopped=is_stopped) as copy,
    ):
        yield LocalFile(
            copy.path,
            size,
            mtime_ns,
            is_original=False,
            descriptor=copy.descriptor,
            fetch=copy.fetch,
        )
