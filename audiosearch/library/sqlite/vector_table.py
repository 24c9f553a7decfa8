"""Vectors of all tracks in SQLite, and the revision, which counts their changes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import defaults
from audiosearch.errors import TrackNotFound
from audiosearch.library.sqlite.conditions import batches, one_of
from audiosearch.library.sqlite.database import Database
from audiosearch.library.track import removed_track_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.types import Float32, Int64

_BLOCK_NUMBERS = 65_536 * 128  # numbers in a block of vectors: 32 MiB of memory

# SQL condition that a stored vector has a number of dimensions.
_HAS_DIMENSION = "typeof(embedding) = 'blob' AND length(embedding) = 4 * {}"
#: SQL condition that a stored vector has the index's dimension. Without a setting, it is 128.
IS_COMPLETE = _HAS_DIMENSION.format(
    "coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'dimension'), "
    f"{defaults.DIMENSION})"
)

# SQL condition that a vector was written after a revision. Without the inner query, SQLite reads
# all vectors, in the order of their ids.
_IS_CHANGED = "track_id IN (SELECT track_id FROM vectors WHERE revision > ?)"


class VectorTable(Database):
    """The table of vectors. Each vector belongs to a track id and has a revision.

    The parameters and errors of the class are those of `Database`.
    """

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.settings().get("dimension", defaults.DIMENSION))

    def next_revision(self) -> int:
        """Count a change of the vectors, and return the new revision."""
        self.db.execute("UPDATE revision SET number = number + 1")
        return self.revision()

    def put_vector(self, track_id: int, vector: Float32) -> None:
        """Store a track's vector. If the same vector is stored already, its revision stays."""
        embedding = to_blob(vector)
        sql = "SELECT 1 FROM vectors WHERE track_id = ? AND embedding = ?"
        if not self.db.execute(sql, [track_id, embedding]).fetchone():
            sql = "REPLACE INTO vectors (track_id, revision, embedding) VALUES (?, ?, ?)"
            self.db.execute(sql, [track_id, self.next_revision(), embedding])

    def vector(self, track_id: int) -> Float32:
        """Return the vector of a track: float32 of unit length, shape (dimension,).

        Raises
        ------
        TrackNotFound
            If the track or its vector doesn't exist.
        """
        sql = f"SELECT embedding FROM vectors WHERE track_id = ? AND {IS_COMPLETE}"
        rows = self.rows(sql, [track_id])
        if not rows:
            raise TrackNotFound(
                f"Track #{track_id} is no longer in the index, or has lost its vector.",
                hint="Show the tracks with `audiosearch list`, or run `audiosearch doctor`.",
            )
        return from_blob(rows[0]["embedding"])

    def vector_ids(self) -> Int64:
        """Return the ids of all tracks that have a vector, ascending: int64, shape (n,)."""
        sql = f"SELECT track_id FROM vectors WHERE {IS_COMPLETE} ORDER BY track_id"
        return self._ids(sql)

    def changed_since(self, revision: int) -> Int64:
        """Return the ids of the vectors written after a revision, ascending: int64, shape (n,)."""
        sql = (
            f"SELECT track_id FROM vectors WHERE {_IS_CHANGED} AND {IS_COMPLETE} ORDER BY track_id"
        )
        return self._ids(sql, [revision])

    def removed_of(self, ids: Int64) -> Int64:
        """Return those of some ids that have no vector any more: int64, shape (n,)."""
        # It needs only SQLite's index of the revisions, which is a fraction of the table.
        return ids[~np.isin(ids, self._ids("SELECT track_id FROM vectors"))]

    def _ids(self, sql: str, values: Sequence[int] = ()) -> Int64:
        with self.errors():
            rows = self.db.execute(sql, values)
            return np.fromiter(chain.from_iterable(rows), dtype=np.int64)

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, in the order of their ids: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of the tracks.
        """
        dimension = self.dimension
        vectors = np.empty((len(ids), dimension), dtype="<f4")
        n_read = 0
        for batch in batches(ids.tolist()):
            sql = f"SELECT track_id, embedding FROM vectors WHERE {one_of('track_id', batch)}"
            with self.errors():
                rows = self.db.execute(f"{sql} AND {_HAS_DIMENSION.format(dimension)}", batch)
                embeddings: dict[int, bytes] = dict(rows)
            if len(embeddings) < len(set(batch)):
                raise removed_track_error()
            block = _as_matrix((embeddings[i] for i in batch), dimension)
            vectors[n_read : n_read + len(batch)] = block
            n_read += len(batch)
        return vectors

    def vector_blocks(self, since: int = 0) -> Iterator[tuple[Int64, Float32]]:
        """Yield the vectors written after a revision, block by block, in the order of their ids.

        Yields
        ------
        ids : ndarray of int64, shape (n,)
        vectors : ndarray of float32, shape (n, dimension)
        """
        dimension = self.dimension
        where, values = (f"{_IS_CHANGED} AND ", [since]) if since else ("", [])
        sql = (
            "SELECT track_id, embedding FROM vectors "
            f"WHERE {where}{_HAS_DIMENSION.format(dimension)} ORDER BY track_id"
        )
        with self.errors():
            cursor = self.db.execute(sql, values)
            while block := cursor.fetchmany(max(1, _BLOCK_NUMBERS // dimension)):
                ids = np.array([row[0] for row in block], dtype=np.int64)
                yield ids, _as_matrix((row[1] for row in block), dimension)


def to_blob(vector: Float32) -> bytes:
    """Return a vector as the database stores it: little-endian float32."""
    return vector.astype("<f4").tobytes()


def from_blob(embedding: bytes) -> Float32:
    """Return the vector that the database stores as bytes: float32, shape (dimension,)."""
    return np.frombuffer(embedding, dtype="<f4")


def _as_matrix(embeddings: Iterable[bytes], dimension: int) -> Float32:
    return np.frombuffer(b"".join(embeddings), dtype="<f4").reshape(-1, dimension)
