"""Tracks, vectors and failures of an index in a folder, in SQLite."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sqlite3
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.counting import counted
from audiosearch.library.filters import Filters, sql_functions
from audiosearch.library.sqlite import fts
from audiosearch.library.sqlite.conditions import batches, one_of
from audiosearch.library.sqlite.schema import schema_problems
from audiosearch.library.sqlite.sound_table import EMPTY_TABLE, put_sounds, sounds_of, with_sounds
from audiosearch.library.sqlite.stored_types import PATHS, require_row, require_types
from audiosearch.library.sqlite.vector_table import IS_COMPLETE, VectorTable, from_blob
from audiosearch.library.track import Failure, Track
from audiosearch.paths import path_from_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from audiosearch.library.suggestions import Suggestion
    from audiosearch.models.sound import Sound
    from audiosearch.types import Float32, Int64

_COLUMNS = tuple(field.name for field in dataclasses.fields(Track) if field.name != "sounds")


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
        row = _row(track)
        sql = "SELECT id, audio_hash, content_hash FROM tracks WHERE path = ?"
        stored = self.db.execute(sql, [row["path"]]).fetchone()
        if stored:
            track_id = row["id"] = stored[0]
            self._set(row, "id = :id")
            if not {track.audio_hash, track.content_hash} - {""} & set(stored[1:]):
                # The moments are those of another sound.
                self.db.execute("DELETE FROM moments WHERE track_id = ?", [track_id])
        else:
            row["id"] = track.id if self._is_free(track.id) else None
            columns = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            sql = f"INSERT INTO tracks ({columns}) VALUES ({values})"
            track_id = self.db.execute(sql, row).lastrowid
        put_sounds(self, track_id, track.sounds)
        self.put_vector(track_id, vector)
        self.db.execute("DELETE FROM pending_vectors WHERE track_id = ?", [track_id])
        self.db.execute("DELETE FROM failures WHERE path = ?", [row["path"]])
        return dataclasses.replace(track, id=track_id)

    def _is_free(self, track_id: int) -> bool:
        if not track_id:
            return False
        taken = self.db.execute("SELECT 1 FROM tracks WHERE id = ?", [track_id])
        return taken.fetchone() is None

    def update(self, track: Track) -> None:
        """Replace all fields of the track with the same id, its path included."""
        row = _row(track)
        with self.transaction():
            if self._set(row, "id = :id"):
                put_sounds(self, track.id, track.sounds)
            self.db.execute("DELETE FROM failures WHERE path = ?", [row["path"]])

    def set_fields(self, changes: Iterable[tuple[Track, Mapping[str, Any]]]) -> None:
        """Set the given fields of each track, unless its stored content hash has changed."""
        with self.transaction():
            for track, fields in changes:
                row = {name: value for name, value in fields.items() if name != "sounds"}
                row |= {"id": track.id, "content_hash": track.content_hash}
                is_set = self._set(row, "id = :id AND content_hash = :content_hash")
                if is_set and "sounds" in fields:
                    put_sounds(self, track.id, fields["sounds"])

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give each track a new path and the given real path, in one transaction."""
        with self.transaction():
            for track, path in tracks:
                row = {"path": os.fsencode(path), "real_path": os.fsencode(track.real_path)}
                self._set({"id": track.id, **row}, "id = :id")

    def _set(self, row: dict[str, Any], where: str) -> bool:
        """Set columns of a track, and return whether there is such a track."""
        columns = ", ".join(f"{name} = :{name}" for name in row if name != "id")
        return self.db.execute(f"UPDATE tracks SET {columns} WHERE {where}", row).rowcount > 0

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
                rows = self.db.query("SELECT * FROM tracks ORDER BY id")
                yield from map(_track, with_sounds(self, rows))
            return
        yield from self._tracks_with(["id"], sorted(ids))

    def fields(
        self, names: Sequence[str], ids: Sequence[int] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return fields of the tracks with the given ids, or of all, in ascending order of id.

        That is several times faster than reading whole tracks.
        """
        columns = ["id" if name == "sounds" else name for name in names]
        sql = f"SELECT {', '.join(columns)} FROM tracks {{}} ORDER BY id"
        rows: list[tuple[Any, ...]] = []
        with self.errors():
            if ids is None:
                rows = self.db.execute(sql.format("")).fetchall()
            for batch in batches(sorted(ids or ())):
                where = f"WHERE {one_of('id', batch)}"
                rows += self.db.execute(sql.format(where), batch).fetchall()
            for position, name in enumerate(columns):
                require_types(name, map(itemgetter(position), rows))
        for name, convert in (("path", path_from_bytes), ("has_cover", _flag)):
            if name in names:
                n = names.index(name)
                rows = [(*row[:n], convert(row[n]), *row[n + 1 :]) for row in rows]
        if "sounds" in names:
            n = names.index("sounds")
            sounds = self._sounds_of([row[n] for row in rows])
            rows = [(*row[:n], tuple(sounds.get(row[n], ())), *row[n + 1 :]) for row in rows]
        return rows

    def _sounds_of(self, ids: Sequence[int]) -> dict[int, list[Sound]]:
        """Return the sounds of tracks by id, best first.

        A database of an older version has none.
        """
        sounds: dict[int, list[Sound]] = {}
        for batch in batches(ids) if self._has_column("tagger") else ():
            sounds |= sounds_of(self, batch)
        return sounds

    def track_at(self, path: str) -> Track | None:
        """Return the track with exactly this path; None if there is none."""
        return next(self.tracks_where("path = ?", [os.fsencode(path)]), None)

    def tracks_of(self, hashes: Sequence[str]) -> Iterator[Track]:
        """Yield the tracks that have one of the given hashes, of their content or their audio."""
        yield from self._tracks_with(self._hash_columns(), hashes)

    def tracks_of_sizes(self, sizes: Sequence[int]) -> Iterator[Track]:
        """Yield the tracks whose files had one of the given sizes, in bytes."""
        yield from self._tracks_with(["size"], sizes)

    def _tracks_with(self, columns: Sequence[str], values: Sequence[Any]) -> Iterator[Track]:
        """Yield the tracks that have one of the given values in one of the columns."""
        for batch in batches(values):
            conditions = [one_of(column, batch) for column in columns]
            yield from self.tracks_where(" OR ".join(conditions), [*batch] * len(conditions))

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks in a folder and its subfolders."""
        prefix = os.fsencode(folder.rstrip(os.sep) + os.sep)
        where = "substr(path, 1, ?) = ?"
        return list(self.tracks_where(where, [len(prefix), prefix]))

    def tracks_where(self, where: str, values: Sequence[Any] = ()) -> Iterator[Track]:
        """Return the tracks that meet an SQL condition, in ascending order of id."""
        return iter(self._tracks(f"SELECT * FROM tracks WHERE {where} ORDER BY id", values))

    def list_tracks(self, limit: int, offset: int) -> list[Track]:
        """Return one page of all tracks, in ascending order of id."""
        return self._tracks("SELECT * FROM tracks ORDER BY id LIMIT ? OFFSET ?", [limit, offset])

    def _tracks(self, sql: str, values: Sequence[Any]) -> list[Track]:
        rows = self.rows(sql, values)
        with self.errors():
            return list(map(_track, with_sounds(self, rows)))

    def hashes(self) -> set[str]:
        """Return the known hashes of all tracks, of their content and of their audio."""
        hashes = {
            row["hash"]
            for column in self._hash_columns()
            for row in self.rows(f"SELECT {column} AS hash FROM tracks WHERE {column} <> ''")
        }
        with self.errors():
            require_types("content_hash", hashes)
        return hashes

    def _hash_columns(self) -> list[str]:
        """Return the columns with hashes. A database of an older version lacks one of them."""
        return [name for name in ("content_hash", "audio_hash") if self._has_column(name)]

    def _has_column(self, name: str) -> bool:
        sql = "SELECT 1 AS found FROM pragma_table_info('tracks') WHERE name = ?"
        return bool(self.rows(sql, [name]))

    def artists(self) -> set[str]:
        """Return the different artist and album artist tags."""
        sql = "SELECT artist FROM tracks UNION SELECT album_artist FROM tracks"
        artists = {row["artist"] for row in self.rows(sql)}
        with self.errors():
            require_types("artist", artists)
        return artists - {None}

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return size (bytes) and modification time (ns) by path, for the paths that are stored."""
        result: dict[str, tuple[int, int]] = {}
        for batch in batches(paths):
            sql = f"SELECT path, size, mtime_ns FROM tracks WHERE {one_of('path', batch)}"
            for row in self.rows(sql, [os.fsencode(path) for path in batch]):
                result[path_from_bytes(row["path"])] = (row["size"], row["mtime_ns"])
        return result

    def linked_paths(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the stored real path of each stored path from which it differs; empty if unknown.

        In a database of an older version, all are unknown.
        """
        if not self._has_column("real_path"):
            return dict.fromkeys(self.sizes_and_times(paths), "")
        result: dict[str, str] = {}
        for batch in batches(paths):
            where = f"{one_of('path', batch)} AND path <> real_path"
            sql = f"SELECT path, real_path FROM tracks WHERE {where}"
            rows = self.rows(sql, [os.fsencode(path) for path in batch])
            with self.errors():
                require_types("real_path", (row["real_path"] for row in rows))
            for row in rows:
                result[path_from_bytes(row["path"])] = path_from_bytes(row["real_path"])
        return result

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        where, values = self.condition(filters)
        sql = f"{self.sounds_clause()}SELECT id FROM tracks WHERE {where} ORDER BY id"
        rows = self.rows(sql, values)
        return np.array([row["id"] for row in rows], dtype=np.int64)

    def condition(self, filters: Filters) -> tuple[str, list[Any]]:
        """Return filters as an SQL condition on the table ``tracks``, and its values."""
        for name, function in sql_functions().items():
            self.db.conn.create_function(name, function.__code__.co_argcount, function)
        return filters.to_sql()

    def sounds_clause(self) -> str:
        """Return what a query of the table ``sounds`` begins with, so that it is never missing."""
        return "" if self._has_column("tagger") else EMPTY_TABLE

    def search_text(self, words: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks with all words in their tags or path, best first.

        A word also matches longer words that begin with it.
        """
        return fts.search_text(self, self.path.parent, words, limit, offset)

    def suggestions(self, words: str, fields: Collection[str]) -> list[Suggestion]:
        """Return the values of fields that have all words: see `SuggestionStorage`."""
        return fts.suggestions(self, self.path.parent, words, fields)

    def count(self) -> int:
        """Return the number of tracks."""
        return int(self.rows("SELECT count(*) AS number FROM tracks")[0]["number"])

    def count_without_sounds(self) -> int:
        """Return the number of tracks in which no tagger has looked for sounds yet."""
        if not self._has_column("tagger"):
            return self.count()
        return int(
            self.rows("SELECT count(*) AS number FROM tracks WHERE tagger = ''")[0]["number"]
        )

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their total seconds, and the number of failures."""
        sql = (
            "SELECT count(*) AS tracks, total(seconds) AS seconds, "
            "(SELECT count(*) FROM failures) AS failures FROM tracks"
        )
        (row,) = self.rows(sql)
        with self.errors():
            if not math.isfinite(row["seconds"]):
                raise sqlite3.DatabaseError("a track has an infinite duration")
        return row["tracks"], row["seconds"], row["failures"]

    # Tracks with their vectors

    @contextlib.contextmanager
    def all_with_vectors(self) -> Iterator[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Yield the number of tracks, and an iterator over all tracks with their vectors.

        Both see the same state of the database, even if other processes write.
        """
        sql = (
            "SELECT tracks.*, embedding FROM tracks JOIN vectors ON id = track_id "
            f"WHERE {IS_COMPLETE} ORDER BY id"
        )
        with self.snapshot():
            (row,) = self.rows(f"SELECT count(*) AS number FROM vectors WHERE {IS_COMPLETE}")
            yield row["number"], map(_track_with_vector, with_sounds(self, self.db.query(sql)))

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
        with self.errors():
            problems += schema_problems(self.db)
        if not problems:
            self.revision()  # raise an error if they are damaged
            self.track_changes()
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
        with self.errors():
            for row in rows:
                require_row(row)
        return [Failure(**row | {"path": path_from_bytes(row["path"])}) for row in rows]

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Remove failures."""
        with self.transaction():
            paths = [[os.fsencode(failure.path)] for failure in failures]
            self.db.conn.executemany("DELETE FROM failures WHERE path = ?", paths)


def _row(track: Track) -> dict[str, Any]:
    """Return a track as a row of the table."""
    paths = {name: os.fsencode(getattr(track, name)) for name in PATHS}
    return {name: getattr(track, name) for name in _COLUMNS} | paths


def _track(row: dict[str, Any]) -> Track:
    """Return the track in a row. A database of an older version lacks some columns."""
    try:
        require_row(row)
        for name in row.keys() & PATHS:
            row[name] = path_from_bytes(row[name])
        if "has_cover" in row:
            row["has_cover"] = _flag(row["has_cover"])
        return Track(**row)
    except (TypeError, KeyError) as exc:
        message = f"a track has missing or unknown fields ({exc})"
        raise sqlite3.DatabaseError(message) from exc


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _track_with_vector(row: dict[str, Any]) -> tuple[Track, Float32]:
    vector = from_blob(row.pop("embedding"))
    return _track(row), vector
