"""Full-text search over tags and paths, in a separate database that is derived from the index.

Not every SQLite library includes FTS5. TensorFlow brings one without it, and a Python process
that imported TensorFlow may use that one. So only this search depends on FTS5.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from audiosearch import time_limit
from audiosearch.errors import LibraryError, TookTooLong
from audiosearch.library.sqlite.connection import INSTRUCTIONS_PER_CHECK
from audiosearch.library.sqlite.stored_types import require_types
from audiosearch.library.track import fold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from audiosearch.library.sqlite.database import Database

FILE_NAME = "texts.db"

_BUSY_SECONDS = 60.0  # for which another process may hold the database

_VERSION = 2  # of the texts; a database of another version is filled again
_COLUMNS = ("title", "artist", "album", "album_artist", "genre", "path")
_CREATE = (
    f"CREATE VIRTUAL TABLE texts USING fts5({', '.join(_COLUMNS)}, "
    "tokenize = 'unicode61 remove_diacritics 2')"
)


def search_text(
    database: Database, directory: Path, words: str, limit: int, offset: int = 0
) -> list[int]:
    """Return the ids of tracks with all words in their tags or path, best first.

    Parameters
    ----------
    database : Database
        Database with the tags and paths.
    directory : Path
        Folder of the full-text database.
    words : str
        Words separated by spaces; each also matches longer words that begin with it.
    limit, offset : int
        Number of ids to return, and number of ids to skip before them.

    Raises
    ------
    LibraryError
        If this SQLite library has no full-text search.
    TookTooLong
        If another process keeps the database locked.
    """
    quoted = [word.replace('"', '""') for word in fold(words).split()]
    if not quoted:
        return []
    query = " ".join(f'"{word}" *' for word in quoted)
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank, rowid LIMIT ? OFFSET ?"
    busy_seconds = min(_BUSY_SECONDS, time_limit.seconds_left())
    with time_limit.limited(None):
        texts = _open_current(database, directory / FILE_NAME, busy_seconds)
    texts.set_progress_handler(time_limit.is_over, INSTRUCTIONS_PER_CHECK)
    with contextlib.closing(texts), database.errors():
        return [row[0] for row in texts.execute(sql, [query, limit, offset])]


def _open_current(database: Database, path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open the full-text database, and refill it if tracks have changed.

    If the file can't be written, the database is created in memory. Another process that writes to
    it is given some seconds.
    """
    for location in (path, ":memory:"):
        texts = None
        try:
            texts = sqlite3.connect(location, timeout=busy_seconds)
            _fill(texts, database)
        except sqlite3.DatabaseError as exc:
            if texts is not None:
                texts.close()
            if "fts5" in str(exc):
                raise LibraryError(
                    "This SQLite has no full-text search.",
                    hint="If you import TensorFlow, import sqlite3 before it. Or name tracks by "
                    "path or #ID.",
                ) from exc
            if "locked" in str(exc):
                raise TookTooLong(
                    "Another process keeps the texts of the index locked.", hint="Search again."
                ) from exc
            with contextlib.suppress(OSError):  # it is damaged; the next search creates it again
                os.unlink(path)
        else:
            return texts
    raise LibraryError("Can't search the texts of tracks.", hint="Name tracks by path or #ID.")


def _fill(texts: sqlite3.Connection, database: Database) -> None:
    number = database.track_changes() ^ _VERSION
    if texts.execute("PRAGMA user_version").fetchone()[0] == number:
        texts.execute(
            "SELECT rowid FROM texts LIMIT 1"
        ).fetchall()  # raises an error if the file is damaged
        return
    with texts:
        texts.execute("BEGIN IMMEDIATE")
        texts.execute("DROP TABLE IF EXISTS texts")
        texts.execute(_CREATE)
        texts.executemany(
            f"INSERT INTO texts (rowid, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            _rows(database),
        )
        texts.execute(f"PRAGMA user_version = {number}")


def _rows(database: Database) -> Iterator[tuple[int | str, ...]]:
    sql = f"SELECT id, {', '.join(_COLUMNS)} FROM tracks ORDER BY id"
    with database.errors():
        for row in database.db.execute(sql):
            track_id, *texts, path = row
            for name, value in zip(_COLUMNS, row[1:], strict=True):
                require_types(name, [value])
            readable_path = os.fsdecode(path).encode(errors="replace").decode()
            yield track_id, *map(fold, texts), fold(readable_path)
