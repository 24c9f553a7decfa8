"""Patches of all tracks as one set of vectors with ids, for their FAISS index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.library.patch_positions import Positions, numbers_of
from audiosearch.library.sqlite.conditions import batches, one_of
from audiosearch.library.track import removed_track_error
from audiosearch.models.moments import unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import Float32, Int8, Int64

#: Setting: the smallest id that no patch has had.
NEXT_ID = "next_patch_id"
_MAX_ID = 2**40
_BLOCK_NUMBERS = 65_536 * 128  # numbers in a block of vectors: 32 MiB of memory
# Begin a query of a database of an older version, which lacks the table or the column of prints.
_EMPTY_TABLE = (
    "WITH moments(track_id, first_id, n_patches, revision, codes, sounds, prints) AS "
    "(SELECT 0, 0, 0, 0, x'', NULL, NULL WHERE 0) "
)
_WITHOUT_PRINTS = "WITH moments AS (SELECT *, NULL AS prints FROM main.moments) "
# SQL condition that the numbers of a row are possible; the index of the table has them.
_HAS_NUMBERS = (
    "typeof(first_id) = 'integer' AND typeof(n_patches) = 'integer' AND n_patches > 0 "
    f"AND first_id BETWEEN 0 AND {_MAX_ID} AND n_patches <= {_MAX_ID} - first_id"
)
# SQL condition that a row of moments is complete. Others count as missing.
_IS_COMPLETE = (
    f"{_HAS_NUMBERS} AND typeof(codes) = 'blob' AND length(codes) = n_patches * {{dimension}} "
    "AND (sounds IS NULL OR typeof(sounds) = 'blob') "
    "AND (prints IS NULL OR typeof(prints) = 'blob')"
)


def moments_source(catalog: Catalog) -> str:
    """Return what a query of the table ``moments`` begins with, so that no column is missing."""
    columns = {row["name"] for row in catalog.rows("SELECT name FROM pragma_table_info('moments')")}
    if not columns:
        return _EMPTY_TABLE
    return "" if "prints" in columns else _WITHOUT_PRINTS


def select_complete(catalog: Catalog, columns: str, where: str = "1") -> str:
    """Return the query of columns of complete moments that meet an SQL condition."""
    condition = _IS_COMPLETE.format(dimension=catalog.dimension)
    return f"{moments_source(catalog)}SELECT {columns} FROM moments WHERE {condition} AND {where}"


class PatchTable:
    """Patches of all tracks, with their ids in FAISS; it implements `PatchDatabase`.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._positions: tuple[tuple[int, int], Positions] | None = None

    # Settings and transactions are those of the catalog.

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        return self._catalog.settings()

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings. Settings with other names don't change."""
        self._catalog.set_settings(settings)

    def transaction(self) -> AbstractContextManager[None]:
        """Write all changes inside the block, or none."""
        return self._catalog.transaction()

    def snapshot(self) -> AbstractContextManager[None]:
        """Make all reads inside the block see the same state, even if other processes write."""
        return self._catalog.snapshot()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._catalog.dimension

    # Ids

    def positions(self) -> Positions:
        """Return the ids of the patches of all tracks.

        They are read again only after a change of the database. Rows with impossible numbers, or
        with ids of another row, are left out.
        """
        connection = self._catalog.db.conn
        (version,) = self._catalog.rows("PRAGMA data_version")
        key = (version["data_version"], connection.total_changes)
        if self._positions is not None and self._positions[0] == key:
            return self._positions[1]
        positions = self._read_positions(_HAS_NUMBERS)
        # The largest plausible numbers are those that the database has room for.
        if positions.total * self.dimension > self._catalog.file_bytes():
            positions = self._read_positions(_IS_COMPLETE.format(dimension=self.dimension))
        if not connection.in_transaction:  # which may be rolled back
            self._positions = (key, positions)
        return positions

    def _read_positions(self, condition: str) -> Positions:
        sql = (
            f"{moments_source(self._catalog)}SELECT first_id, n_patches, track_id FROM moments "
            f"WHERE {condition} ORDER BY first_id"
        )
        with self._catalog.errors():
            rows = self._catalog.db.execute(sql).fetchall()
        first_ids, counts, track_ids = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        ends = np.maximum.accumulate(first_ids + counts)
        is_free = first_ids >= np.concatenate([np.zeros(1, np.int64), ends])[:-1]
        next_id = max([self.next_id(), *ends[-1:].tolist()])
        return Positions(track_ids[is_free], first_ids[is_free], counts[is_free], next_id)

    def next_id(self) -> int:
        """Return the smallest id that no patch has had."""
        text = self.settings().get(NEXT_ID, "")
        is_number = text.isascii() and text.isdecimal() and len(text) < len(str(_MAX_ID))
        sql = (
            f"{moments_source(self._catalog)}SELECT first_id + n_patches AS end FROM moments "
            f"WHERE {_HAS_NUMBERS} ORDER BY first_id DESC LIMIT 1"
        )
        ends: list[int] = [row["end"] for row in self._catalog.rows(sql)]
        return max([int(text) if is_number else 0, *ends])

    def count(self) -> int:
        """Return the number of patches."""
        return self.positions().total

    def revision(self) -> int:
        """Return a number that grows with every change of the patches."""
        return self.positions().revision

    def vector_ids(self) -> Int64:
        """Return the ids of all patches in complete rows, ascending: int64, shape (n,)."""
        return self._read_positions(_IS_COMPLETE.format(dimension=self.dimension)).ids()

    def changed_since(self, revision: int) -> Int64:
        """Return no ids, shape (0,): a patch never changes. A changed track has new patches."""
        del revision
        return np.empty(0, dtype=np.int64)

    def removed_of(self, ids: Int64) -> Int64:
        """Return those of some ids that have no patch any more: int64, shape (n,)."""
        return ids[~np.isin(ids, self.vector_ids())]

    # Vectors

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of patches, in the order of their ids: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of their tracks.
        """
        is_found, vectors = self.found_vectors(ids)
        if not is_found.all():
            raise removed_track_error()
        return vectors

    def found_vectors(self, ids: Int64) -> tuple[npt.NDArray[np.bool_], Float32]:
        """Return which of some patches exist, shape (n,), and their vectors, (n, dimension).

        The vectors of patches that don't exist are undefined.
        """
        positions, vectors = self.positions(), np.empty((len(ids), self.dimension), np.float32)
        is_found = np.zeros(len(ids), dtype=bool)
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        rows, _ = positions.locate(ordered)
        track_ids = positions.track_ids[np.unique(rows[rows >= 0])]
        for first_id, codes in self._rows_of(track_ids):
            start, end = np.searchsorted(ordered, [first_id, first_id + len(codes)])
            group = order[start:end]
            vectors[group] = unit_rows(codes[ids[group] - first_id])
            is_found[group] = True
        return is_found, vectors

    def vector_blocks(self, since: int = 0) -> Iterator[tuple[Int64, Float32]]:
        """Yield the vectors written after a revision, block by block, in the order of their ids.

        Yields
        ------
        ids : ndarray of int64, shape (n,)
        vectors : ndarray of float32, shape (n, dimension)
        """
        return self._blocks(self._rows("first_id >= ? ORDER BY first_id", numbers_of(since)[:1]))

    def blocks_of(self, track_ids: Int64) -> Iterator[tuple[Int64, Float32]]:
        """Yield the ids and the vectors of the patches of tracks: see `vector_blocks`."""
        return self._blocks(self._rows_of(track_ids))

    def _blocks(self, rows: Iterable[tuple[int, Int8]]) -> Iterator[tuple[Int64, Float32]]:
        n_patches = max(1, _BLOCK_NUMBERS // self.dimension)
        ids: list[Int64] = []
        codes: list[Int8] = []
        n_collected = 0
        for first_id, row in rows:
            for start in range(0, len(row), n_patches):
                codes.append(row[start : start + n_patches])
                ids.append(first_id + start + np.arange(len(codes[-1])))
                n_collected += len(codes[-1])
                if n_collected >= n_patches:
                    yield np.concatenate(ids), unit_rows(np.concatenate(codes))
                    ids, codes, n_collected = [], [], 0
        if ids:
            yield np.concatenate(ids), unit_rows(np.concatenate(codes))

    def _rows_of(self, track_ids: Int64) -> Iterator[tuple[int, Int8]]:
        for batch in batches(track_ids.tolist()):
            yield from self._rows(one_of("track_id", batch), batch)

    def _rows(self, where: str, values: Sequence[int]) -> Iterator[tuple[int, Int8]]:
        """Yield the id of the first patch and the codes, (n, dimension), of each complete row."""
        dimension = self.dimension
        sql = select_complete(self._catalog, "first_id, codes", where)
        with self._catalog.errors():
            for first_id, codes in self._catalog.db.execute(sql, values):
                yield first_id, np.frombuffer(codes, np.int8).reshape(-1, dimension)
