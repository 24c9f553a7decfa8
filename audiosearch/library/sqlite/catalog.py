"""SQLite, the truth of an index: tracks, their vectors, failures and settings."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.defaults import DEFAULT_DIMENSION
from audiosearch.errors import TrackNotFound
from audiosearch.library.filters import SQL_FUNCTIONS, Filters
from audiosearch.library.sqlite.database import Store
from audiosearch.library.track import Failure, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.library.sqlite.coordinates import Coordinates
    from audiosearch.library.sqlite.staged_vectors import StagedVectors
    from audiosearch.library.track import EmbeddingSpec
    from audiosearch.types import Float32, Int64

_VARIABLES_AT_A_TIME = 500  # SQLite bounds how many values one statement may take
_BLOCK_NUMBERS = 65_536 * 128  # of vectors that are in memory at a time
_FIELDS = tuple(field.name for field in dataclasses.fields(Track))


class Catalog(Store):
    """The tables of tracks, vectors and failures; parameters and errors as of `Store`."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        rows = self.rows("SELECT value FROM settings WHERE key = 'dimension'")
        return int(rows[0]["value"]) if rows else DEFAULT_DIMENSION

    @property
    def _whole(self) -> str:
        """The SQL condition that a vector is complete."""
        return f"length(embedding) = {4 * self.dimension}"

    # Tracks

    def put(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with their vectors, in place of any under their paths, and return them.

        A track that was stored keeps its id; a new one has that which it brings, where that is
        free. Failures recorded under the paths are forgotten.

        Parameters
        ----------
        rows : iterable of (Track, ndarray of float32 of shape (128,))
            Of unit length.
        """
        with self.transaction():
            return [self._put(track, vector) for track, vector in rows]

    def _put(self, track: Track, vector: Float32) -> Track:
        row = dataclasses.asdict(track) | {"path": os.fsencode(track.path)}
        del row["id"]
        known = self.db.execute("SELECT id FROM tracks WHERE path = ?", [row["path"]])
        found = known.fetchone()
        if found:
            track_id = found[0]
            self.db.table("tracks").update(track_id, row)
        else:
            brought = {"id": track.id} if self._is_free(track.id) else {}
            track_id = self.db.table("tracks").insert(row | brought).last_pk
        self._put_vector(track_id, vector.astype("<f4").tobytes())
        self.db.execute("DELETE FROM pending_vectors WHERE track_id = ?", [track_id])
        self.db.table("failures").delete_where("path = ?", [row["path"]])
        return dataclasses.replace(track, id=track_id)

    def _is_free(self, track_id: int) -> bool:
        if not track_id:
            return False
        taken = self.db.execute("SELECT 1 FROM tracks WHERE id = ?", [track_id])
        return taken.fetchone() is None

    def _put_vector(self, track_id: int, embedding: bytes) -> None:
        """Store a vector; one that is there already stays of its revision."""
        sql = "SELECT 1 FROM vectors WHERE track_id = ? AND embedding = ?"
        if not self.db.execute(sql, [track_id, embedding]).fetchone():
            row = {"track_id": track_id, "revision": self.next_revision(), "embedding": embedding}
            self.db.table("vectors").upsert(row, pk="track_id")

    def update(self, track: Track) -> None:
        """Write a stored track's fields anew, its path among them; its vector stays."""
        row = dataclasses.asdict(track) | {"path": os.fsencode(track.path)}
        with self.transaction():
            self._set(row, "id = :id")
            self.db.table("failures").delete_where("path = ?", [row["path"]])

    def set_tags(self, track: Track, tags: dict[str, Any]) -> None:
        """Write some of a track's fields, unless its file was embedded anew meanwhile."""
        condition = {"id": track.id, "content_hash": track.content_hash}
        with self.transaction():
            self._set(tags | condition, "id = :id AND content_hash = :content_hash")

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give tracks new paths: all of them, or none."""
        with self.transaction():
            for track, path in tracks:
                self._set({"id": track.id, "path": os.fsencode(path)}, "id = :id")

    def _set(self, row: dict[str, Any], where: str) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in row if name != "id")
        self.db.execute(f"UPDATE tracks SET {columns} WHERE {where}", row)

    def remove(self, tracks: Iterable[Track]) -> None:
        """Forget tracks and their vectors; not those that have moved meanwhile."""
        with self.transaction():
            for track in tracks:
                key = [track.id, os.fsencode(track.path)]
                self.db.execute("DELETE FROM tracks WHERE id = ? AND path = ?", key)
            self.next_revision()

    def next_revision(self) -> int:
        """Count a change of the vectors, and return the revision that it makes."""
        self.db.execute("UPDATE revision SET number = number + 1")
        return self.revision()

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield tracks in the order of their ids; all of them unless some are named."""
        if ids is None:
            with self.errors():
                for row in self.db.query(f"SELECT {', '.join(_FIELDS)} FROM tracks ORDER BY id"):
                    yield _track(row)
            return
        for some in _some(sorted(ids)):
            yield from self.tracks_where(f"id IN ({', '.join('?' * len(some))})", some)

    def track_at(self, path: str) -> Track | None:
        """Return the track stored under a path, to the letter."""
        return next(self.tracks_where("path = ?", [os.fsencode(path)]), None)

    def tracks_of(self, content_hashes: Sequence[str]) -> Iterator[Track]:
        """Yield the tracks whose files had one of some contents."""
        for some in _some(content_hashes):
            yield from self.tracks_where(f"content_hash IN ({', '.join('?' * len(some))})", some)

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks whose paths lie in a folder or its subfolders."""
        prefix = os.fsencode(folder.rstrip(os.sep) + os.sep)
        where = "substr(path, 1, ?) = ?"
        return list(self.tracks_where(where, [len(prefix), prefix]))

    def tracks_where(self, where: str, values: Sequence[Any] = ()) -> Iterator[Track]:
        """Return the tracks that fulfil an SQL condition, in the order of their ids."""
        sql = f"SELECT {', '.join(_FIELDS)} FROM tracks WHERE {where} ORDER BY id"
        return map(_track, self.rows(sql, values))

    def content_hashes(self) -> set[str]:
        """Return the hashes of the stored tracks' files, as far as they are known."""
        rows = self.rows("SELECT DISTINCT content_hash FROM tracks WHERE content_hash <> ''")
        return {row["content_hash"] for row in rows}

    def ids(self, filters: Filters) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        for name, function in SQL_FUNCTIONS.items():
            self.db.conn.create_function(name, function.__code__.co_argcount, function)
        where, values = filters.to_sql()
        rows = self.rows(f"SELECT id FROM tracks WHERE {where} ORDER BY id", values)
        return np.array([row["id"] for row in rows], dtype=np.int64)

    def track_changes(self) -> int:
        """Return a number that is another one after every change of a track."""
        return int(self.rows("SELECT number FROM track_changes")[0]["number"])

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return the size and the time of change of those paths that are stored."""
        found: dict[str, tuple[int, int]] = {}
        for some in _some(paths):
            marks = ", ".join("?" * len(some))
            sql = f"SELECT path, size, mtime_ns FROM tracks WHERE path IN ({marks})"
            for row in self.rows(sql, [os.fsencode(path) for path in some]):
                found[os.fsdecode(row["path"])] = (row["size"], row["mtime_ns"])
        return found

    def list_tracks(self, limit: int, offset: int) -> list[Track]:
        """Return some tracks, in the order of their ids."""
        sql = f"SELECT {', '.join(_FIELDS)} FROM tracks ORDER BY id LIMIT ? OFFSET ?"
        return list(map(_track, self.rows(sql, [limit, offset])))

    def search_text(self, words: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks in which every word occurs, or begins one; best first."""
        from audiosearch.library.sqlite import fts

        return fts.search_text(self, self.path.parent, words, limit, offset)

    def count(self) -> int:
        """Return the number of tracks."""
        return int(self.rows("SELECT count(*) AS number FROM tracks")[0]["number"])

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their seconds in all, and the number of failures."""
        sql = (
            "SELECT count(*) AS tracks, total(seconds) AS seconds, "
            "(SELECT count(*) FROM failures) AS failures FROM tracks"
        )
        (row,) = self.rows(sql)
        return row["tracks"], row["seconds"], row["failures"]

    # Failures

    def put_failures(self, failures: Iterable[Failure]) -> None:
        """Record files that could not be embedded."""
        with self.transaction():
            for failure in failures:
                row = dataclasses.asdict(failure) | {"path": os.fsencode(failure.path)}
                self.db.table("failures").upsert(row, pk="path")

    def failures(self) -> list[Failure]:
        """Return the files that could not be embedded, by path."""
        rows = self.rows("SELECT path, reason, size, mtime_ns FROM failures ORDER BY path")
        return [Failure(**row | {"path": os.fsdecode(row["path"])}) for row in rows]

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Forget failures."""
        with self.transaction():
            for failure in failures:
                path = os.fsencode(failure.path)
                self.db.table("failures").delete_where("path = ?", [path])

    # What is kept beside

    def staged_vectors(self, spec: EmbeddingSpec) -> StagedVectors:
        """Begin to put another identity's vectors in the place of those here, or go on with it."""
        from audiosearch.library.sqlite.staged_vectors import StagedVectors

        return StagedVectors(self, spec)

    def pending(self) -> tuple[str | None, int]:
        """Return the model whose vectors are to succeed, if any, and how many there are."""
        from audiosearch.library.sqlite.staged_vectors import pending

        return pending(self)

    def coordinates(self) -> Coordinates:
        """Return the tracks that have a place on the map, and the places."""
        from audiosearch.library.sqlite.coordinates import coordinates

        return coordinates(self)

    def put_coordinates(self, found: Coordinates, *, as_of: int) -> bool:
        """Keep places on the map; False where all were laid out anew meanwhile."""
        from audiosearch.library.sqlite.coordinates import put_coordinates

        return put_coordinates(self, found, as_of=as_of)

    # Soundness

    def problems(self) -> list[str]:
        """Return what is wrong with the database itself: nothing, of one that is whole."""
        found = [row["integrity_check"] for row in self.rows("PRAGMA integrity_check(10)")]
        found = [problem for problem in found if problem != "ok"]
        orphans = len(self.rows("PRAGMA foreign_key_check"))
        return found + ([f"{orphans} rows belong to no track"] if orphans else [])

    def missing_vectors(self) -> list[Track]:
        """Return the tracks that have no vector of 128 numbers: none, but for damage."""
        return list(
            self.tracks_where(f"id NOT IN (SELECT track_id FROM vectors WHERE {self._whole})")
        )

    # Vectors

    def revision(self) -> int:
        """Return a number that grows with every change of the vectors."""
        return int(self.rows("SELECT number FROM revision")[0]["number"])

    def vector(self, track_id: int) -> Float32:
        """Return a track's vector: float32, shape (128,).

        Raises
        ------
        TrackNotFound
            Where another process has removed it.
        """
        sql = f"SELECT embedding FROM vectors WHERE track_id = ? AND {self._whole}"
        rows = self.rows(sql, [track_id])
        if not rows:
            raise TrackNotFound(
                f"Track #{track_id} is no longer in the index, or lost its vector.",
                hint="`audiosearch list` shows the tracks there are, `audiosearch doctor` damage.",
            )
        return np.frombuffer(rows[0]["embedding"], dtype="<f4")

    @contextlib.contextmanager
    def all_with_vectors(self) -> Iterator[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Give the number of tracks, and all of them with their vectors, as of one instant."""
        sql = (
            f"SELECT {', '.join(_FIELDS)}, embedding FROM tracks JOIN vectors ON id = track_id "
            f"WHERE {self._whole} ORDER BY id"
        )
        with self.snapshot():
            (counted,) = self.rows(f"SELECT count(*) AS number FROM vectors WHERE {self._whole}")
            yield counted["number"], map(_track_with_vector, self.db.query(sql))

    def vector_ids(self) -> Int64:
        """Return the ids of the tracks that have a vector, ascending: int64, shape (n,)."""
        sql = f"SELECT track_id FROM vectors WHERE {self._whole} ORDER BY track_id"
        with self.errors():
            return np.fromiter((row[0] for row in self.db.execute(sql)), dtype=np.int64)

    def changed_since(self, revision: int) -> Int64:
        """Return the ids of the vectors written after a revision, ascending: int64, shape (n,)."""
        sql = f"SELECT track_id FROM vectors WHERE revision > ? AND {self._whole} ORDER BY track_id"
        with self.errors():
            found = self.db.execute(sql, [revision])
            return np.fromiter((row[0] for row in found), dtype=np.int64)

    def vectors_of(self, ids: Int64) -> Float32:
        """Return tracks' vectors, in the order of their ids as given: float32, shape (n, 128).

        Raises
        ------
        TrackNotFound
            Where another process has removed one.
        """
        found: dict[int, bytes] = {}
        for some in _some(ids.tolist()):
            marks = ", ".join("?" * len(some))
            sql = f"SELECT track_id, embedding FROM vectors WHERE track_id IN ({marks})"
            sql = f"{sql} AND {self._whole}"
            with self.errors():
                found.update(self.db.execute(sql, some))
        if len(found) < len(set(ids.tolist())):
            raise TrackNotFound("A track was removed meanwhile.", hint="Ask once more.")
        return _as_vectors((found[i] for i in ids.tolist()), self.dimension)

    def vector_blocks(self, since: int = 0) -> Iterator[tuple[Int64, Float32]]:
        """Yield the vectors that were written after a revision, by id, some at a time.

        Yields
        ------
        ndarray of int64, shape (n,)
            The tracks' ids.
        ndarray of float32, shape (n, 128)
        """
        sql = (
            f"SELECT track_id, embedding FROM vectors WHERE revision > ? AND {self._whole} "
            "ORDER BY track_id"
        )
        dimension = self.dimension
        with self.errors():
            cursor = self.db.execute(sql, [since])
            while rows := cursor.fetchmany(max(1, _BLOCK_NUMBERS // dimension)):
                ids = np.array([row[0] for row in rows], dtype=np.int64)
                yield ids, _as_vectors((row[1] for row in rows), dimension)


def _some(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values, as many at a time as one statement may take."""
    for start in range(0, len(values), _VARIABLES_AT_A_TIME):
        yield values[start : start + _VARIABLES_AT_A_TIME]


def _as_vectors(embeddings: Iterable[bytes], dimension: int) -> Float32:
    return np.frombuffer(b"".join(embeddings), dtype="<f4").reshape(-1, dimension)


def _track(row: dict[str, Any]) -> Track:
    return Track(**row | {"path": os.fsdecode(row["path"])})


def _track_with_vector(row: dict[str, Any]) -> tuple[Track, Float32]:
    vector = np.frombuffer(row.pop("embedding"), dtype="<f4")
    return _track(row), vector
