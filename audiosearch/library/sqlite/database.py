"""One SQLite database: opening it, migrations, transactions, settings."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import sqlite3
from typing import TYPE_CHECKING, Any

import sqlite_utils

from audiosearch import time_limit
from audiosearch.errors import IndexNotFound, IndexUnwritable, LibraryError, NewerIndex
from audiosearch.library.sqlite.connection import begin_writing, connect, file_id
from audiosearch.library.sqlite.migrations import LAST_TABLE, migrations, unknown_migrations
from audiosearch.library.sqlite.write_ahead_log import has_log, log_path
from audiosearch.paths import why_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE_NAME = "audiosearch.db"
# Views and computed columns, which no version has made: reading them could take for ever, or fill
# the memory. The modules of virtual tables may be missing.
_COMPUTED = """
SELECT name FROM sqlite_master WHERE type = 'view'
UNION ALL
SELECT found.name FROM sqlite_master AS found, pragma_table_xinfo(found.name) AS part
WHERE found.type = 'table' AND found.sql NOT LIKE 'CREATE VIRTUAL%' AND part.hidden IN (2, 3)
LIMIT 1
"""
#: Largest revision. Adding to it can't exceed what SQLite stores.
MAX_NUMBER = 2**62
_MAX_FIRST_COUNT = 2**30  # of the transactions; SQLite keeps the count in 32 bits


def exists(directory: Path) -> bool:
    """Return whether a folder holds a database, intact or damaged.

    A database without tables doesn't count. The process that was creating it was killed. A
    write-ahead log counts, even if the database beside it is empty or missing.

    Raises
    ------
    IndexUnwritable
        If a permission is missing.
    """
    path = directory / FILE_NAME
    try:
        n_bytes = path.stat().st_size
    except PermissionError as exc:
        raise _no_permission(path) from exc
    except (OSError, ValueError):
        return has_log(path)
    if not n_bytes:  # its creation was interrupted, or it was truncated
        return has_log(path) or any(directory.glob("*.faiss"))
    try:
        with contextlib.closing(connect(path)) as connection:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except (sqlite3.Error, OSError, UnicodeDecodeError):  # SQLite quotes a damaged schema
        return True


class Database:
    """One SQLite database with its settings.

    Every method that writes uses one transaction. After a crash, its changes are stored
    completely or not at all. The first transaction also applies the migrations that a database of
    an older version lacks. So reading never changes a database.

    Parameters
    ----------
    directory : Path
    settings : dict, optional
        Settings of a new database. It is created if it doesn't exist. The settings of an existing
        database don't change.

    Raises
    ------
    IndexNotFound
        If the database doesn't exist and no settings are given.
    IndexUnwritable
        If the database can't be opened or written.
    NewerIndex
        If a newer version has changed the tables.
    LibraryError
        If the database is damaged.
    """

    def __init__(self, directory: Path, *, settings: dict[str, str] | None = None) -> None:
        self.path = directory / FILE_NAME
        self._schema_version: int | None = None  # of the schema with all migrations
        if settings is None and not exists(directory):
            reason = ""
            if os.path.islink(directory) and not os.path.exists(directory):
                reason = f": {why_missing(os.fspath(directory))}"
            raise IndexNotFound(
                f"There is no index {directory.absolute()}{reason}.",
                hint="Create it with `audiosearch add FOLDER`, or name another with --index DIR.",
            )
        with self.errors():
            directory.mkdir(parents=True, exist_ok=True)
            self.db = sqlite_utils.Database(connect(self.path))
            try:
                self._file = file_id(self.path)
                self._create(settings or {})
            except BaseException:
                self.db.close()
                raise

    def _create(self, settings: dict[str, str]) -> None:
        """Create the tables that are read: all of a new database, some of a very old one."""
        if computed := self.db.execute(_COMPUTED).fetchone():
            message = f"{computed[0]} is computed"
            raise sqlite3.DatabaseError(message)
        self._require_known_migrations()
        if self.db.table(LAST_TABLE).exists():
            return
        if not settings and not self.db.table("settings").exists():
            message = "it has no settings"
            raise sqlite3.DatabaseError(message)
        with self.transaction():
            if not self.db.table("settings").count:  # another process may create them, too
                self._put_settings(settings)

    def _migrate(self) -> None:
        """Apply the migrations that are missing. Another process may have applied later ones."""
        (version,) = self.db.execute("PRAGMA schema_version").fetchone()
        if version != self._schema_version:
            self._require_known_migrations()
            migrations.apply(self.db)
            (self._schema_version,) = self.db.execute("PRAGMA schema_version").fetchone()

    def _count_transaction(self) -> None:
        """Count a transaction in the first page: see `write_ahead_log.is_foreign`."""
        (number,) = self.db.execute("PRAGMA user_version").fetchone()
        number = number + 1 if number else secrets.randbelow(_MAX_FIRST_COUNT) + 1
        self.db.execute(f"PRAGMA user_version = {number}")

    def _require_known_migrations(self) -> None:
        applied = (migration.name for migration in migrations.applied(self.db))
        if unknown := unknown_migrations(applied):
            raise NewerIndex(self.path.parent.absolute(), f"the migration {', '.join(unknown)}")

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    def is_current(self) -> bool:
        """Return whether the file is still there, and no other file has taken its place."""
        return self._file == file_id(self.path)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of SQLite and of the file system as errors with a hint."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as exc:
            time_limit.check()  # it interrupts SQLite: see `connect`
            if str(exc).startswith(("no such", "user-defined function")):  # one got a wrong type
                raise self._damaged(exc) from exc
            if _closed_path(self.path):
                raise _no_permission(self.path) from exc
            raise IndexUnwritable(
                f"Can't open or write the index {self.path.parent.absolute()}: {exc}.",
                hint="Check that you may write to the folder and that its disk is not full, or "
                "name another folder with --index DIR.",
            ) from exc
        except sqlite3.IntegrityError as exc:
            raise LibraryError(
                f"Another process has just changed the index {self.path.parent.absolute()}.",
                hint="Run the same command again.",
            ) from exc
        except sqlite3.ProgrammingError:  # a bug in this program
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as exc:
            raise self._damaged(exc) from exc

    def _damaged(self, error: Exception) -> LibraryError:
        return LibraryError(
            f"The index {self.path.parent.absolute()} is damaged: {error}.",
            hint="Run `audiosearch doctor --repair`. It saves readable rows, and keeps the file.",
        )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all changes inside the block, or none.

        The write lock is taken at the start, so no other process writes during the block. A
        nested transaction is part of the outer one.
        """
        with self.errors():
            if self.db.conn.in_transaction:
                yield
                return
            begin_writing(self.db.conn)
            try:
                self._migrate()
                self._count_transaction()
                yield
                self.db.commit()
            except BaseException:
                self.db.rollback()
                raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make all reads inside the block see the same state, even if other processes write."""
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
        """Run a query, and return each row as a dict by column name."""
        with self.errors():
            return list(self.db.query(sql, values))

    def has_table(self, name: str) -> bool:
        """Return whether a table exists. A database of an older version lacks some."""
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", [name]))

    # Settings

    def settings(self) -> dict[str, str]:
        """Return all settings. A value that isn't a text counts as missing."""
        rows = self.rows("SELECT key, value FROM settings WHERE typeof(value) = 'text'")
        return {row["key"]: row["value"] for row in rows}

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings. Settings with other names don't change."""
        with self.transaction():
            self._put_settings(settings)

    def _put_settings(self, settings: dict[str, str]) -> None:
        sql = "INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)"
        self.db.conn.executemany(sql, settings.items())

    # Counters of changes

    def revision(self) -> int:
        """Return a number that grows with every change of a vector."""
        return self._number("revision")

    def track_changes(self) -> int:
        """Return a random number that changes with every change of a track."""
        return self._number("track_changes")

    def _number(self, table: str) -> int:
        is_valid = "typeof(number) = 'integer' AND number BETWEEN 0 AND ?"
        sql = f"SELECT number FROM {table} WHERE {is_valid}"
        rows = self.rows(sql, [MAX_NUMBER])
        if not rows:
            raise self._damaged(sqlite3.DatabaseError(f"{table} has no valid number"))
        return int(rows[0]["number"])

    def file_bytes(self) -> int:
        """Return the size of the database with its write-ahead log, in bytes."""
        return sum(p.stat().st_size for p in (self.path, log_path(self.path)) if p.exists())


def unwritable_file(directory: Path) -> Path | None:
    """Return the first file of the database in a folder that can't be written; None if all can."""
    # Opening them would end the locks of this process.
    files = _files(directory / FILE_NAME)
    return next((f for f in files if os.path.exists(f) and not os.access(f, os.W_OK)), None)


def _files(path: Path) -> list[Path]:
    return [path, *(path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm"))]


def _closed_path(path: Path) -> Path | None:
    """Return the first folder or file of the database that can't be opened; None if all can."""
    needed = dict.fromkeys(reversed(path.absolute().parents), os.X_OK)
    needed |= dict.fromkeys(_files(path), os.R_OK)
    closed = (part for part, mode in needed.items() if not os.access(part, mode))
    return next((part for part in closed if os.path.lexists(part)), None)


def _no_permission(path: Path) -> IndexUnwritable:
    closed = _closed_path(path) or path
    return IndexUnwritable(
        f"Can't open the index {path.parent.absolute()}: you don't have the permission to open "
        f"{closed}.",
        hint=f"If it is yours, run `chmod u+rwX {shlex.quote(str(closed))}`. Else use another "
        "index with --index DIR.",
    )
