"""Moments of tracks, in the database of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.library.neighbors import PatchNeighbors
from audiosearch.library.sqlite.vector_table import batches
from audiosearch.models.moments import Moments, PatchSounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.track import Track
    from audiosearch.types import Float32, Int64

_NEXT_ID = "next_patch_id"  # setting: the smallest id that no patch has had


class MomentTable:
    """The table of moments; it implements `MomentStorage`.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def put(self, moments: Mapping[int, Moments | None]) -> None:
        """Store the moments of tracks by id, in place of their former ones; None removes those."""
        catalog = self._catalog
        with catalog.transaction():
            revision = catalog.next_revision()
            for track_id, value in moments.items():
                catalog.db.execute("DELETE FROM moments WHERE track_id = ?", [track_id])
                if value is not None:
                    self._insert(track_id, value, revision)

    def _insert(self, track_id: int, moments: Moments, revision: int) -> None:
        catalog = self._catalog
        first_id = int(catalog.settings().get(_NEXT_ID, "0"))
        sounds = None if moments.sounds is None else moments.sounds.to_bytes()
        sql = (
            "INSERT INTO moments (track_id, first_id, n_patches, revision, codes, sounds) "
            "SELECT id, ?, ?, ?, ?, ? FROM tracks WHERE id = ?"
        )
        row = [first_id, len(moments), revision, moments.codes.tobytes(), sounds, track_id]
        catalog.db.execute(sql, row)
        catalog.set_settings({_NEXT_ID: str(first_id + len(moments))})

    def of(self, ids: Sequence[int]) -> Iterator[tuple[int, Moments]]:
        """Yield the id and the moments of each track that has any, in any order."""
        for batch in batches(ids):
            marks = ", ".join("?" * len(batch))
            sql = f"SELECT track_id, codes, sounds FROM moments WHERE track_id IN ({marks})"
            for row in self._catalog.rows(sql, batch):
                codes = np.frombuffer(row["codes"], np.int8).reshape(-1, self._catalog.dimension)
                sounds = row["sounds"]
                yield (
                    row["track_id"],
                    Moments(
                        codes,
                        None if sounds is None else PatchSounds.from_bytes(sounds, len(codes)),
                    ),
                )

    def missing(self) -> list[Track]:
        """Return the tracks without moments, in ascending order of id."""
        return list(self._catalog.tracks_where("id NOT IN (SELECT track_id FROM moments)"))

    def remove_all(self) -> None:
        """Remove the moments of all tracks."""
        with self._catalog.transaction():
            self._catalog.db.execute("DELETE FROM moments")

    def totals(self) -> tuple[int, int, int]:
        """Return the numbers of tracks with moments, of their patches, and of bytes."""
        sql = (
            "SELECT count(*) AS tracks, coalesce(sum(n_patches), 0) AS patches, "
            "coalesce(sum(length(codes) + coalesce(length(sounds), 0)), 0) AS bytes FROM moments"
        )
        (row,) = self._catalog.rows(sql)
        return row["tracks"], row["patches"], row["bytes"]

    def search(self, vectors: Float32, k: int, *, ids: Int64 | None = None) -> list[PatchNeighbors]:
        """Return, for each vector, the k patches nearest to it, best first."""
        if ids is None:
            ids = self._catalog.vector_ids()
        found = list(self.of(ids.tolist()))
        counts = [len(moments) for _, moments in found]
        track_ids = np.repeat([track_id for track_id, _ in found], counts)
        patches = np.concatenate([np.arange(n) for n in [*counts, 0]])
        everything = [moments.vectors() for _, moments in found]
        matrix = np.concatenate([*everything, np.empty((0, vectors.shape[1]), np.float32)])
        results = []
        for products in vectors @ matrix.T:
            best = np.argsort(-products, kind="stable")[:k]
            results.append(PatchNeighbors(track_ids[best], patches[best], products[best]))
        return results

    def sync(self) -> None:
        """Do nothing."""

    def file_bytes(self) -> int | None:
        """Return None."""
        return None

    def problem(self) -> str | None:
        """Return None."""
        return None

    def delete_file(self) -> None:
        """Do nothing."""
