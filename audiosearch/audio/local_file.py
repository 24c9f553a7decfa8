"""Local files to decode: files on this machine, and temporary copies of files at URLs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.audio.file_stat import FileStat


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine that holds the content of a path or URL.

    Attributes
    ----------
    path : str
        Path of the file to open.
    size, mtime_ns : int or None
        Size in bytes and modification time in ns since 1970 of the file at the URL; None unless
        this is a copy of it.
    real_path : str
        Path without symbolic links that the file must have; empty for any.
    is_original : bool
        Whether the path leads to this file also on the machine with the index.
    """

    path: str
    size: int | None = None
    mtime_ns: int | None = None
    real_path: str = ""
    is_original: bool = True

    def original_stat(self, file_stat: FileStat) -> FileStat:
        """Return the `FileStat` to store: with the size and time of the file at the URL."""
        if not self.is_original:
            file_stat = replace(file_stat, real_path="")
        if self.size is None or self.mtime_ns is None:
            return file_stat
        return replace(file_stat, size=self.size, mtime_ns=self.mtime_ns)


@contextlib.contextmanager
def open_local(
    path: str, *, size_and_mtime: tuple[int, int] | None = None, folder: str | None = None
) -> Iterator[LocalFile]:
    """Yield the local file for a path or URL; a copy of a URL lasts as long as the block.

    Parameters
    ----------
    path : str
        Path or URL.
    size_and_mtime : tuple of int, optional
        Size and modification time of a URL, as they were listed.
    folder : str, optional
        Folder for the copy of a URL. Default: the system's folder for temporary files.

    Raises
    ------
    AudioError
        If a URL can't be fetched.
    MissingExtra
        If fsspec is not installed.
    """
    if is_url(path):
        from audiosearch.audio.fetch import fetched

        with fetched(path, folder=folder) as copy:
            size, mtime_ns = size_and_mtime or (None, None)
            yield LocalFile(copy, size, mtime_ns, is_original=False)
    else:
        yield LocalFile(path)
