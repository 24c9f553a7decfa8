"""Temporary local copies of files behind URLs."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from audiosearch import system
from audiosearch.audio.url_stat import url_size_and_mtime
from audiosearch.audio.urls import filesystem_of, is_http, replaced, translate_errors
from audiosearch.errors import AudioError, RefusedAnswer, Unreachable, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import IO

RESERVED_BYTES = 500_000_000  # of the disk, which copies leave free
#: Bytes that are read by one request.
PART_BYTES = 8 << 20
# Of a file of which only some parts are needed: what is fetched at least, and at most in advance.
_BLOCK_BYTES = 1 << 16
_MAX_BLOCKS = 64
_MIN_BYTES_IN_PARTS = 16 * _BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Copy:
    """A local copy of a file at a URL.

    Attributes
    ----------
    path : str
        Path at which this process opens it.
    descriptor : int or None
        Its descriptor, on Linux: the copy has no name there, so that it vanishes with the process.
    fetch : callable or None
        Fetches the bytes between two positions, for a copy of which nothing is there yet.
    """

    path: str
    descriptor: int | None = None
    fetch: Callable[[int, int], None] | None = None


def never() -> bool:
    """Return that nothing is to be stopped."""
    return False


@contextlib.contextmanager
def fetched(
    url: str, *, size: int = 0, in_parts: bool = False, is_stopped: Callable[[], bool] = never
) -> Iterator[Copy]:
    """Yield a local copy of a file at a URL; the copy lasts as long as the block.

    Parameters
    ----------
    url : str
    size : int
        Size in bytes, as it was listed; 0 if unknown. It spares requests for a small file.
    in_parts : bool
        Fetch only the parts that are read, if the scheme allows this and the file isn't small.
    is_stopped : callable
        Whether to give up. It is asked again and again.

    Raises
    ------
    AudioError
        If the file can't be fetched. At the end of the block, if it was replaced while its parts
        were read.
    MissingExtra
        If fsspec is not installed.
    """
    with contextlib.ExitStack() as stack:
        try:
            copy, file = stack.enter_context(_new_copy())
        except OSError as exc:
            raise _no_room(url, exc.strerror or str(exc)) from exc
        with translate_errors(url):
            is_small = 0 < size < _MIN_BYTES_IN_PARTS
            is_whole = is_http(url) or is_small or not in_parts
            source = None if is_whole else _seekable_source(url, stack)
            if source is None:
                with contextlib.closing(_parts(url, size)) as parts:
                    for part in parts:
                        _check(url, is_stopped)
                        _write(url, file, part)
                file.flush()
        if source is None:
            yield copy
            return
        try:
            yield replace(copy, fetch=_Filling(url, source, file, is_stopped))
        finally:  # parts of different files may look like damage
            if not is_stopped():
                with translate_errors(url):
                    _require_unchanged(url, source)


@contextlib.contextmanager
def _new_copy() -> Iterator[tuple[Copy, IO[bytes]]]:
    """Yield an empty copy and its file, which are removed afterwards."""
    if system.HAS_DESCRIPTOR_PATHS:
        with (
            tempfile.TemporaryFile() as file,
            open(system.descriptor_path(file.fileno()), "rb") as reading,  # decoders can't write
        ):
            yield Copy(system.descriptor_path(reading.fileno()), reading.fileno()), file
        return
    folder = tempfile.TemporaryDirectory(prefix="audiosearch-", ignore_cleanup_errors=True)
    with folder as name, open(os.path.join(name, "sound"), "wb") as named:
        yield Copy(named.name), named


def _seekable_source(url: str, stack: contextlib.ExitStack) -> Any:
    """Open a file at a URL to read parts of it; None if it is too small, or can't be sought."""
    filesystem, name = filesystem_of(url)
    source = stack.enter_context(filesystem.open(name, "rb", cache_type="none"))
    return source if source.seekable() and source.size >= _MIN_BYTES_IN_PARTS else None


def _parts(url: str, size: int) -> Generator[bytes, None, None]:
    """Yield the content of a file at a URL, by one request if its listed size is small."""
    if is_http(url):
        from audiosearch.audio.http_files import file_content

        yield from file_content(url)
        return
    filesystem, name = filesystem_of(url)
    if 0 < size <= PART_BYTES:
        # Without a start, s3fs asks for the size first.
        content = filesystem.cat_file(name, start=0, end=PART_BYTES + 1)
        if len(content) <= PART_BYTES:  # else it was replaced since it was listed
            yield content
            return
    with filesystem.open(name, "rb", cache_type="none") as source:
        while part := source.read(PART_BYTES):
            yield part
        _require_unchanged(url, source)


def _require_unchanged(url: str, source: Any) -> None:
    """Check that a file is still the one that was opened. Not each store does it at each part."""
    details = getattr(source, "details", None)
    if details is None:
        return
    current = source.fs.info(source.path)
    if url_size_and_mtime(current) != url_size_and_mtime(details):
        raise replaced(url)


class _Filling:
    """Fills a copy with the parts that are needed.

    Parameters
    ----------
    url : str
    source : file of fsspec
    file : binary file
        The copy, empty.
    is_stopped : callable
    """

    def __init__(
        self, url: str, source: Any, file: IO[bytes], is_stopped: Callable[[], bool]
    ) -> None:
        self._url, self._source, self._file = url, source, file
        self._is_stopped = is_stopped
        self._is_filled = bytearray(-(-source.size // _BLOCK_BYTES))  # by block
        self._next_block = -1  # the one after those that were fetched last
        self._n_ahead = 1
        file.truncate(source.size)

    def __call__(self, start: int, stop: int) -> None:
        """Fetch the bytes between two positions, and more if they are read one after the other.

        Raises
        ------
        AudioError
            If they can't be fetched, or the file has no such bytes.
        """
        if not 0 <= start < stop <= self._source.size:
            reason = "its decoder reads beyond its end"
            raise AudioError(self._url, reason, hint="Copy or download it again.")
        _check(self._url, self._is_stopped)
        first, last = start // _BLOCK_BYTES, (stop - 1) // _BLOCK_BYTES
        missing = [block for block in range(first, last + 1) if not self._is_filled[block]]
        if not missing:
            return
        self._n_ahead = min(2 * self._n_ahead, _MAX_BLOCKS) if missing[0] == self._next_block else 1
        self._next_block = min(missing[-1] + self._n_ahead, len(self._is_filled))
        self._fill(missing[0], self._next_block)

    def _fill(self, first: int, end: int) -> None:
        position = first * _BLOCK_BYTES
        with translate_errors(self._url):
            self._source.seek(position)
            self._file.seek(position)
            n_left = min(end * _BLOCK_BYTES, self._source.size) - position
            while n_left:
                part = self._source.read(min(n_left, PART_BYTES))
                if not part:
                    raise RefusedAnswer("it ends too early")
                _write(self._url, self._file, part)
                n_left -= len(part)
            self._file.flush()
        self._is_filled[first:end] = b"\1" * (end - first)


def _check(url: str, is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise Unreachable(url, "fetching it was stopped", hint="Add it again.")


def _write(url: str, file: IO[bytes], part: bytes) -> None:
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
