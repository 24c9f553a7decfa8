"""Write-ahead log beside an SQLite database: its pages, and whether it belongs to the database.

SQLite deletes the log of an empty database, and applies any other log without looking whether the
database was replaced in the meantime. So the log is looked at first.

References
----------
.. [1] "WAL-mode File Format", https://www.sqlite.org/walformat.html
"""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 32
DATABASE_HEADER_BYTES = 100
_FRAME_HEADER_BYTES = 24
_USER_VERSION = slice(60, 64)  # in the first page: `Database` counts transactions there
# Files that another process is changing may not fit for a moment.
_TRIES, _SECONDS_BETWEEN = 5, 0.05


def log_path(path: Path) -> Path:
    """Return the path of the write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def has_log(path: Path) -> bool:
    """Return whether a database has a write-ahead log that isn't empty."""
    try:
        return log_path(path).stat().st_size > HEADER_BYTES
    except (OSError, ValueError):
        return False


def log_problem(path: Path) -> str | None:
    """Return why SQLite must not open a database with its log, as a clause; None if it may.

    Parameters
    ----------
    path : Path
        The database.

    Raises
    ------
    OSError
        If one of the files can't be read.
    """
    log = log_path(path).name
    if has_log(path) and not _header(path):
        return f"{path.name} is missing or empty, but its log {log} is not"
    for _ in range(_TRIES):
        if not is_foreign(path):
            return None
        time.sleep(_SECONDS_BETWEEN)
    return f"the log {log} belongs to another database, or to another state of this one"


def is_foreign(path: Path) -> bool:
    """Return whether the log of a database belongs to another one, or to another state of it.

    Each transaction counts one more than the one before it, and the count begins with a random
    number. So a database that was there before the log has the count before the first in the log,
    or one of the log's if it was copied from there. Databases of older versions have no count.
    """
    counts = _transactions(log_path(path))
    current = int.from_bytes(_header(path)[_USER_VERSION], "big")
    return bool(counts and current) and not counts[0] - 1 <= current <= counts[-1]


def _transactions(log: Path) -> list[int]:
    """Return the counts of the transactions in a log."""

    def read(n_bytes: int, offset: int) -> bytes:
        file.seek(offset)
        return file.read(n_bytes)

    try:
        with log.open("rb", buffering=0) as file:
            n_bytes = os.fstat(file.fileno()).st_size
            pages = committed_pages(read, n_bytes, page_bytes(b"", read(HEADER_BYTES, 0)))
            return [
                int.from_bytes(read(4, offset + _USER_VERSION.start), "big")
                for number, offset in pages
                if number == 1
            ]
    except FileNotFoundError:  # the last process has just closed the database
        return []


def _header(path: Path) -> bytes:
    """Return the header of a database, of 100 bytes; empty if the file has none."""
    try:
        with path.open("rb") as file:
            header = file.read(DATABASE_HEADER_BYTES)
    except FileNotFoundError:
        return b""
    is_intact = header.startswith(MAGIC) and len(header) == DATABASE_HEADER_BYTES
    return header if is_intact else b""


def page_bytes(database_header: bytes, log_header: bytes) -> int:
    """Return the size of a page in bytes, from the header of the database or else of the log."""
    for header, magic, layout, offset in (
        (database_header, MAGIC, ">H", 16),
        (log_header, b"", ">I", 8),
    ):
        if header.startswith(magic) and len(header) >= HEADER_BYTES:
            (n_bytes,) = struct.unpack_from(layout, header, offset)
            n_bytes = 65_536 if n_bytes == 1 else n_bytes
            if 512 <= n_bytes <= 65_536 and not n_bytes & (n_bytes - 1):
                return int(n_bytes)
    return 4_096


def committed_pages(
    read: Callable[[int, int], bytes], n_bytes: int, n_page_bytes: int
) -> Iterator[tuple[int, int]]:
    """Yield the pages in a log up to its last commit: number, and offset in the log in bytes.

    Parameters
    ----------
    read : callable
        Function that returns a number of bytes from an offset of the log.
    n_bytes : int
        Size of the log.
    n_page_bytes : int
        Size of a page.
    """
    salts = read(8, 16)
    uncommitted: list[tuple[int, int]] = []
    for offset in range(HEADER_BYTES, n_bytes, _FRAME_HEADER_BYTES + n_page_bytes):
        start = offset + _FRAME_HEADER_BYTES
        header = read(_FRAME_HEADER_BYTES, offset)
        if start + n_page_bytes > n_bytes or header[8:16] != salts:
            return  # the remaining frames are older than the last checkpoint
        number, n_pages_at_commit = struct.unpack_from(">II", header)
        uncommitted.append((number, start))
        if n_pages_at_commit:
            yield from uncommitted
            uncommitted = []
