"""Moments of tracks, in the database of an index."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from audiosearch.library.sqlite.patch_table import (
    IS_COMPLETE,
    NEXT_ID,
    PatchTable,
    moments_source,
)
from audiosearch.library.sqlite.vector_table import batches
from audiosearch.models.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.track import Track
    from audiosearch.models.moments import PatchSounds


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
            next_id = self.patches.next_id()
            for track_id, value in moments.items():
                if value is None or not self._put_sounds(track_id, value):
                    sql = "DELETE FROM moments WHERE track_id = ?"
                    self._catalog.db.execute(sql, [track_id])
                    if value is not None:
                        self._insert(track_id, value, next_id)
                        next_id += len(value)
            self._catalog.set_settings({NEXT_ID: str(next_id)})

    def _put_sounds(self, track_id: int, moments: Moments) -> bool:
        """Store only the sounds, if the same patches are stored. Return whether they are."""
        sql = (
            "UPDATE moments SET sounds = ?, revision = ? "
            "WHERE track_id = ? AND codes = ? AND n_patches = ?"
        )
        new = [_blob(moments.sounds), self._catalog.revision()]
        values = [*new, track_id, moments.codes.tobytes(), len(moments)]
        return self._catalog.db.execute(sql, values).rowcount > 0

    def _insert(self, track_id: int, moments: Moments, first_id: int) -> None:
        catalog = self._catalog
        sql = (
            "INSERT INTO moments (track_id, first_id, n_patches, revision, codes, sounds) "
            "SELECT id, ?, ?, ?, ?, ? FROM tracks WHERE id = ?"
        )
        blobs = [moments.codes.tobytes(), _blob(moments.sounds)]
        row = [first_id, len(moments), catalog.revision(), *blobs, track_id]
        catalog.db.execute(sql, row)

    def of(self, ids: Sequence[int]) -> Iterator[tuple[int, Moments]]:
        """Yield the id and the moments of each track that has any, in any order.

        Damaged ones are left out.
        """
        dimension = self._catalog.dimension
        for batch in batches(ids):
            marks = ", ".join("?" * len(batch))
            sql = (
                f"{moments_source(self._catalog)}SELECT track_id, codes, sounds FROM moments "
                f"WHERE track_id IN ({marks}) AND {IS_COMPLETE.format(dimension=dimension)}"
            )
            with self._catalog.errors():
                for track_id, blob, sounds in self._catalog.db.execute(sql, batch):
                    with contextlib.suppress(ValueError):
                        yield track_id, Moments.from_bytes(blob, sounds, dimension)

    def missing(self) -> list[Track]:
        """Return the tracks without moments, in ascending order of id."""
        catalog = self._catalog
        if moments_source(catalog):
            return list(catalog.tracks())
        condition = IS_COMPLETE.format(dimension=catalog.dimension)
        complete = f"SELECT track_id FROM moments WHERE {condition}"
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
        condition = IS_COMPLETE.format(dimension=self._catalog.dimension)
        sql = (
            f"{moments_source(self._catalog)}SELECT count(*) AS tracks, "
            "coalesce(sum(n_patches), 0) AS patches, "
            "coalesce(sum(length(codes) + coalesce(length(sounds), 0)), 0) AS bytes "
            f"FROM moments WHERE {condition}"
        )
        (row,) = self._catalog.rows(sql)
        return row["tracks"], row["patches"], row["bytes"]


def _blob(sounds: PatchSounds | None) -> bytes | None:
    return None if sounds is None else sounds.to_bytes()
