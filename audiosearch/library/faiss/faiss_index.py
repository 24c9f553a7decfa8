"""Vectors in an arrangement of FAISS's: built from a catalog, brought up to date, and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.errors import TrackNotFound
from audiosearch.library.faiss.index_config import FLAT, held_ids
from audiosearch.library.faiss.vector_index import drop_excluded
from audiosearch.library.faiss.whitening import check_enough, transformed, whitened_index
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import Float32, Int64

# From so many queries on, a matrix product is faster than one query after the other, though not
# by FAISS's own reckoning: its constant is in numbers of float, not of vectors.
_LEAST_BY_MATRIX = 8
faiss.cvar.distance_compute_blas_threshold = _LEAST_BY_MATRIX * EMBEDDING_SIZE

FITTED = "whitened_tracks"  # the setting that tells how many tracks a transform was fitted to

_FEW = 10_000  # tracks: they are compared one and all, in whatever arrangement
_FITTING_SAMPLES = 262_144
_MARGIN = 4  # times as many are found by their codes as are wanted
_MOST_NODES = 1_024  # of a graph that a search keeps in view, before it looks at everything


class FaissIndex:
    """A catalog's vectors, as they are or whitened, to be searched by inner product.

    Parameters
    ----------
    catalog : Catalog
        Which has the vectors; all of them stay the same while one of these is built.
    arrangement : IndexConfig
    whiten : bool
        Search in a space that was fitted to the catalog, where the vectors crowd less.

    Attributes
    ----------
    arrangement : IndexConfig
        Its effort may be changed at any time.
    faiss : faiss.Index or None
        None until it is built.
    is_whitened : bool
    revision : int
        The catalog's, that it is up to date with.
    """

    def __init__(self, catalog: Catalog, arrangement: IndexConfig, *, whiten: bool = False) -> None:
        self.arrangement = arrangement
        self.faiss: Any = None
        self.revision = 0
        self._catalog = catalog
        self.is_whitened = whiten

    def build(self) -> None:
        """Arrange all vectors anew: flat, where they are too few for what was asked for.

        Raises
        ------
        LibraryError
            Where there are too few to whiten.
        """
        with self._catalog.snapshot():
            self._build(self._catalog.vector_ids())
            self.revision = self._catalog.revision()

    def _build(self, ids: Int64) -> None:
        if self.is_whitened:
            check_enough(len(ids))
        n_samples = max(_FITTING_SAMPLES if self.is_whitened else 0, self.arrangement.n_samples)
        chosen = np.random.default_rng(0).permutation(len(ids))[:n_samples]
        sample = self._catalog.vectors_of(ids[np.sort(chosen)])
        if len(ids) < self.arrangement.least_vectors:
            self.arrangement = FLAT
        trained = self.arrangement.trained
        self.faiss = whitened_index(sample, trained) if self.is_whitened else trained(sample)
        for some, vectors in self._catalog.vector_blocks():
            self.faiss.add_with_ids(vectors, some)

    def fitted(self) -> dict[str, str]:
        """Return the setting that tells what a transform was fitted to, once it is built."""
        return {FITTED: str(self.n_tracks)} if self.is_whitened else {}

    def outdated(self) -> Int64:
        """Return the ids of the vectors held that are others now, or gone."""
        held = held_ids(self._inner)
        gone = np.setdiff1d(held, self._catalog.vector_ids())
        changed = self._catalog.changed_since(self.revision)
        return np.concatenate([gone, np.intersect1d(held, changed)])

    def follow(self) -> None:
        """Take in what has changed in the catalog."""
        with self._catalog.snapshot():
            outdated = self.outdated()
            if len(outdated):
                self.faiss.remove_ids(faiss.IDSelectorBatch(outdated))
            for ids, vectors in self._catalog.vector_blocks(self.revision):
                self.faiss.add_with_ids(vectors, ids)
            self.revision = self._catalog.revision()

    @property
    def _inner(self) -> Any:
        """The index of the vectors as they are compared, behind any transform."""
        return faiss.downcast_index(self.faiss.index) if self.is_whitened else self.faiss

    @property
    def _is_flat(self) -> bool:
        return self.arrangement.kind == "flat"

    @property
    def max_k(self) -> None:
        """All can be found at a time."""

    @property
    def n_tracks(self) -> int:
        """How many tracks can be found."""
        return int(self._inner.ntotal)

    @property
    def ids(self) -> Int64:
        """The ids of all tracks, in no order: int64, shape (n,)."""
        return held_ids(self._inner)

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as they are compared: (n, 128) as (n, 128), of unit length."""
        return transformed(self.faiss, vectors) if self.is_whitened else vectors

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, as they are compared: float32, shape (n, 128)."""
        if not self._is_flat:
            return self.transform(self._catalog.vectors_of(ids))
        found: Float32 = self._inner.reconstruct_batch(ids)
        return found

    def range_search(self, vector: Float32, least: float) -> Int64:
        """Return the ids of all vectors whose inner product with one is at least so much."""
        if self._is_flat:
            return self.ids[self.vectors_of(self.ids) @ vector >= least]
        near = [
            ids[self.transform(vectors) @ vector >= least]
            for ids, vectors in self._catalog.vector_blocks()
        ]
        return np.concatenate([np.empty(0, dtype=np.int64), *near])

    def search(
        self,
        vector: Float32,
        k: int,
        *,
        candidates: Int64 | None = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors, as of `VectorIndex`: among some ids, where given."""
        if candidates is None:
            (found,) = self.search_batch(vector[np.newaxis], [k], [exclude_ids])
            return found
        candidates = np.setdiff1d(candidates, exclude_ids)
        if not self._is_flat and len(candidates) <= _FEW:
            return self._best(vector, candidates, k)
        times = self.n_tracks / max(1, len(candidates))
        (found,) = self._search(vector[np.newaxis], min(k, len(candidates)), times, candidates)
        return found[0][:k], found[1][:k]

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector what `search` returns, as of `VectorIndex`."""
        most = max(k + len(unwanted) for k, unwanted in zip(ks, exclude_ids, strict=True))
        found = self._search(vectors, min(most, self.n_tracks))
        return [
            drop_excluded(*one, k, unwanted)
            for one, k, unwanted in zip(found, ks, exclude_ids, strict=True)
        ]

    def _search(
        self, vectors: Float32, k: int, times: float = 1.0, candidates: Int64 | None = None
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector the nearest `k` ids or more, and their products, best first."""
        if not k:
            return [_nothing()] * len(vectors)
        is_coded = self.arrangement.kind == "ivf-pq"
        n_found = max(self.arrangement.n_candidates, _MARGIN * k) if is_coded else k
        selector = None if candidates is None else faiss.IDSelectorBatch(candidates)
        parameters = self.arrangement.parameters(times=times, selector=selector)
        products, ids = self._inner.search(vectors, min(n_found, self.n_tracks), params=parameters)
        found = [(ids[n, row], products[n, row]) for n, row in enumerate(ids != -1)]
        if is_coded:
            found = [self._best(vectors[n], some, k) for n, (some, _) in enumerate(found)]
        if self._is_flat:
            return found
        return [
            one if len(one[0]) >= k else self._more(vectors[n], k, times, candidates)
            for n, one in enumerate(found)
        ]

    def _more(
        self, vector: Float32, k: int, times: float, candidates: Int64 | None
    ) -> tuple[Int64, Float32]:
        """Look at more, for what was looked at holds fewer than `k`; in the end, at everything."""
        if self.arrangement.effort * times < (self.arrangement.n_lists or _MOST_NODES):
            (found,) = self._search(vector[np.newaxis], k, 4 * times, candidates)
            return found
        best, best_products = _nothing()
        for ids, vectors in self._catalog.vector_blocks():
            products = self.transform(vectors) @ vector
            allowed = slice(None) if candidates is None else np.isin(ids, candidates)
            some = np.concatenate([best, ids[allowed]])
            of_some = np.concatenate([best_products, products[allowed]])
            order = np.lexsort((some, -of_some))[:k]
            best, best_products = some[order], of_some[order]
        return best, best_products

    def _best(self, vector: Float32, ids: Int64, k: int) -> tuple[Int64, Float32]:
        """Return those of some ids that are nearest, compared by their vectors, best first."""
        try:
            products = self.vectors_of(ids) @ vector
        except TrackNotFound:  # another process has just removed one
            ids = np.intersect1d(ids, self._catalog.vector_ids())
            products = self.vectors_of(ids) @ vector
        order = np.lexsort((ids, -products))[:k]
        return ids[order], products[order]


def _nothing() -> tuple[Int64, Float32]:
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
