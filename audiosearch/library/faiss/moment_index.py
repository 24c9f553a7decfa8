"""FAISS index of the patches of all tracks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.library.faiss.index_config import IndexConfig
from audiosearch.library.faiss.persistent_index import PersistentFaissIndex
from audiosearch.library.neighbors import nearest, no_neighbors, top_k
from audiosearch.library.patch_positions import numbers_of

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.faiss.vector_database import PatchDatabase
    from audiosearch.library.patch_positions import Positions
    from audiosearch.types import Float32, Int64

_FAISS: Any = faiss  # its type stubs lack the classes that SWIG generates

_BUILT = "moments_built"  # setting: number of patches when the index was built
_MAX_GROWTH = 2  # built again if there are more than this many times as many patches
_MAX_FLAT = 200_000  # patches that are all compared
_MAX_LAG = 20_000  # patches added or removed since the index was written that a search copes with
_MAX_BITMAP_IDS = 2**28  # 32 MiB
# The patches found are compared again by their stored vectors: this many for each one requested,
# and at least so many.
_CANDIDATE_FACTOR, _MIN_CANDIDATES = 3, 100
_N_QUERIES, _N_NEIGHBORS = 100, 10  # the searches that are compared with exact ones after a build
_QUERY_SHARE = 0.7  # of a patch in such a query; the rest is another patch
_TARGET_RECALL = 0.97  # 0.95 with a margin
_MIN_NPROBE = 32
_PRODUCT_TOLERANCE = 1e-5  # inner products that differ by at most this count as equal


class MomentIndex(PersistentFaissIndex):
    """The patches of all tracks, at 8 bits a number.

    The type is chosen by the number of patches when the index is built.

    Parameters
    ----------
    patches : PatchDatabase
    directory : Path
        Folder of the file.
    """

    _database: PatchDatabase

    def __init__(self, patches: PatchDatabase, directory: Path) -> None:
        super().__init__(patches, directory, "moments")

    def build(self) -> None:
        """Index all patches, and choose the width of searches."""
        with self._database.snapshot():
            self.config = config_for(len(self._database.vector_ids()))
            super().build()
            if self.config.nlist:
                self._choose_nprobe()

    def build_settings(self) -> dict[str, str]:
        """Return the setting with the number of patches in the index."""
        return {_BUILT: str(self.n_tracks)}

    def _must_rebuild(self, n_outdated: int) -> bool:
        text = self._database.settings().get(_BUILT, "")
        n_built = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
        n_patches = self._database.count()
        return n_patches > _MAX_GROWTH * n_built or super()._must_rebuild(n_outdated)

    def refresh(self, *, is_lag_allowed: bool = True) -> None:
        """Bring the index up to date with the database, and write the file if possible.

        Parameters
        ----------
        is_lag_allowed : bool
            Do nothing if few patches were added or removed since. A search leaves out those that
            were removed; compare those that were added by their stored vectors.
        """
        if not (is_lag_allowed and self._is_near()):
            super().refresh()

    def _is_near(self) -> bool:
        if self.faiss is None:
            return False
        before, now = numbers_of(self.revision), numbers_of(self._database.revision())
        n_added, n_removed = now[0] - before[0], now[1] - before[1]
        return min(n_added, n_removed) >= 0 and n_added + n_removed <= _MAX_LAG

    @property
    def next_id(self) -> int:
        """Smallest id of the patches that were added since the index was brought up to date."""
        return numbers_of(self.revision)[0]

    def search_patches(
        self, vectors: Float32, k: int, positions: Positions
    ) -> list[tuple[Int64, Float32]]:
        """Return, for each vector, the ids of the k nearest patches and their products, best first.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
        k : int
        positions : Positions
            Patches that may be found, all with ids below `next_id`.
        """
        self._check_dimension(vectors)
        if not k or not positions.total:
            return [no_neighbors()] * len(vectors)
        n_candidates = min(max(_CANDIDATE_FACTOR * k, _MIN_CANDIDATES), positions.total)
        selector = None if positions.total == self.n_tracks else _Selector(positions)
        width_factor = self.n_tracks / positions.total
        found = self._nearest(vectors, n_candidates, width_factor, selector)
        return self._rerank_all(vectors, [ids for ids, _ in found], k)

    def _rerank_all(
        self, vectors: Float32, candidates: list[Int64], k: int
    ) -> list[tuple[Int64, Float32]]:
        """Return, for each vector, the k nearest candidates, compared by their stored vectors."""
        ids = np.unique(np.concatenate(candidates))
        is_found, stored = self._database.found_vectors(ids)
        results = []
        for vector, own in zip(vectors, candidates, strict=True):
            rows = np.searchsorted(ids, own)
            rows = rows[is_found[rows]]
            results.append(top_k(ids[rows], stored[rows] @ vector, k))
        return results

    def _nearest(
        self, vectors: Float32, k: int, width_factor: float, selector: _Selector | None
    ) -> list[tuple[Int64, Float32]]:
        """Search, and search wider for fewer than k neighbors, in the end in all lists."""
        parameters = self.config.search_parameters(
            width_factor=width_factor, selector=selector and selector.faiss
        )
        products, ids = self.faiss.search(np.ascontiguousarray(vectors), k, params=parameters)
        results = [(ids[n, row], products[n, row]) for n, row in enumerate(ids != -1)]
        if self.config.nprobe * width_factor >= self.config.nlist:
            return results
        return [
            result
            if len(result[0]) == k
            else self._nearest(vectors[n : n + 1], k, 4 * width_factor, selector)[0]
            for n, result in enumerate(results)
        ]

    def _choose_nprobe(self) -> None:
        """Widen searches until they find enough of the nearest patches."""
        database, positions = self._database, self._database.positions()
        rng = np.random.default_rng(0)
        ids = database.vector_ids()
        rows = rng.choice(len(ids), size=(2, _N_QUERIES))
        queries = _QUERY_SHARE * database.vectors_of(ids[rows[0]])
        queries += (1 - _QUERY_SHARE) * database.vectors_of(ids[rows[1]])
        best = nearest(queries, database.vector_blocks(), _N_NEIGHBORS)
        min_products = [products[-1] - _PRODUCT_TOLERANCE for _, products in best]
        while True:
            found = self.search_patches(queries, _N_NEIGHBORS, positions)
            hits = [
                np.count_nonzero(products >= min_product)
                for (_, products), min_product in zip(found, min_products, strict=True)
            ]
            width = 2 * self.config.nprobe
            if sum(hits) >= _TARGET_RECALL * _N_NEIGHBORS * len(queries) or (
                width > self.config.nlist
            ):
                return
            self.config = self.config.with_search_width(width)


class _Selector:
    """Allow-list of patches, as a FAISS object.

    Parameters
    ----------
    positions : Positions

    Attributes
    ----------
    faiss : faiss.IDSelector
    """

    def __init__(self, positions: Positions) -> None:
        if positions.next_id <= _MAX_BITMAP_IDS:
            self._ids = positions.bitmap()  # FAISS refers to it
            self.faiss: Any = _FAISS.IDSelectorBitmap(self._ids)
        else:
            self.faiss = faiss.IDSelectorBatch(positions.ids())


def config_for(n_patches: int) -> IndexConfig:
    """Return the type of the index for a number of patches."""
    if n_patches <= _MAX_FLAT:
        return IndexConfig("flat-sq8")
    return IndexConfig("ivf-sq8", 2 ** round(math.log2(math.sqrt(n_patches))), _MIN_NPROBE)
