"""Full-text search over tags and paths, in a derived database of its own.

Not every SQLite has FTS5. TensorFlow's has not, and a Python process that imported TensorFlow may
use it. So nothing but this search depends on FTS5.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from audiosearch.library.sqlite.database import Database

FILE_NAME = "texts.db"

_COLUMNS = ("title", "artist", "album", "album_artist", "path")
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
        Source of the texts.
    directory : Path
        Folder of the derived database.
    words : str
        Words separated by spaces; each also matches longer words that begin with it.
    limit, offset : int
        Number of ids, and number of better ones to skip.

    Raises
    ------
    LibraryError
        If this SQLite has no full-text search.
    """
    quoted = [word.replace('"', '""') for word in words.split()]
    if not quoted:
        return []
    query = " ".join(f'"{word}" *' for word in quoted)
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank, rowid LIMIT ? OFFSET ?"
    with contextlib.closing(_open_current(database, directory / FILE_NAME)) as texts:
        return [row[0] for row in texts.execute(sql, [query, limit, offset])]


def _open_current(database: Database, path: Path) -> sqlite3.Connection:
    """Open the texts, refilled if tracks have changed; in memory if the file can't be written."""
    for location in (path, ":memory:"):
        texts = None
        try:
            texts = sqlite3.connect(location, timeout=60.0)
            _fill(texts, database)
        except sqlite3.DatabaseError as exc:
            if texts is not None:
                texts.close()
            if "fts5" in str(exc):
                raise LibraryError(
                    "This SQLite has no full-text search.",
                    hint="If TensorFlow is imported, import sqlite3 before it. Or name tracks by "
                    "path or #ID.",
                ) from exc
            with contextlib.suppress(OSError):  # damaged, and derived: the next search refills it
                os.unlink(path)
        else:
            return texts
    raise LibraryError("Can't search the texts of tracks.", hint="Name tracks by path or #ID.")


def _fill(texts: sqlite3.Connection, database: Database) -> None:
    number = database.track_changes()
    if texts.execute("PRAGMA user_version").fetchone()[0] == number:
        texts.execute("SELECT rowid FROM texts LIMIT 1").fetchall()  # fails if it is damaged
        return
    with texts:
        texts.execute("BEGIN IMMEDIATE")
        texts.execute("DROP TABLE IF EXISTS texts")
        texts.execute(_CREATE)
        texts.executemany(
            f"INSERT INTO texts (rowid, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)",
            _rows(database),
        )
        texts.execute(f"PRAGMA user_version = {number}")


def _rows(database: Database) -> Iterator[tuple[int | str | None, ...]]:
    sql = f"SELECT id, {', '.join(_COLUMNS)} FROM tracks ORDER BY id"
    with database.errors():
        for *texts, path in database.db.execute(sql):
            yield *texts, os.fsdecode(path).encode(errors="replace").decode()
