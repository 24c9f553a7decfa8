"""Moments of tracks, in the database of an index."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from audiosearch.library.sqlite.conditions import batches, one_of
from audiosearch.library.sqlite.patch_table import (
    NEXT_ID,
    PatchTable,
    moments_source,
    select_complete,
)
from audiosearch.models.moments import Moments, prints_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.track import Track
    from audiosearch.models.moments import PatchSounds
    from audiosearch.types import UInt16


class MomentTable:
    """The table of moments; it implements `MomentStorage`, except for the search.

    Parameters
    ----------
    catalog : Catalog

    Attributes
    ----------
    patches : PatchTable
        All patches with their ids in FAISS.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.patches = PatchTable(catalog)

    def put(self, moments: Mapping[int, Moments | None]) -> None:
        """Store the moments of tracks by id, in place of their former ones; None removes those.

        Patches that are the same as before keep their ids, so their FAISS index stays.
        """
        with self._catalog.transaction():
            stored = self._stored(list(moments))
            kept = {i for i in stored if self._put_rest(i, moments[i])}
            deleted = [[track_id] for track_id in stored - kept]
            self._catalog.db.conn.executemany("DELETE FROM moments WHERE track_id = ?", deleted)
            self._insert({i: m for i, m in moments.items() if m is not None and i not in kept})

    def _stored(self, ids: Sequence[int]) -> set[int]:
        """Return which of some tracks have moments."""
        stored: set[int] = set()
        for batch in batches(ids):
            sql = f"SELECT track_id FROM moments WHERE {one_of('track_id', batch)}"
            stored.update(track_id for (track_id,) in self._catalog.db.execute(sql, batch))
        return stored

    def _put_rest(self, track_id: int, moments: Moments | None) -> bool:
        """Store sounds and prints only, if the same patches are stored. Return whether they are."""
        if moments is None:
            return False
        sql = (
            "UPDATE moments SET sounds = ?, prints = ?, revision = ? "
            "WHERE track_id = ? AND codes = ? AND n_patches = ?"
        )
        new = [_blob(moments.sounds), moments.prints_to_bytes(), self._catalog.revision()]
        values = [*new, track_id, moments.codes.tobytes(), len(moments)]
        return self._catalog.db.execute(sql, values).rowcount > 0

    def _insert(self, moments: Mapping[int, Moments]) -> None:
        sql = (
            "INSERT INTO moments (track_id, first_id, n_patches, revision, codes, sounds, prints) "
            "SELECT id, ?, ?, ?, ?, ?, ? FROM tracks WHERE id = ?"
        )
        revision, next_id, rows = self._catalog.revision(), self.patches.next_id(), []
        for track_id, value in moments.items():
            blobs = [value.codes.tobytes(), _blob(value.sounds), value.prints_to_bytes()]
            rows.append([next_id, len(value), revision, *blobs, track_id])
            next_id += len(value)
        self._catalog.db.conn.executemany(sql, rows)
        self._catalog.set_settings({NEXT_ID: str(next_id)})

    def of(self, ids: Sequence[int]) -> Iterator[tuple[int, Moments]]:
        """Yield the id and the moments of each track that has any, in any order.

        Damaged ones are left out.
        """
        dimension = self._catalog.dimension
        for batch in batches(ids):
            columns = "track_id, codes, sounds, prints"
            sql = select_complete(self._catalog, columns, one_of("track_id", batch))
            with self._catalog.errors():
                for track_id, *blobs in self._catalog.db.execute(sql, batch):
                    with contextlib.suppress(ValueError):
                        yield track_id, Moments.from_bytes(*blobs, dimension=dimension)

    def prints(self) -> Iterator[tuple[int, UInt16]]:
        """Yield the id and the prints of the patches of each track that has any, in any order."""
        columns = "track_id, prints, n_patches"
        sql = select_complete(self._catalog, columns, "prints IS NOT NULL")
        with self._catalog.errors():
            for track_id, blob, n_patches in self._catalog.db.execute(sql):
                with contextlib.suppress(ValueError):
                    yield track_id, prints_from_bytes(blob, n_patches)

    def missing(self) -> list[Track]:
        """Return the tracks without moments or without prints, in ascending order of id."""
        catalog = self._catalog
        if moments_source(catalog):
            return list(catalog.tracks())
        complete = select_complete(catalog, "track_id", "prints IS NOT NULL")
        return list(catalog.tracks_where(f"id NOT IN ({complete})"))

    def damaged(self) -> list[int]:
        """Return the ids of the tracks whose moments are damaged. All moments are read."""
        sql = f"{moments_source(self._catalog)}SELECT track_id FROM moments ORDER BY track_id"
        stored = [row["track_id"] for row in self._catalog.rows(sql)]
        readable = {track_id for track_id, _ in self.of(stored)}
        searchable = set(self.patches.positions().track_ids.tolist())
        return [track_id for track_id in stored if track_id not in readable & searchable]

    def remove_all(self) -> None:
        """Remove the moments of all tracks."""
        with self._catalog.transaction():
            self._catalog.db.execute("DELETE FROM moments")

    def totals(self) -> tuple[int, int, int]:
        """Return the numbers of tracks with moments, of their patches, and of bytes."""
        columns = (
            "count(*) AS tracks, coalesce(sum(n_patches), 0) AS patches, "
            "coalesce(sum(length(codes) + coalesce(length(sounds), 0) "
            "+ coalesce(length(prints), 0)), 0) AS bytes"
        )
        (row,) = self._catalog.rows(select_complete(self._catalog, columns))
        return row["tracks"], row["patches"], row["bytes"]


def _blob(sounds: PatchSounds | None) -> bytes | None:
    return None if sounds is None else sounds.to_bytes()
