"""A collection's vectors as they are searched: by Milvus, plain or whitened."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.library.filters import EVERYTHING
from audiosearch.library.milvus.catalog import MAX_K
from audiosearch.library.milvus.expressions import expression
from audiosearch.library.neighbors import drop_excluded
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.faiss.vector_index import VectorIndex
    from audiosearch.library.filters import Filters
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.types import Float32, Int64

_LEAST_CANDIDATES, _MARGIN = 1_024, 8  # of those that are compared whitened, to what is wanted
_FITTING_SAMPLES = 65_536
_WHITENING = "whitening"  # what the transform is kept under


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be found: by an expression, and by the least cosine to a vector."""

    expression: str
    near: tuple[Float32, float] | None


class MilvusVectorIndexes:
    """What is searched in a collection.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog = catalog
        self._plain = MilvusVectorIndex(catalog)
        self._whitened: WhitenedMilvusIndex | None = None

    def vector_index(self, *, whiten: bool = False) -> VectorIndex:
        """Return the vectors to search among; errors as of `Index.vector_index`."""
        if not whiten:
            return self._plain
        n_tracks = self._catalog.count()
        if self._whitened is None or not self._whitened.fits(n_tracks):
            self._whitened = WhitenedMilvusIndex(self._catalog, n_tracks)
        return self._whitened

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> Candidates | None:
        """Return what may be found; None where everything may."""
        if filters == EVERYTHING and near is None:
            return None
        return Candidates(expression(filters), near)

    def index_type(self) -> str:
        """Return what Milvus calls its index of the vectors."""
        return self._catalog.index_type

    def file_bytes(self) -> None:
        """Return None: what a server keeps is its own business."""

    def problem(self) -> None:
        """Return None: there is no file that could be out of step."""

    def delete_file(self) -> None:
        """Do nothing: there is no file."""


class MilvusVectorIndex:
    """Vectors as they are: what can be asked of them is `audiosearch.library.faiss.vector_index.VectorIndex`.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog = catalog

    @property
    def max_k(self) -> int:
        """How many can be found at a time."""
        return MAX_K

    @property
    def n_tracks(self) -> int:
        """How many tracks can be found."""
        return self._catalog.count()

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as they are."""
        return vectors

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, as they are compared."""
        return self.transform(self._catalog.vectors_of(ids))

    def search(
        self,
        vector: Float32,
        k: int,
        *,
        candidates: Candidates | None = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors, and their inner products, best first."""
        n_wanted = k + len(exclude_ids)
        if candidates is None:
            ((ids, products),) = self._found(vector[np.newaxis], n_wanted, "")
        elif candidates.near is None:
            ((ids, products),) = self._found(vector[np.newaxis], n_wanted, candidates.expression)
        else:
            ids, products = self._near(vector, n_wanted, candidates.expression, candidates.near)
        return drop_excluded(ids, products, k, exclude_ids)

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector what `search` returns: found together."""
        most = max(k + len(unwanted) for k, unwanted in zip(ks, exclude_ids, strict=True))
        found = self._found(vectors, most, "")
        return [
            drop_excluded(*one, k, unwanted)
            for one, k, unwanted in zip(found, ks, exclude_ids, strict=True)
        ]

    def _found(self, vectors: Float32, k: int, condition: str) -> list[tuple[Int64, Float32]]:
        """Return for each vector the ids and products of the nearest, best first."""
        return self._catalog.search(vectors, k, condition)

    def _near(
        self, vector: Float32, k: int, condition: str, near: tuple[Float32, float]
    ) -> tuple[Int64, Float32]:
        """Return those that are near a center, ordered by how near they are to a vector."""
        center, least = np.asarray(near[0], dtype=np.float32), np.float32(near[1])
        is_center = np.array_equal(vector, center)
        beyond = float(np.nextafter(least, np.float32(-2.0)))
        ((ids, cosines),) = self._catalog.search(
            center[np.newaxis], k if is_center else MAX_K, condition, beyond=beyond
        )
        is_near = cosines >= least
        if is_center:
            return ids[is_near], cosines[is_near]
        return self._ranked(vector, ids[is_near])

    def _ranked(self, vector: Float32, ids: Int64) -> tuple[Int64, Float32]:
        products = self.vectors_of(ids) @ vector
        order = np.lexsort((ids, -products))
        return ids[order], products[order]


class WhitenedMilvusIndex(MilvusVectorIndex):
    """Vectors in a space that was fitted to some of them, where they crowd less.

    Milvus keeps them plain. For a query y in the whitened space, where x is at A (x - m) but
    for its length, it finds the largest inner products with A'y; these candidates are compared
    as they are whitened.

    Parameters
    ----------
    catalog : MilvusCatalog
    n_tracks : int
        How many tracks there are.

    Raises
    ------
    LibraryError
        Where they are too few.
    """

    def __init__(self, catalog: MilvusCatalog, n_tracks: int) -> None:
        from audiosearch.library.faiss.whitening import check_enough_tracks, projection_matrix

        super().__init__(catalog)
        check_enough_tracks(n_tracks, EMBEDDING_SIZE)
        self._index: Any
        self._n_fitted, self._index = self._kept() or (0, None)
        if not self.fits(n_tracks):
            self._n_fitted, self._index = n_tracks, self._fitted(n_tracks)
        self._turning = projection_matrix(self._index)

    def _kept(self) -> tuple[int, Any] | None:
        """Return how many tracks there were when a transform was fitted last, and it."""
        import faiss

        content = self._catalog.kept(_WHITENING)
        if content is None:
            return None
        index = faiss.deserialize_index(np.frombuffer(content[8:], dtype=np.uint8))
        return int.from_bytes(content[:8], "little"), index

    def _fitted(self, n_tracks: int) -> Any:
        """Fit a transform, and keep it for others where that may be."""
        import faiss

        from audiosearch.library.faiss.whitening import whitened_index

        index = whitened_index(self._catalog.sample(_FITTING_SAMPLES))
        with contextlib.suppress(LibraryError):
            content = faiss.serialize_index(index).tobytes()
            self._catalog.keep(_WHITENING, n_tracks.to_bytes(8, "little") + content)
        return index

    def fits(self, n_tracks: int) -> bool:
        """Return whether the space still fits that many tracks."""
        from audiosearch.library.faiss.whitening import is_current

        return is_current(self._n_fitted, n_tracks)

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as they are whitened, of unit length."""
        from audiosearch.library.faiss.whitening import transformed

        return transformed(self._index, vectors)

    def _found(self, vectors: Float32, k: int, condition: str) -> list[tuple[Int64, Float32]]:
        n_candidates = max(_LEAST_CANDIDATES, _MARGIN * k)
        candidates = self._catalog.search(vectors @ self._turning, n_candidates, condition)
        return [
            self._ranked(vector, ids) for vector, (ids, _) in zip(vectors, candidates, strict=True)
        ]
