"""Moments of an index in a folder: stored in its database, searched by FAISS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.library.faiss.vector_index import MOMENTS_FILE, delete_file
from audiosearch.library.neighbors import PatchNeighbors, merged, nearest
from audiosearch.library.sqlite.moment_table import MomentTable

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.faiss.moment_index import MomentIndex
    from audiosearch.library.patch_positions import Positions
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import Float32, Int64

_MAX_EXHAUSTIVE = 20_000  # if no more patches are allowed, all are compared by their stored vectors


class FolderMoments(MomentTable):
    """Moments in the database of a folder, with their FAISS index; it implements `MomentStorage`.

    Parameters
    ----------
    catalog : Catalog
    directory : Path
        Folder of the FAISS file.
    """

    def __init__(self, catalog: Catalog, directory: Path) -> None:
        super().__init__(catalog)
        self._directory = directory
        self._index: MomentIndex | None = None

    def remove_all(self) -> None:
        """Remove the moments of all tracks, and the FAISS file."""
        from audiosearch.library.faiss.index_file import token_setting

        with self._catalog.transaction():
            super().remove_all()
            self._catalog.set_settings({token_setting(self._directory / MOMENTS_FILE): ""})
            self.delete_file()

    def search(self, vectors: Float32, k: int, *, ids: Int64 | None = None) -> list[PatchNeighbors]:
        """Return the k patches nearest to each vector: see `MomentStorage.search`."""
        positions = self.patches.positions()
        if ids is not None and (allowed := positions.of(ids)).total <= _MAX_EXHAUSTIVE:
            blocks = self.patches.blocks_of(allowed.track_ids)
            return [_located(result, positions) for result in nearest(vectors, blocks, k)]
        if not positions.total:
            return [_located(result, positions) for result in nearest(vectors, [], k)]
        index = self._current_index()
        positions = self.patches.positions()
        allowed = positions if ids is None else positions.of(ids)
        indexed, added = allowed.split(index.next_id)
        results = zip(
            index.search_patches(vectors, k, indexed),
            nearest(vectors, self.patches.blocks_of(added.track_ids), k),
            strict=True,
        )
        return [_located(merged(*result, k), positions) for result in results]

    def _current_index(self) -> MomentIndex:
        """Return the FAISS index, up to date or nearly so."""
        from audiosearch.library.faiss.moment_index import MomentIndex

        if self._index is None:
            self._index = MomentIndex(self.patches, self._directory)
        else:
            self._index.refresh()
        return self._index

    def sync(self) -> None:
        """Bring the FAISS index of the patches up to date, so that the next search is fast."""
        if self.patches.count():
            self._current_index().refresh(is_lag_allowed=False)

    def file_bytes(self) -> int:
        """Return the size of the FAISS file of the patches, in bytes."""
        path = self._directory / MOMENTS_FILE
        return path.stat().st_size if path.exists() else 0

    def problem(self) -> str | None:
        """Return the problem with the FAISS file, as a phrase; None if there is none."""
        from audiosearch.library.faiss.persistent_index import file_problem

        return file_problem(self.patches, self._directory, "moments")

    def delete_file(self) -> None:
        """Delete the FAISS file of the patches, if there is one. The next search rebuilds it."""
        self._index = None
        delete_file(self._directory / MOMENTS_FILE)


def _located(neighbors: tuple[Int64, Float32], positions: Positions) -> PatchNeighbors:
    """Return neighbors by their track and patch. Removed patches are left out."""
    ids, products = neighbors
    rows, patches = positions.locate(ids)
    kept = rows >= 0
    return PatchNeighbors(positions.track_ids[rows[kept]], patches[kept], products[kept])
