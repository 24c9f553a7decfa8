"""Full-text search over tracks' tags and paths: derived, in a database of its own.

Not every SQLite has FTS5; TensorFlow's, which a Python process that imported TensorFlow may be
made to use, has not. So nothing else depends on it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.sqlite.catalog import Catalog

FILE_NAME = "texts.db"

_COLUMNS = ("title", "artist", "album", "album_artist", "path")
_CREATE = (
    f"CREATE VIRTUAL TABLE texts USING fts5({', '.join(_COLUMNS)}, "
    "tokenize = 'unicode61 remove_diacritics 2')"
)


def search_text(
    catalog: Catalog, directory: Path, words: str, limit: int, offset: int = 0
) -> list[int]:
    """Return the ids of tracks in which every word occurs, or begins one; best first.

    Raises
    ------
    LibraryError
        Where this SQLite has no full-text search.
    """
    quoted = [word.replace('"', '""') for word in words.split()]
    if not quoted:
        return []
    query = " ".join(f'"{word}" *' for word in quoted)
    sql = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank, rowid LIMIT ? OFFSET ?"
    with contextlib.closing(_up_to_date(catalog, directory / FILE_NAME)) as texts:
        return [row[0] for row in texts.execute(sql, [query, limit, offset])]


def _up_to_date(catalog: Catalog, path: Path) -> sqlite3.Connection:
    """Open the texts, made anew where tracks have changed; in memory, where need be."""
    for place in (path, ":memory:"):
        texts = None
        try:
            texts = sqlite3.connect(place, timeout=60.0)
            _fill(texts, catalog)
        except sqlite3.DatabaseError as exc:
            if texts is not None:
                texts.close()
            if "fts5" in str(exc):
                raise LibraryError(
                    "This SQLite has no full-text search.",
                    hint="TensorFlow, once imported, may be why: import sqlite3 before it. Or "
                    "name tracks by path or #ID.",
                ) from exc
            with contextlib.suppress(OSError):  # damaged: it is derived
                os.unlink(path)
        else:
            return texts
    raise LibraryError("The texts cannot be searched.", hint="Name tracks by path or #ID.")


def _fill(texts: sqlite3.Connection, catalog: Catalog) -> None:
    number = catalog.track_changes()
    if texts.execute("PRAGMA user_version").fetchone()[0] == number:
        texts.execute("SELECT rowid FROM texts LIMIT 1").fetchall()
        return
    with texts:
        texts.execute("BEGIN IMMEDIATE")
        texts.execute("DROP TABLE IF EXISTS texts")
        texts.execute(_CREATE)
        texts.executemany(
            f"INSERT INTO texts (rowid, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    track.id,
                    track.title,
                    track.artist,
                    track.album,
                    track.album_artist,
                    track.path.encode(errors="replace").decode(),
                )
                for track in catalog.tracks()
            ),
        )
        texts.execute(f"PRAGMA user_version = {number}")
