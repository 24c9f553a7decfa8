"""One SQLite database: opened, migrated, written all or nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from audiosearch.errors import IndexNotFound, IndexUnwritable, LibraryError
from audiosearch.library.sqlite.migrations import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE_NAME = "audiosearch.db"
_BUSY_SECONDS = 60


def exists(directory: Path) -> bool:
    """Return whether a folder holds a database, be it a damaged one.

    One that was never made to its end, because its process was killed, is none.
    """
    path = directory / FILE_NAME
    if not os.path.exists(path):
        return False
    if not path.stat().st_size:  # never made to its end, or cut to nothing
        return _wal_path(path).exists() or any(directory.glob("*.faiss"))
    try:
        with contextlib.closing(_connect(path)) as connection:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.Error:
        return True


class Store:
    """One SQLite database, and its settings.

    Every method that writes does so in one transaction, which a crash at any instant leaves
    whole or absent.

    Parameters
    ----------
    directory : Path
    settings : dict, optional
        Makes a database with these settings where there is none; those of one that exists
        stay as they are.

    Raises
    ------
    IndexNotFound
        On opening, where there is none and no settings are given.
    IndexUnwritable, LibraryError
        Where the database cannot be written, or is damaged.
    """

    def __init__(self, directory: Path, *, settings: dict[str, str] | None = None) -> None:
        self.path = directory / FILE_NAME
        if settings is None and not exists(directory):
            raise IndexNotFound(
                f"There is no index {directory.absolute()}.",
                hint="`audiosearch add FOLDER` makes one; --index DIR names another place.",
            )
        with self.errors():
            directory.mkdir(parents=True, exist_ok=True)
            self.db = Database(_connect(self.path))
            try:
                self._migrate(settings or {})
            except BaseException:
                self.db.close()
                raise

    def _migrate(self, settings: dict[str, str]) -> None:
        if not migrations.pending(self.db):
            return
        if not settings and not self.db.table("settings").exists():
            message = "there are no settings in it"
            raise sqlite3.DatabaseError(message)
        with self.transaction():  # another process may be at the same
            migrations.apply(self.db)
            if not self.db.table("settings").count:
                self._put_settings(settings)

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Put SQLite's and the file system's failures into sentences."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as exc:
            if str(exc).startswith("no such"):
                raise self._damaged(exc) from exc
            raise IndexUnwritable(
                f"The index {self.path.parent.absolute()} cannot be opened or written: {exc}.",
                hint="Check that the folder is yours to write and its disk is not full, or name "
                "another with --index DIR.",
            ) from exc
        except sqlite3.IntegrityError as exc:
            raise LibraryError(
                f"Another process changed the index {self.path.parent.absolute()} meanwhile.",
                hint="Run the same command again.",
            ) from exc
        except sqlite3.ProgrammingError:  # a bug of ours
            raise
        except sqlite3.DatabaseError as exc:
            raise self._damaged(exc) from exc

    def _damaged(self, error: Exception) -> LibraryError:
        return LibraryError(
            f"The index {self.path.parent.absolute()} is damaged: {error}.",
            hint="`audiosearch doctor --repair` saves what can be read and keeps the old file.",
        )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all or nothing; claim the right to write first, so that no one overtakes.

        One inside another is part of it.
        """
        with self.errors():
            if self.db.conn.in_transaction:
                yield
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.commit()
            except BaseException:
                self.db.rollback()
                raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read as of one instant, whatever others write meanwhile."""
        with self.errors():
            if self.db.conn.in_transaction:
                yield
                return
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                self.db.rollback()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return what a query finds."""
        with self.errors():
            return list(self.db.query(sql, values))

    # Settings

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        return {row["key"]: row["value"] for row in self.rows("SELECT key, value FROM settings")}

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings; those of other names stay as they are."""
        with self.transaction():
            self._put_settings(settings)

    def _put_settings(self, settings: dict[str, str]) -> None:
        rows = [{"key": key, "value": value} for key, value in settings.items()]
        self.db.table("settings").upsert_all(rows, pk="key")

    def file_bytes(self) -> int:
        """Return the size of the database with its write-ahead log."""
        return sum(p.stat().st_size for p in (self.path, _wal_path(self.path)) if p.exists())


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        _use_wal(connection)
    except sqlite3.DatabaseError as exc:
        connection.close()
        is_writable = os.access(path.parent, os.W_OK) or _wal_path(path).exists()
        if is_writable or not isinstance(exc, sqlite3.OperationalError):
            raise
        # In a folder that cannot be written, only a database that nobody writes can be read.
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _wal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn on the write-ahead log; for that, SQLite does not wait while others do the same."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return
