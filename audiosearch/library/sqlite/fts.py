"""Full-text search over tags and paths, in a separate database that is derived from the index.

Not every SQLite library includes FTS5. TensorFlow brings one without it, and a Python process
that imported TensorFlow may use that one. So only this search depends on FTS5.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from audiosearch import time_limit
from audiosearch.errors import LibraryError, TookTooLong
from audiosearch.library.sqlite.conditions import one_of
from audiosearch.library.sqlite.connection import INSTRUCTIONS_PER_CHECK
from audiosearch.library.sqlite.sound_table import require_values
from audiosearch.library.sqlite.stored_types import require_types
from audiosearch.library.suggestions import TAG_FIELDS, Suggestion, values_of_tags
from audiosearch.library.track import fold, plain_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from audiosearch.library.sqlite.database import Database

FILE_NAME = "texts.db"

_BUSY_SECONDS = 60.0  # for which another process may hold the database

_VERSION = 3  # of the texts; a database of another version is filled again
_COLUMNS = TAG_FIELDS
_TOKENIZE = "tokenize = 'unicode61 remove_diacritics 2'"
_CREATE = f"CREATE VIRTUAL TABLE texts USING fts5({', '.join(_COLUMNS)}, {_TOKENIZE})"
_CREATE_SUGGESTIONS = (
    "CREATE VIRTUAL TABLE suggestions USING fts5("
    f"plain, field UNINDEXED, text UNINDEXED, tracks UNINDEXED, {_TOKENIZE})"
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
    query = _prefixes(fold(words).split())
    if not query:
        return []
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank, rowid LIMIT ? OFFSET ?"
    with _opened(database, directory) as texts:
        return [row[0] for row in texts.execute(sql, [query, limit, offset])]


def suggestions(
    database: Database, directory: Path, words: str, fields: Collection[str]
) -> list[Suggestion]:
    """Return the values of fields that have all words, or words that begin with them.

    Parameters
    ----------
    database : Database
        Database with the tags and paths.
    directory : Path
        Folder of the full-text database.
    words : str
        All values of the fields if it has no words.
    fields : collection of str

    Raises
    ------
    LibraryError, TookTooLong
        As for `search_text`.
    """
    query = _prefixes(plain_words(words))
    condition, values = ("suggestions MATCH ?", [query]) if query else ("1", [])
    where = f"{condition} AND {one_of('field', fields)}"
    sql = f"SELECT field, text, plain, tracks FROM suggestions WHERE {where}"
    with _opened(database, directory) as texts:
        return list(map(Suggestion._make, texts.execute(sql, [*values, *fields])))


def _prefixes(words: Iterable[str]) -> str:
    """Return a query for all of some words, each of which may go on; empty if there are none."""
    quoted = (word.replace('"', '""') for word in words)
    return " ".join(f'"{word}" *' for word in quoted)


@contextlib.contextmanager
def _opened(database: Database, directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the current full-text database. Work with it is within the time limit."""
    busy_seconds = min(_BUSY_SECONDS, time_limit.seconds_left())
    with time_limit.limited(None):
        texts = _open_current(database, directory / FILE_NAME, busy_seconds)
    texts.set_progress_handler(time_limit.is_over, INSTRUCTIONS_PER_CHECK)
    with contextlib.closing(texts), database.errors():
        yield texts


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
            ((track_id, *map(fold, values)) for track_id, *values in _rows(database)),
        )
        texts.execute("DROP TABLE IF EXISTS suggestions")
        texts.execute(_CREATE_SUGGESTIONS)
        texts.executemany(
            "INSERT INTO suggestions (field, text, plain, tracks) VALUES (?, ?, ?, ?)",
            _suggestions(database),
        )
        texts.execute(f"PRAGMA user_version = {number}")


def _suggestions(database: Database) -> Iterator[Suggestion]:
    yield from values_of_tags(row[1:] for row in _rows(database))
    with database.errors():
        if not database.db.table("sounds").exists():  # in a database of an older version
            return
        sql = "SELECT name, count(*) FROM sounds GROUP BY name"
        for name, n_tracks in database.db.execute(sql).fetchall():
            require_values(name)
            yield Suggestion.of("sound", name, n_tracks)


def _rows(database: Database) -> Iterator[tuple[Any, ...]]:
    """Yield the id, the tags and the readable path of each track."""
    sql = f"SELECT id, {', '.join(_COLUMNS)} FROM tracks ORDER BY id"
    with database.errors():
        for row in database.db.execute(sql):
            track_id, *texts, path = row
            for name, value in zip(_COLUMNS, row[1:], strict=True):
                require_types(name, [value])
            readable_path = os.fsdecode(path).encode(errors="replace").decode()
            yield track_id, *texts, readable_path
