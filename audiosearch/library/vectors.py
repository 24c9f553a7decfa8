"""FAISS, searching the catalog's vectors: derived, kept in a file, rebuilt when in doubt."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.errors import IndexUnwritable, LibraryError
from audiosearch.library.search_file import FILE_NAME, SearchFile, Untrusted
from audiosearch.library.whitening import LEAST_TRACKS, transformed, whitened_index
from audiosearch.params import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.library.catalog import Catalog
    from audiosearch.library.records import VectorChanges
    from audiosearch.params import Float32, Int64

WHITENED_FILE_NAME = "whitened.faiss"

# From so many queries on, a matrix product is faster than one query after the other, though not
# by FAISS's own reckoning: its constant is in numbers of float, not of vectors.
_LEAST_BY_MATRIX = 8
faiss.cvar.distance_compute_blas_threshold = _LEAST_BY_MATRIX * EMBEDDING_SIZE

# A transform is fitted anew when the library has so many times the tracks that it had.
_GROWTH = 1.25
_FITTED = "whitened_tracks"  # the setting that tells how many it had

log = logging.getLogger(__name__)


class VectorSearch:
    """Exact inner-product search over a catalog's vectors, as they are or whitened.

    Parameters
    ----------
    catalog : Catalog
        The truth; what the file holds is brought up to date with it.
    directory : Path
        Where the derived index is kept.
    whiten : bool
        Search in a space that was fitted to the catalog, where the vectors crowd less.

    Raises
    ------
    LibraryError
        Where there are too few tracks to fit one.
    """

    def __init__(self, catalog: Catalog, directory: Path, *, whiten: bool = False) -> None:
        self._catalog = catalog
        self._whiten = whiten
        path = directory / (WHITENED_FILE_NAME if whiten else FILE_NAME)
        self._file = SearchFile(catalog, path)
        self._faiss: Any = None
        self._revision = 0
        try:
            self._faiss, self._revision = self._file.read()
        except Untrusted as exc:
            if exc.args:
                log.warning("%s %s; it is rebuilt from the database.", path, exc)
        self.refresh()

    def refresh(self) -> None:
        """Catch up with the catalog, and keep the result where its folder can be written."""
        if self._faiss is not None and self._revision == self._catalog.revision():
            return
        changes = self._catalog.changes_since(self._revision)
        settings = {}
        if self._faiss is None or (self._whiten and not self._still_fits(len(changes.ids))):
            changes = self._catalog.changes_since(0)
            self._faiss = self._empty(changes.new_vectors)
            settings[_FITTED] = str(len(changes.ids))
        self._take(changes)
        # Derived: on a full or read-only disk it costs only the time to do it again.
        with contextlib.suppress(OSError, IndexUnwritable):
            self._file.write(self._faiss, self._revision)
            if self._whiten and settings:
                self._catalog.set_settings(settings)

    def _still_fits(self, n_tracks: int) -> bool:
        fitted = int(self._catalog.settings().get(_FITTED, 0))
        return fitted / _GROWTH <= n_tracks <= fitted * _GROWTH

    def _empty(self, vectors: Float32) -> Any:
        if not self._whiten:
            return faiss.IndexIDMap2(faiss.IndexFlatIP(EMBEDDING_SIZE))
        if len(vectors) < LEAST_TRACKS:
            raise LibraryError(
                f"{len(vectors)} tracks are too few to whiten: how they spread is not known well.",
                hint=f"From {LEAST_TRACKS} on it can be done; do not whiten until then.",
            )
        return whitened_index(vectors)

    def _take(self, changes: VectorChanges) -> None:
        held = self.ids
        outdated = np.concatenate([np.setdiff1d(held, changes.ids), changes.new_ids])
        if len(outdated) and len(held):
            self._faiss.remove_ids(faiss.IDSelectorBatch(outdated))
        if len(changes.new_ids):
            self._faiss.add_with_ids(changes.new_vectors, changes.new_ids)
        self._revision = changes.revision

    @property
    def _exact(self) -> Any:
        """The index of the vectors as they are compared, behind any transform."""
        return faiss.downcast_index(self._faiss.index) if self._whiten else self._faiss

    @property
    def ids(self) -> Int64:
        """The ids of all tracks, in the order of `vectors`: int64, shape (n,)."""
        exact = self._exact
        return faiss.vector_to_array(exact.id_map) if exact.ntotal else np.empty(0, dtype=np.int64)

    @property
    def vectors(self) -> Float32:
        """The vectors of all tracks, as they are compared: float32, shape (n, 128)."""
        inner = faiss.downcast_index(self._exact.index)
        found: Float32 = inner.reconstruct_n(0, inner.ntotal)
        return found

    def compared(self, vectors: Float32) -> Float32:
        """Return vectors as they are compared: (n, 128) as (n, 128), of unit length."""
        return transformed(self._faiss, vectors) if self._whiten else vectors

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, as they are compared: float32, shape (n, 128)."""
        found: Float32 = self._exact.reconstruct_batch(ids)
        return found

    def nearest(
        self,
        vector: Float32,
        k: int,
        *,
        among: Int64 | None = None,
        without: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors, and their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (128,)
            As vectors are compared: see `compared`.
        k : int
            How many; fewer where there are fewer.
        among : ndarray of int64, optional
            The ids of those that may be found; all of them unless given.
        without : sequence of int
            The ids of those that may not.
        """
        if among is None:
            (found,) = self.nearest_to_each(vector[np.newaxis], [k], [without])
            return found
        among = np.setdiff1d(among, without)
        k = min(k, len(among))
        if not k:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        parameters = faiss.SearchParameters(sel=faiss.IDSelectorBatch(among))  # type: ignore[call-arg]
        products, ids = self._exact.search(vector[np.newaxis], k, params=parameters)
        found = ids[0] != -1
        return ids[0][found], products[0][found]

    def nearest_to_each(
        self, vectors: Float32, ks: Sequence[int], without: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector what `nearest` returns: found together, much sooner.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, 128)
        ks : sequence of int
            How many for each.
        without : sequence of sequence of int
            The ids of those that may not be found for each.
        """
        most = max(k + len(unwanted) for k, unwanted in zip(ks, without, strict=True))
        most = min(most, self._exact.ntotal)
        if not most:
            return [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))] * len(ks)
        products, ids = self._exact.search(vectors, most)
        wanted = [
            np.flatnonzero((row != -1) & ~np.isin(row, unwanted))[:k]
            for row, k, unwanted in zip(ids, ks, without, strict=True)
        ]
        return [(ids[n, places], products[n, places]) for n, places in enumerate(wanted)]


def problem(catalog: Catalog, directory: Path) -> str | None:
    """Return what is wrong with the file for searching; None where it is in step.

    A file that is behind the catalog is not wrong: it catches up with the next search.
    """
    try:
        index, revision = SearchFile(catalog, directory / FILE_NAME).read()
    except Untrusted as exc:
        return str(exc) or ("it was never written" if catalog.totals()[0] else None)
    changes = catalog.changes_since(0)
    if revision != changes.revision:
        return None
    held = faiss.vector_to_array(index.id_map) if index.ntotal else changes.ids[:0]
    order = np.argsort(held)
    if not np.array_equal(held[order], changes.ids):
        return "holds other tracks than the database"
    vectors = index.index.reconstruct_n(0, index.ntotal) if index.ntotal else changes.new_vectors
    if not np.array_equal(vectors[order], changes.new_vectors):
        return "holds other vectors than the database"
    return None
