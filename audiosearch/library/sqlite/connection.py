"""Connections to SQLite databases."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

from audiosearch import time_limit
from audiosearch.errors import LibraryError
from audiosearch.library.sqlite.write_ahead_log import log_path, log_problem

if TYPE_CHECKING:
    from pathlib import Path

#: Instructions of SQLite's virtual machine that run between two checks of the time limit.
INSTRUCTIONS_PER_CHECK = 10_000

_BUSY_SECONDS = 60
_SIGNAL_SECONDS = 0.2  # Python handles no signal, such as Ctrl-C, while SQLite waits

_FileId = tuple[int, int]


class _Connection(sqlite3.Connection):
    """A connection that is listed while it is open."""

    file: _FileId | None = None

    def close(self) -> None:
        """Close the connection."""
        super().close()
        with _opening:
            _open.discard(self)


# Closing any descriptor of a file ends all locks that this process has on the file (POSIX). So a
# database is only read directly while this process has no connection to it.
_open: WeakSet[_Connection] = WeakSet()
_opening = threading.Lock()


def connect(path: Path) -> sqlite3.Connection:
    """Open a database, which is created if there is none.

    Raises
    ------
    sqlite3.DatabaseError
        If its write-ahead log belongs to another database, or it is not a database.
    LibraryError
        If a symbolic link or a pipe stands for one of its files.
    """
    require_regular_files(path)
    connection = _checked(path)
    try:
        _use_wal(connection)
    except sqlite3.DatabaseError as exc:
        connection.close()
        is_writable = os.access(path.parent, os.W_OK) or log_path(path).exists()
        if is_writable or not isinstance(exc, sqlite3.OperationalError):
            raise
        # In a read-only folder, SQLite can open a database only if no process writes to it.
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True)
    connection.set_progress_handler(time_limit.is_over, INSTRUCTIONS_PER_CHECK)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def begin_writing(connection: sqlite3.Connection) -> None:
    """Begin a transaction with the write lock. Wait while another process has it.

    Ctrl-C and the time limit end the wait.

    Raises
    ------
    sqlite3.OperationalError
        If the other process keeps the lock for too long.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    connection.execute(f"PRAGMA busy_timeout = {round(1_000 * _SIGNAL_SECONDS)}")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as exc:
                if "locked" not in str(exc) or time.monotonic() > deadline:
                    raise
                time_limit.check()
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {1_000 * _BUSY_SECONDS}")


def require_regular_files(path: Path) -> None:
    """Check that a database and the files that SQLite keeps beside it are no links or pipes.

    SQLite writes to the file to which a link leads, wherever that is, with a log beside that file.
    It waits for the other end of a pipe.

    Raises
    ------
    LibraryError
        If one of the files is there, but not a regular file.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        try:
            mode = file.lstat().st_mode
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a file"
            raise LibraryError(
                f"The index {path.parent.absolute()} can't be used: {file.name} is {kind}.",
                hint="Move the whole index, or link its folder. Delete what is no part of it.",
            )


def file_id(path: Path) -> _FileId | None:
    """Return numbers that no other file has while this one is open; None if there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _checked(path: Path) -> sqlite3.Connection:
    """Open a database once its log has been checked, by this call or an earlier one."""
    with _opening:
        file = file_id(path)
        is_open = file is not None and any(other.file == file for other in _open)
        if not is_open and (problem := log_problem(path)):
            raise sqlite3.DatabaseError(problem)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, factory=_Connection)
        connection.file = file_id(path)
        _open.add(connection)
        return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn on the write-ahead log. Wait if another process is just turning it on."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
