"""Files of which only the parts that are read are fetched.

Such a file has its full size from the start, but no content. Each part is fetched before it is
read.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: Fetches the bytes between two positions.
    Fetch = Callable[[int, int], None]

_fetches: dict[str, Fetch] = {}  # by path


@contextlib.contextmanager
def fetching(path: str, fetch: Fetch) -> Iterator[None]:
    """Fetch the parts of the file at a path as they are read, while the block lasts."""
    _fetches[path] = fetch
    try:
        yield
    finally:
        del _fetches[path]


def is_in_parts(path: str) -> bool:
    """Return whether only the parts of a file that are read are fetched."""
    return path in _fetches


def open_binary(path: str, *, buffering: int = -1) -> BinaryIO:
    """Open a file for reading, like `open`.

    Raises
    ------
    OSError
        If it can't be opened.
    """
    fetch = _fetches.get(path)
    if fetch is None:
        return open(path, "rb", buffering=buffering)
    return cast("BinaryIO", _FileInParts(path, fetch))


class _FileInParts(io.FileIO):
    """A file of which each part is fetched before it is read.

    Its descriptor must not be read: there may be nothing.

    Parameters
    ----------
    path : str
    fetch : callable
    """

    def __init__(self, path: str, fetch: Fetch) -> None:
        super().__init__(path)
        self._fetch = fetch
        self._n_bytes = os.fstat(self.fileno()).st_size

    def readinto(self, buffer: Any, /) -> int:
        """Read up to as many bytes as a buffer has."""
        start = self.tell()
        stop = min(start + len(memoryview(buffer).cast("B")), self._n_bytes)
        if start < stop:
            self._fetch(start, stop)
        return super().readinto(buffer)

    def read(self, size: int | None = -1) -> bytes:
        """Read a number of bytes, fewer at the end; by default, all up to the end."""
        n_left = max(0, self._n_bytes - self.tell())
        n_bytes = n_left if size is None or size < 0 else min(size, n_left)
        content = bytearray(n_bytes)
        return bytes(content[: self.readinto(content)])

    def readall(self) -> bytes:
        """Read up to the end."""
        return self.read()
