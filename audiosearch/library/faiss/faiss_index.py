"""A FAISS index of all vectors in the database: build, update and search it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.errors import ModelMismatch, TrackNotFound
from audiosearch.library.faiss.candidates import FaissCandidates
from audiosearch.library.faiss.index_config import FLAT, held_ids
from audiosearch.library.faiss.inverted_lists import ListFiller
from audiosearch.library.faiss.threads import max_threads, search
from audiosearch.library.faiss.whitening import (
    check_enough_tracks,
    max_fitting_samples,
    transformed,
    whitened_index,
)
from audiosearch.library.neighbors import drop_excluded, merged, no_neighbors, top_k
from audiosearch.library.track import removed_track_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.library.faiss.vector_database import VectorDatabase
    from audiosearch.types import Float32, Int64

WHITENED_TRACKS = "whitened_tracks"  # setting: number of tracks that the transform was fitted to

_MAX_EXHAUSTIVE = 10_000  # if no more tracks are allowed, all are compared, for any index type
_MAX_RANGE_GROWTH = (
    1.01  # a range search stops if twice the width finds at most this many times more
)
_BLOCK_CODES = 1_000  # after so many codes in order without one in range, the others aren't read
# To find up to _MAX_NEAREST tracks near a center, this many times as many are tried first.
_MAX_NEAREST, _NEAREST_FACTOR = 1_000, 4
_CODE_FACTOR = 4  # codes that are found and compared again, for each neighbor requested
_MAX_EF_SEARCH = 1_024  # if a search would need more, all vectors are compared instead


class FaissIndex:
    """All vectors of a database, plain or whitened, searched by inner product.

    Parameters
    ----------
    database : VectorDatabase
        Its vectors must not change during `build`.
    config : IndexConfig
    whiten : bool
        Search whitened vectors: see `audiosearch.library.faiss.whitening`.

    Attributes
    ----------
    config : IndexConfig
        Its ``nprobe``, ``ef_search`` and ``n_candidates`` may be changed at any time.
    faiss : faiss.Index or None
        None before `build`.
    is_whitened : bool
    revision : int
        Revision of the database that the index is up to date with.
    """

    def __init__(
        self, database: VectorDatabase, config: IndexConfig, *, whiten: bool = False
    ) -> None:
        self.config = config
        self.faiss: Any = None
        self.revision = 0
        self.is_whitened = whiten
        self._database = database

    def build(self) -> None:
        """Index all vectors. Use the type "flat" if there are too few to train the configured type.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        """
        with self._database.snapshot():
            self._build(self._database.vector_ids(), self._database.dimension)
            self.revision = self._database.revision()

    def _build(self, ids: Int64, dimension: int) -> None:
        self.faiss = self._trained(ids, dimension)
        add = ListFiller(self._inner).add if self.config.nlist else self._inner.add_with_ids
        for block_ids, vectors in self._database.vector_blocks():
            add(self.transform(vectors), block_ids)
        self.faiss.ntotal = self._inner.ntotal

    def _trained(self, ids: Int64, dimension: int) -> Any:
        """Return an empty FAISS index, trained on a sample of the vectors."""
        n_samples = self.config.n_training_vectors
        if self.is_whitened:
            check_enough_tracks(len(ids), dimension)
            n_samples = max(n_samples, max_fitting_samples(dimension))
        rows = np.random.default_rng(0).permutation(len(ids))[:n_samples]
        sample = self._database.vectors_of(ids[np.sort(rows)])
        if len(ids) < self.config.min_training_vectors:
            self.config = FLAT
        trained_index = self.config.trained_index
        return whitened_index(sample, trained_index) if self.is_whitened else trained_index(sample)

    def build_settings(self) -> dict[str, str]:
        """Return the settings to store after `build`.

        The whitening's has the number of tracks that it was fitted to.
        """
        return {WHITENED_TRACKS: str(self.n_tracks)} if self.is_whitened else {}

    def outdated_ids(self) -> Int64:
        """Return the ids of vectors in the index that were changed or removed: int64, (n,)."""
        held = held_ids(self._inner)
        changed = self._database.changed_since(self.revision)
        return np.concatenate([self._database.removed_of(held), changed[np.isin(changed, held)]])

    def apply_changes(self, outdated_ids: Int64) -> None:
        """Bring the index up to date with the database, given the result of `outdated_ids`."""
        with self._database.snapshot():
            if len(outdated_ids):
                self.faiss.remove_ids(faiss.IDSelectorBatch(outdated_ids))
            for ids, vectors in self._database.vector_blocks(self.revision):
                self.faiss.add_with_ids(vectors, ids)
            self.revision = self._database.revision()

    @property
    def _inner(self) -> Any:
        """The FAISS index without the whitening transform, if it has one."""
        return faiss.downcast_index(self.faiss.index) if self.is_whitened else self.faiss

    @property
    def _is_flat(self) -> bool:
        return self.config.index_type == "flat"

    @property
    def max_k(self) -> None:
        """Largest number of neighbors that a search returns: None, because there is no limit."""

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the index."""
        return int(self._inner.ntotal)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.faiss.d)

    @property
    def ids(self) -> Int64:
        """Ids of all tracks in the index, in no particular order: int64, shape (n,)."""
        return held_ids(self._inner)

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as the index compares them.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
            Of unit length.

        Returns
        -------
        ndarray of float32, shape (n, dimension)
            Of unit length. Whitened if this is the index of the whitened vectors.
        """
        self._check_dimension(vectors)
        return transformed(self.faiss, vectors) if self.is_whitened else vectors

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks as the index compares them: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of the tracks.
        """
        if not self._is_flat:
            return self.transform(self._database.vectors_of(ids))
        try:
            vectors: Float32 = self._inner.reconstruct_batch(ids)
        except RuntimeError as exc:  # FAISS has no vector with one of the ids
            raise removed_track_error() from exc
        return vectors

    def range_search(
        self, vector: Float32, min_product: float, *, candidates: Int64 | None = None
    ) -> Int64:
        """Return the ids of the vectors within a range of a vector.

        Types other than "flat" don't read all vectors, and may miss some at the edge of the range.

        Parameters
        ----------
        vector : ndarray of float32, shape (dimension,)
            A vector as the index compares it.
        min_product : float
            Smallest inner product with ``vector`` of a vector in range.
        candidates : ndarray of int64, shape (n,), optional
            Allow-list of ids. Default: all.

        Returns
        -------
        ndarray of int64, shape (n,)
            In no particular order.
        """
        self._check_dimension(vector)
        if candidates is not None and not self._is_flat and len(candidates) <= _MAX_EXHAUSTIVE:
            return self._in_range(vector, min_product, candidates)
        ids = self._range_search(vector, min_product)
        return ids if candidates is None else np.intersect1d(ids, candidates)

    def _range_search(self, vector: Float32, min_product: float) -> Int64:
        """Search wider and wider, until twice the width finds hardly more."""
        has_codes = self.config.index_type == "ivf-pq"
        margin = self._code_error(vector) if has_codes else 0.0
        # FAISS excludes the radius itself.
        radius = np.nextafter(np.float32(min_product - margin), np.float32(-np.inf))
        max_factor = self.config.max_search_width(self.n_tracks) / self.config.search_width
        ids: Int64
        n_found, factor = -1, 1.0
        while True:
            parameters = self.config.search_parameters(width_factor=factor)
            with max_threads(1):
                _, products, ids = self._inner.range_search(
                    vector[np.newaxis], radius, params=parameters
                )
            if factor >= max_factor or len(ids) <= _MAX_RANGE_GROWTH * n_found:
                break
            n_found, factor = len(ids), 2 * factor
        if not has_codes:
            return ids
        ids = ids[np.argsort(-products)]
        kept = [np.empty(0, dtype=np.int64)]
        for start in range(0, len(ids), _BLOCK_CODES):
            block = self._in_range(vector, min_product, ids[start : start + _BLOCK_CODES])
            if not len(block):
                break
            kept.append(block)
        return np.concatenate(kept)

    def _code_error(self, vector: Float32) -> float:
        """Return by how much the codes of the nearest vectors understate inner products at most."""
        parameters = self.config.search_parameters()
        with max_threads(1):
            products, ids = self._inner.search(vector[np.newaxis], _BLOCK_CODES, params=parameters)
        by_code = dict(zip(ids[0].tolist(), products[0].tolist(), strict=True))
        by_code.pop(-1, None)  # fewer were found
        near, exact = self._rerank(vector, np.array([*by_code], dtype=np.int64), len(by_code))
        errors = (product - by_code[i] for i, product in zip(near.tolist(), exact, strict=True))
        return float(max(errors, default=0.0))

    def _in_range(self, vector: Float32, min_product: float, ids: Int64) -> Int64:
        """Return those of some ids whose full vectors are in range."""
        ids, products = self._rerank(vector, ids, len(ids))
        return ids[products >= min_product]

    def search(
        self,
        vector: Float32,
        k: int,
        *,
        candidates: FaissCandidates | None = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors and their products; see `VectorIndex.search`.

        The nearest tracks are often near the center of the candidates too. Only if too few are, a
        range search finds all that are.

        Raises
        ------
        ModelMismatch
            If the vector has another dimension than the index.
        """
        candidates = candidates or FaissCandidates()
        if candidates.near is not None and k <= _MAX_NEAREST:
            ids, products = self._search_allowed(
                vector, _NEAREST_FACTOR * k, candidates.allowed, exclude_ids
            )
            rows = np.flatnonzero(candidates.near.contains(ids))[:k]
            if len(rows) == k:
                return ids[rows], products[rows]
        return self._search_allowed(vector, k, candidates.ids, exclude_ids)

    def _search_allowed(
        self, vector: Float32, k: int, allowed: Int64 | None, exclude_ids: Sequence[int]
    ) -> tuple[Int64, Float32]:
        """Search with an allow-list of ids: int64, shape (n,). None: all ids are allowed."""
        if allowed is None:
            (neighbors,) = self.search_batch(vector[np.newaxis], [k], [exclude_ids])
            return neighbors
        self._check_dimension(vector)
        allowed = np.setdiff1d(allowed, exclude_ids)
        if not self._is_flat and len(allowed) <= _MAX_EXHAUSTIVE:
            return self._rerank(vector, allowed, k)
        factor = self.n_tracks / max(1, len(allowed))
        ((ids, products),) = self._search(vector[np.newaxis], min(k, len(allowed)), factor, allowed)
        return ids[:k], products[:k]

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Search with several vectors at once; see `VectorIndex.search_batch`."""
        self._check_dimension(vectors)
        max_k = max(k + len(excluded) for k, excluded in zip(ks, exclude_ids, strict=True))
        results = self._search(vectors, min(max_k, self.n_tracks))
        return [
            drop_excluded(ids, products, k, excluded)
            for (ids, products), k, excluded in zip(results, ks, exclude_ids, strict=True)
        ]

    def _search(
        self,
        vectors: Float32,
        k: int,
        width_factor: float = 1.0,
        candidates: Int64 | None = None,
    ) -> list[tuple[Int64, Float32]]:
        """Return, for each vector, at least k nearest neighbors, best first."""
        if not k:
            return [no_neighbors()] * len(vectors)
        has_codes = self.config.index_type == "ivf-pq"
        n_hits = max(self.config.n_candidates, _CODE_FACTOR * k) if has_codes else k
        selector = None if candidates is None else faiss.IDSelectorBatch(candidates)
        parameters = self.config.search_parameters(width_factor=width_factor, selector=selector)
        products, ids = search(self._inner, vectors, min(n_hits, self.n_tracks), parameters)
        results = [(ids[n, row], products[n, row]) for n, row in enumerate(ids != -1)]
        if has_codes:
            results = [
                self._rerank(vectors[n], row_ids, k) for n, (row_ids, _) in enumerate(results)
            ]
        if self._is_flat:
            return results
        return [
            neighbors
            if len(neighbors[0]) >= k
            else self._search_wider(vectors[n], k, width_factor, candidates)
            for n, neighbors in enumerate(results)
        ]

    def _search_wider(
        self, vector: Float32, k: int, width_factor: float, candidates: Int64 | None
    ) -> tuple[Int64, Float32]:
        """Search again with a larger width, after fewer than k hits; in the end, compare all."""
        max_width = self.config.nlist or _MAX_EF_SEARCH
        if self.config.search_width * width_factor < max_width:
            (neighbors,) = self._search(vector[np.newaxis], k, 4 * width_factor, candidates)
            return neighbors
        best = no_neighbors()
        for ids, vectors in self._database.vector_blocks():
            products = self.transform(vectors) @ vector
            allowed = slice(None) if candidates is None else np.isin(ids, candidates)
            best = merged(best, (ids[allowed], products[allowed]), k)
        return best

    def _rerank(self, vector: Float32, ids: Int64, k: int) -> tuple[Int64, Float32]:
        """Return the k nearest of the tracks with the given ids, compared by full vectors."""
        try:
            products = self.vectors_of(ids) @ vector
        except TrackNotFound:  # another process has just removed one
            ids = np.intersect1d(ids, self._database.vector_ids())
            products = self.vectors_of(ids) @ vector
        return top_k(ids, products, k)

    def _check_dimension(self, vectors: Float32) -> None:
        if vectors.shape[-1] != self.dimension:
            raise ModelMismatch(
                f"The index holds vectors of {self.dimension} numbers, not of {vectors.shape[-1]}.",
                hint="Another process may have changed its model. Run the command again; restart "
                "a server.",
            )
