"""SQLite, the truth of an index: tracks, their vectors, failures and settings."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlite_utils import Database

from audiosearch.errors import IndexNotFound, IndexUnwritable, LibraryError, TrackNotFound
from audiosearch.library.migrations import migrations
from audiosearch.library.records import Failure, Track, VectorChanges
from audiosearch.params import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from audiosearch.params import Float32

FILE_NAME = "audiosearch.db"
_BUSY_SECONDS = 60
_VARIABLES_AT_A_TIME = 500  # SQLite bounds how many values one statement may take


_FIELDS = tuple(field.name for field in dataclasses.fields(Track))


class Catalog:
    """One SQLite database of tracks.

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
        if settings is None and not os.path.exists(self.path):
            raise IndexNotFound(
                f"There is no index {directory.absolute()}.",
                hint="`audiosearch add FOLDER` makes one; --index DIR names another place.",
            )
        with self._errors():
            directory.mkdir(parents=True, exist_ok=True)
            self._db = Database(self._connect())
            try:
                self._migrate(settings or {})
            except BaseException:
                self._db.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as exc:
            connection.close()
            is_writable = os.access(self.path.parent, os.W_OK) or self._wal_path().exists()
            if is_writable or not isinstance(exc, sqlite3.OperationalError):
                raise
            # In a folder that cannot be written, only a database that nobody writes can be read.
            uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
            connection = sqlite3.connect(uri, uri=True)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _wal_path(self) -> Path:
        return self.path.with_name(f"{FILE_NAME}-wal")

    def _migrate(self, settings: dict[str, str]) -> None:
        if not migrations.pending(self._db):
            return
        with self._transaction():  # another process may be at the same
            migrations.apply(self._db)
            if not self._db.table("settings").count:
                self._put_settings(settings)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Put SQLite's and the file system's failures into sentences."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as exc:
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
        except sqlite3.DatabaseError as exc:
            raise LibraryError(
                f"The index {self.path.parent.absolute()} is damaged: {exc}.",
                hint="Restore it from a backup, or move it away and add your files again.",
            ) from exc

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all or nothing; claim the right to write first, so that no one overtakes."""
        with self._errors():
            if self._db.conn.in_transaction:  # that of `together`
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all that is written inside in one transaction."""
        with self._transaction():
            yield

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._errors():
            return list(self._db.query(sql, values))

    # Settings

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        return {row["key"]: row["value"] for row in self._rows("SELECT key, value FROM settings")}

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings; those of other names stay as they are."""
        with self._transaction():
            self._put_settings(settings)

    def _put_settings(self, settings: dict[str, str]) -> None:
        rows = [{"key": key, "value": value} for key, value in settings.items()]
        self._db.table("settings").upsert_all(rows, pk="key")

    def file_bytes(self) -> int:
        """Return the size of the database with its write-ahead log."""
        return sum(p.stat().st_size for p in (self.path, self._wal_path()) if p.exists())

    # Tracks

    def put(self, track: Track, vector: Float32) -> Track:
        """Store a track with its vector, in place of any under its path, and return it.

        A track that was stored keeps its id. A failure recorded under the path is forgotten.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (128,)
            Of unit length.
        """
        row = dataclasses.asdict(track) | {"path": os.fsencode(track.path)}
        del row["id"]
        with self._transaction():
            known = self._db.execute("SELECT id FROM tracks WHERE path = ?", [row["path"]])
            found = known.fetchone()
            if found:
                track_id = found[0]
                self._db.table("tracks").update(track_id, row)
            else:
                track_id = self._db.table("tracks").insert(row).last_pk
            vector_row = {
                "track_id": track_id,
                "revision": self._next_revision(),
                "embedding": vector.astype("<f4").tobytes(),
            }
            self._db.table("vectors").upsert(vector_row, pk="track_id")
            self._db.table("failures").delete_where("path = ?", [row["path"]])
        return dataclasses.replace(track, id=track_id)

    def update(self, track: Track) -> None:
        """Write a stored track's fields anew, its path among them; its vector stays."""
        row = dataclasses.asdict(track) | {"path": os.fsencode(track.path)}
        with self._transaction():
            self._set(row, "id = :id")
            self._db.table("failures").delete_where("path = ?", [row["path"]])

    def set_tags(self, track: Track, tags: dict[str, Any]) -> None:
        """Write some of a track's fields, unless its file was embedded anew meanwhile."""
        condition = {"id": track.id, "content_hash": track.content_hash}
        with self._transaction():
            self._set(tags | condition, "id = :id AND content_hash = :content_hash")

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give tracks new paths: all of them, or none."""
        with self._transaction():
            for track, path in tracks:
                self._set({"id": track.id, "path": os.fsencode(path)}, "id = :id")

    def _set(self, row: dict[str, Any], where: str) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in row if name != "id")
        self._db.execute(f"UPDATE tracks SET {columns} WHERE {where}", row)

    def remove(self, tracks: Iterable[Track]) -> None:
        """Forget tracks and their vectors; not those that have moved meanwhile."""
        with self._transaction():
            for track in tracks:
                key = [track.id, os.fsencode(track.path)]
                self._db.execute("DELETE FROM tracks WHERE id = ? AND path = ?", key)
            self._next_revision()

    def _next_revision(self) -> int:
        self._db.execute("UPDATE revision SET number = number + 1")
        return self.revision()

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield tracks in the order of their ids; all of them unless some are named."""
        if ids is None:
            with self._errors():
                for row in self._db.query(f"SELECT {', '.join(_FIELDS)} FROM tracks ORDER BY id"):
                    yield _track(row)
            return
        for start in range(0, len(ids), _VARIABLES_AT_A_TIME):
            some = sorted(ids)[start : start + _VARIABLES_AT_A_TIME]
            yield from self._tracks_where(f"id IN ({', '.join('?' * len(some))})", some)

    def track_at(self, path: str) -> Track | None:
        """Return the track stored under a path, to the letter."""
        return next(self._tracks_where("path = ?", [os.fsencode(path)]), None)

    def tracks_of(self, content_hash: str) -> list[Track]:
        """Return the tracks whose files had that content."""
        return list(self._tracks_where("content_hash = ?", [content_hash]))

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks whose paths lie in a folder or its subfolders."""
        prefix = os.fsencode(folder.rstrip(os.sep) + os.sep)
        where = "substr(path, 1, ?) = ?"
        return list(self._tracks_where(where, [len(prefix), prefix]))

    def _tracks_where(self, where: str, values: Sequence[Any]) -> Iterator[Track]:
        sql = f"SELECT {', '.join(_FIELDS)} FROM tracks WHERE {where} ORDER BY id"
        return map(_track, self._rows(sql, values))

    def content_hashes(self) -> set[str]:
        """Return the hashes of the stored tracks' files, as far as they are known."""
        rows = self._rows("SELECT DISTINCT content_hash FROM tracks WHERE content_hash <> ''")
        return {row["content_hash"] for row in rows}

    def unchanged(self) -> dict[str, tuple[int, int]]:
        """Return size and time of change of every stored track, by path."""
        rows = self._rows("SELECT path, size, mtime_ns FROM tracks")
        return {os.fsdecode(row["path"]): (row["size"], row["mtime_ns"]) for row in rows}

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their seconds in all, and the number of failures."""
        sql = (
            "SELECT count(*) AS tracks, total(seconds) AS seconds, "
            "(SELECT count(*) FROM failures) AS failures FROM tracks"
        )
        (row,) = self._rows(sql)
        return row["tracks"], row["seconds"], row["failures"]

    # Failures

    def put_failure(self, failure: Failure) -> None:
        """Record a file that could not be embedded."""
        row = dataclasses.asdict(failure) | {"path": os.fsencode(failure.path)}
        with self._transaction():
            self._db.table("failures").upsert(row, pk="path")

    def failures(self) -> list[Failure]:
        """Return the files that could not be embedded, by path."""
        rows = self._rows("SELECT path, reason, size, mtime_ns FROM failures ORDER BY path")
        return [Failure(**row | {"path": os.fsdecode(row["path"])}) for row in rows]

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Forget failures."""
        with self._transaction():
            for failure in failures:
                path = os.fsencode(failure.path)
                self._db.table("failures").delete_where("path = ?", [path])

    # Vectors

    def revision(self) -> int:
        """Return a number that grows with every change of the vectors."""
        return int(self._rows("SELECT number FROM revision")[0]["number"])

    def vector(self, track_id: int) -> Float32:
        """Return a track's vector: float32, shape (128,).

        Raises
        ------
        TrackNotFound
            Where another process has removed it.
        """
        rows = self._rows("SELECT embedding FROM vectors WHERE track_id = ?", [track_id])
        if not rows:
            raise TrackNotFound(
                f"Track #{track_id} is no longer in the index.",
                hint="`audiosearch list` shows the tracks there are.",
            )
        return np.frombuffer(rows[0]["embedding"], dtype="<f4")

    def changes_since(self, revision: int) -> VectorChanges:
        """Return how vectors have changed since a revision; 0 stands for the beginning."""
        with self._errors():
            self._db.execute("BEGIN")  # one instant for all three
            try:
                current = self.revision()
                ids = self._rows("SELECT track_id FROM vectors ORDER BY track_id")
                new = self._rows(
                    "SELECT track_id, embedding FROM vectors WHERE revision > ? ORDER BY track_id",
                    [revision],
                )
            finally:
                self._db.rollback()
        blob = b"".join(row["embedding"] for row in new)
        return VectorChanges(
            revision=current,
            ids=np.array([row["track_id"] for row in ids], dtype=np.int64),
            new_ids=np.array([row["track_id"] for row in new], dtype=np.int64),
            new_vectors=np.frombuffer(blob, dtype="<f4").reshape(-1, EMBEDDING_SIZE),
        )


def _track(row: dict[str, Any]) -> Track:
    return Track(**row | {"path": os.fsdecode(row["path"])})
