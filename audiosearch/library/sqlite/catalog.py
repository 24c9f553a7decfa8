"""Tracks, vectors and failures of an index in a folder, in SQLite."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.counting import counted
from audiosearch.library.filters import Filters, sql_functions
from audiosearch.library.sqlite import fts
from audiosearch.library.sqlite.vector_table import IS_COMPLETE, VectorTable, batches, from_blob
from audiosearch.library.track import Failure, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from audiosearch.types import Float32, Int64

_FIELDS = tuple(field.name for field in dataclasses.fields(Track))


class Catalog(VectorTable):
    """The tables of tracks, vectors and failures; it implements `Storage`.

    The parameters and errors of the class are those of `Database`.
    """

    # Tracks

    def put(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with vectors of unit length, and return the tracks with their ids.

        A track with the path of a stored track replaces it and takes over its id. A new track
        keeps its own id if no other track has it. Failures with the same paths are removed.

        Parameters
        ----------
        rows : iterable of (Track, ndarray of float32 of shape (dimension,))
        """
        with self.transaction():
            return [self._put(track, vector) for track, vector in rows]

    def _put(self, track: Track, vector: Float32) -> Track:
        row = dataclasses.asdict(track) | {"path": os.fsencode(track.path)}
        del row["id"]
        stored = self.db.execute("SELECT id FROM tracks WHERE path = ?", [row["path"]]).fetchone()
        if stored:
            track_id = stored[0]
            self.db.table("tracks").update(track_id, row)
        else:
            new_id = {"id": track.id} if self._is_free(track.id) else {}
            track_id = self.db.table("tracks").insert(row | new_id).last_pk
        self.put_vector(track_id, vector)
        self.db.execute("DELETE FROM pending_vectors WHERE track_id = ?", [track_id])
        self.db.table("failures").delete_where("path = ?", [row["path"]])
        return dataclasses.replace(track, id=track_id)

    def _is_free(self, track_id: int) -> bool:
        if not track_id:
            return False
        taken = self.db.execute("SELECT 1 FROM tracks WHERE id = ?", [track_id])
        return taken.fetchone() is None

    def update(self, track: Track) -> None:
        """Replace all fields of the track with the same id, its path included."""
        row = dataclasses.asdict(track) | {"path": os.fsencode(track.path)}
        with self.transaction():
            self._set(row, "id = :id")
            self.db.table("failures").delete_where("path = ?", [row["path"]])

    def set_tags(self, track: Track, tags: Mapping[str, str | int | None]) -> None:
        """Set the given fields of a track, unless its stored content hash has changed."""
        condition = {"id": track.id, "content_hash": track.content_hash}
        with self.transaction():
            self._set({**tags, **condition}, "id = :id AND content_hash = :content_hash")

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give each track a new path, in one transaction."""
        with self.transaction():
            for track, path in tracks:
                self._set({"id": track.id, "path": os.fsencode(path)}, "id = :id")

    def _set(self, row: dict[str, Any], where: str) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in row if name != "id")
        self.db.execute(f"UPDATE tracks SET {columns} WHERE {where}", row)

    def remove(self, tracks: Iterable[Track]) -> None:
        """Remove tracks and their vectors, except tracks that have another path by now."""
        with self.transaction():
            for track in tracks:
                key = [track.id, os.fsencode(track.path)]
                self.db.execute("DELETE FROM tracks WHERE id = ? AND path = ?", key)
            self.next_revision()

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield the tracks with the given ids, or all tracks, in ascending order of id."""
        if ids is None:
            with self.errors():
                for row in self.db.query(f"SELECT {', '.join(_FIELDS)} FROM tracks ORDER BY id"):
                    yield _track(row)
            return
        for batch in batches(sorted(ids)):
            yield from self.tracks_where(f"id IN ({', '.join('?' * len(batch))})", batch)

    def track_at(self, path: str) -> Track | None:
        """Return the track with exactly this path; None if there is none."""
        return next(self.tracks_where("path = ?", [os.fsencode(path)]), None)

    def tracks_of(self, content_hashes: Sequence[str]) -> Iterator[Track]:
        """Yield the tracks that have one of the given content hashes."""
        for batch in batches(content_hashes):
            marks = ", ".join("?" * len(batch))
            yield from self.tracks_where(f"content_hash IN ({marks})", batch)

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks in a folder and its subfolders."""
        prefix = os.fsencode(folder.rstrip(os.sep) + os.sep)
        where = "substr(path, 1, ?) = ?"
        return list(self.tracks_where(where, [len(prefix), prefix]))

    def tracks_where(self, where: str, values: Sequence[Any] = ()) -> Iterator[Track]:
        """Return the tracks that meet an SQL condition, in ascending order of id."""
        sql = f"SELECT {', '.join(_FIELDS)} FROM tracks WHERE {where} ORDER BY id"
        return map(_track, self.rows(sql, values))

    def list_tracks(self, limit: int, offset: int) -> list[Track]:
        """Return one page of all tracks, in ascending order of id."""
        sql = f"SELECT {', '.join(_FIELDS)} FROM tracks ORDER BY id LIMIT ? OFFSET ?"
        return list(map(_track, self.rows(sql, [limit, offset])))

    def content_hashes(self) -> set[str]:
        """Return the content hashes of all tracks that have one."""
        rows = self.rows("SELECT DISTINCT content_hash FROM tracks WHERE content_hash <> ''")
        return {row["content_hash"] for row in rows}

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return size (bytes) and modification time (ns) by path, for the paths that are stored."""
        result: dict[str, tuple[int, int]] = {}
        for batch in batches(paths):
            marks = ", ".join("?" * len(batch))
            sql = f"SELECT path, size, mtime_ns FROM tracks WHERE path IN ({marks})"
            for row in self.rows(sql, [os.fsencode(path) for path in batch]):
                result[os.fsdecode(row["path"])] = (row["size"], row["mtime_ns"])
        return result

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        for name, function in sql_functions().items():
            self.db.conn.create_function(name, function.__code__.co_argcount, function)
        where, values = filters.to_sql()
        rows = self.rows(f"SELECT id FROM tracks WHERE {where} ORDER BY id", values)
        return np.array([row["id"] for row in rows], dtype=np.int64)

    def search_text(self, words: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks with all words in their tags or path, best first.

        A word also matches longer words that begin with it.
        """
        return fts.search_text(self, self.path.parent, words, limit, offset)

    def count(self) -> int:
        """Return the number of tracks."""
        return int(self.rows("SELECT count(*) AS number FROM tracks")[0]["number"])

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their total seconds, and the number of failures."""
        sql = (
            "SELECT count(*) AS tracks, total(seconds) AS seconds, "
            "(SELECT count(*) FROM failures) AS failures FROM tracks"
        )
        (row,) = self.rows(sql)
        return row["tracks"], row["seconds"], row["failures"]

    # Tracks with their vectors

    @contextlib.contextmanager
    def all_with_vectors(self) -> Iterator[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Yield the number of tracks, and an iterator over all tracks with their vectors.

        Both see the same state of the database, even if other processes write.
        """
        sql = (
            f"SELECT {', '.join(_FIELDS)}, embedding FROM tracks JOIN vectors ON id = track_id "
            f"WHERE {IS_COMPLETE} ORDER BY id"
        )
        with self.snapshot():
            (row,) = self.rows(f"SELECT count(*) AS number FROM vectors WHERE {IS_COMPLETE}")
            yield row["number"], map(_track_with_vector, self.db.query(sql))

    def missing_vectors(self) -> list[Track]:
        """Return the tracks that lost their vector, or have a vector of the wrong dimension.

        That happens only if the database is damaged.
        """
        complete = f"SELECT track_id FROM vectors WHERE {IS_COMPLETE}"
        return list(self.tracks_where(f"id NOT IN ({complete})"))

    def problems(self) -> list[str]:
        """Return one phrase for each problem of the database; empty if it is intact."""
        rows = self.rows("PRAGMA integrity_check(10)")
        problems = [row["integrity_check"] for row in rows if row["integrity_check"] != "ok"]
        n_orphans = len(self.rows("PRAGMA foreign_key_check"))
        return problems + ([f"{counted(n_orphans, 'row')} without a track"] if n_orphans else [])

    # Failures

    def add_failures(self, failures: Iterable[Failure]) -> None:
        """Store failures; each replaces the failure with the same path."""
        with self.transaction():
            for failure in failures:
                row = dataclasses.asdict(failure) | {"path": os.fsencode(failure.path)}
                self.db.table("failures").upsert(row, pk="path")

    def failures(self) -> list[Failure]:
        """Return all failures, ordered by path."""
        rows = self.rows("SELECT path, reason, size, mtime_ns FROM failures ORDER BY path")
        return [Failure(**row | {"path": os.fsdecode(row["path"])}) for row in rows]

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Remove failures."""
        with self.transaction():
            for failure in failures:
                path = os.fsencode(failure.path)
                self.db.table("failures").delete_where("path = ?", [path])


def _track(row: dict[str, Any]) -> Track:
    return Track(**row | {"path": os.fsdecode(row["path"])})


def _track_with_vector(row: dict[str, Any]) -> tuple[Track, Float32]:
    vector = from_blob(row.pop("embedding"))
    return _track(row), vector
