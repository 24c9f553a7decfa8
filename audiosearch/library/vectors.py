"""FAISS, searching the catalog's vectors: derived, kept in a file, rebuilt when in doubt."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import faiss
import numpy as np

from audiosearch.errors import IndexUnwritable
from audiosearch.library.search_file import FILE_NAME, SearchFile, Untrusted
from audiosearch.params import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.library.catalog import Catalog
    from audiosearch.params import Float32

log = logging.getLogger(__name__)


class VectorSearch:
    """Exact inner-product search over a catalog's vectors.

    Parameters
    ----------
    catalog : Catalog
        The truth; what the file holds is brought up to date with it.
    path : Path
        Where the derived index is kept.
    """

    def __init__(self, catalog: Catalog, path: Path) -> None:
        self._catalog = catalog
        self._file = SearchFile(catalog, path)
        try:
            self._faiss, self._revision = self._file.read()
        except Untrusted as exc:
            if exc.args:
                log.warning("%s %s; it is rebuilt from the database.", path, exc)
            self._faiss, self._revision = faiss.IndexIDMap2(faiss.IndexFlatIP(EMBEDDING_SIZE)), 0
        self.refresh()

    def refresh(self) -> None:
        """Catch up with the catalog, and keep the result where its folder can be written."""
        if self._revision == self._catalog.revision():
            return
        changes = self._catalog.changes_since(self._revision)
        held = faiss.vector_to_array(self._faiss.id_map) if self._faiss.ntotal else changes.ids[:0]
        outdated = np.concatenate([np.setdiff1d(held, changes.ids), changes.new_ids])
        if len(outdated) and len(held):
            self._faiss.remove_ids(faiss.IDSelectorBatch(outdated))
        if len(changes.new_ids):
            self._faiss.add_with_ids(changes.new_vectors, changes.new_ids)
        self._revision = changes.revision
        # Derived: on a full or read-only disk it costs only the time to do it again.
        with contextlib.suppress(OSError, IndexUnwritable):
            self._file.write(self._faiss, self._revision)

    def nearest(
        self, vector: Float32, k: int, *, exclude: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """Return the ids of the nearest vectors with their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (128,)
            Of unit length, so that inner products are cosines.
        k : int
            How many; fewer where the index holds fewer.
        exclude : sequence of int
            Ids to leave out.
        """
        parameters = None
        if exclude:
            unwanted = faiss.IDSelectorBatch(np.array(exclude, dtype=np.int64))
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorNot(unwanted))  # type: ignore[call-arg]
        k = min(k, self._faiss.ntotal)
        if not k:
            return []
        similarities, ids = self._faiss.search(vector[np.newaxis], k, params=parameters)
        found = zip(ids[0].tolist(), similarities[0].tolist(), strict=True)
        return [(i, float(np.clip(s, -1.0, 1.0))) for i, s in found if i != -1]


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
