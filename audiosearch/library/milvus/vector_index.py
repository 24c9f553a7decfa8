"""Vector search in Milvus, by plain or whitened vectors."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.library.filters import EVERYTHING
from audiosearch.library.milvus.database import DEFAULT_SEARCH_WIDTH
from audiosearch.library.milvus.expressions import expression
from audiosearch.library.milvus.vectors import MAX_K
from audiosearch.library.neighbors import drop_excluded, top_k

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.library.filters import Filters
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.types import Float32, Int64

# A whitened search compares this many neighbors of a plain search: at least _MIN_CANDIDATES, and at
# least _CANDIDATE_FACTOR times k.
_MIN_CANDIDATES, _CANDIDATE_FACTOR = 1_024, 8
_MAX_SAMPLES = 65_536  # vectors that the whitening is fitted to
_WHITENING = "whitening"  # name of the stored transform


@dataclass(frozen=True, slots=True)
class MilvusCandidates:
    """Conditions on the tracks that may be hits.

    Attributes
    ----------
    expression : str
        Milvus expression that hits must meet; "" for all tracks.
    near : (ndarray of float32 of shape (dimension,), float) or None
        A vector of unit length, and the smallest cosine to it that a hit may have.
    """

    expression: str
    near: tuple[Float32, float] | None


class MilvusVectorIndexes:
    """The vector indexes of a collection, plain and whitened; it implements `VectorIndexes`.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog = catalog
        self._plain = MilvusVectorIndex(catalog)
        self._whitened: WhitenedMilvusIndex | None = None

    def vector_index(self, *, whiten: bool = False) -> MilvusVectorIndex:
        """Return the index of the plain or whitened vectors.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        """
        if not whiten:
            return self._plain
        n_tracks = self._catalog.count()
        if self._whitened is None or not self._whitened.is_current(n_tracks):
            self._whitened = WhitenedMilvusIndex(self._catalog, n_tracks)
        return self._whitened

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> MilvusCandidates | None:
        """Return the tracks that may be hits; None if all tracks may.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (dimension,), float), optional
            A vector of unit length, and the smallest cosine to it that a hit may have.
        """
        if filters == EVERYTHING and near is None:
            return None
        return MilvusCandidates(expression(filters, self._catalog.fields), near)

    def index_type(self) -> str:
        """Return the type of Milvus's index of the vectors, in lower case."""
        return self._catalog.index_type

    def details(self) -> str:
        """Return type and parameters of Milvus's index of the vectors, as a phrase."""
        described = self._catalog.index_description
        parameters = [
            f"{key} {described[key]}" for key in ("M", "efConstruction") if key in described
        ]
        if self.index_type() == "hnsw":
            parameters.append(f"ef {self._catalog.search_width}")
        return ", ".join([f"{self.index_type()} in Milvus", *parameters])

    def file_bytes(self) -> None:
        """Return None, because a server keeps the index."""

    def memory_bytes(self) -> None:
        """Return None, because a server keeps the index."""

    def max_memory_bytes(self) -> None:
        """Return None, because there is no limit."""

    def problem(self) -> None:
        """Return None, because there is no FAISS file."""

    def delete_file(self) -> None:
        """Do nothing, because there is no FAISS file."""


class MilvusVectorIndex:
    """The plain vectors of a collection; it implements `VectorIndex`.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog = catalog

    @property
    def config(self) -> IndexConfig:
        """Type and parameters of Milvus's index. Only the search width can be changed."""
        from audiosearch.library.milvus.index_config import config_of

        return config_of(self._catalog.index_description, self._catalog.search_width)

    @config.setter
    def config(self, config: IndexConfig) -> None:
        is_exact = config.index_type == "flat"
        self._catalog.search_width = DEFAULT_SEARCH_WIDTH if is_exact else config.search_width

    def replace(self, config: IndexConfig) -> None:
        """Replace Milvus's index of the vectors, unless it is exact and is to be so."""
        from audiosearch.library.milvus.index_config import HnswConfig

        parameters = config.parameters if isinstance(config, HnswConfig) else {}
        if parameters or self._catalog.index_type != config.index_type:
            self._catalog.replace_index(config.index_type.upper(), parameters)
        self.config = config

    def keep_search_width(self) -> None:
        """Store the search width, for other processes too."""
        self._catalog.keep_search_width()

    @property
    def max_k(self) -> int:
        """Largest number of neighbors that a search returns: a limit of Milvus."""
        return MAX_K

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the index."""
        return self._catalog.count()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._catalog.dimension

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as the index compares them: these are plain, so they are unchanged.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
        """
        return vectors

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks as the index compares them: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of the tracks.
        """
        return self.transform(self._catalog.vectors_of(ids))

    def search(
        self,
        vector: Float32,
        k: int,
        *,
        candidates: MilvusCandidates | None = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors and their products; see `VectorIndex.search`."""
        n_neighbors = k + len(exclude_ids)
        condition = "" if candidates is None else candidates.expression
        if candidates is None or candidates.near is None:
            ((ids, products),) = self._search(vector[np.newaxis], n_neighbors, condition)
        else:
            ids, products = self._search_near(vector, n_neighbors, condition, candidates.near)
        return drop_excluded(ids, products, k, exclude_ids)

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Search with several vectors at once; see `VectorIndex.search_batch`."""
        max_k = max(k + len(excluded) for k, excluded in zip(ks, exclude_ids, strict=True))
        results = self._search(vectors, max_k, "")
        return [
            drop_excluded(ids, products, k, excluded)
            for (ids, products), k, excluded in zip(results, ks, exclude_ids, strict=True)
        ]

    def _search(self, vectors: Float32, k: int, condition: str) -> list[tuple[Int64, Float32]]:
        """Return, for each vector, the ids and products of the nearest tracks, best first."""
        return self._catalog.search(vectors, k, condition)

    def _search_near(
        self, vector: Float32, k: int, condition: str, near: tuple[Float32, float]
    ) -> tuple[Int64, Float32]:
        """Return the ids and products of the tracks near a center, best first.

        The products are those with ``vector``.
        """
        center, min_cosine = np.asarray(near[0], dtype=np.float32), np.float32(near[1])
        is_center = np.array_equal(vector, center)
        # Milvus excludes the bound itself, so the next smaller number is used.
        more_than = float(np.nextafter(min_cosine, np.float32(-2.0)))
        ((ids, cosines),) = self._catalog.search(
            center[np.newaxis], k if is_center else MAX_K, condition, more_than=more_than
        )
        is_near = cosines >= min_cosine
        if is_center:
            return ids[is_near], cosines[is_near]
        return self._rerank(vector, ids[is_near])

    def _rerank(self, vector: Float32, ids: Int64) -> tuple[Int64, Float32]:
        """Return ids and their products with a vector, best first."""
        return top_k(ids, self.vectors_of(ids) @ vector, len(ids))


class WhitenedMilvusIndex(MilvusVectorIndex):
    """The whitened vectors of a collection; it implements `VectorIndex`.

    Milvus stores plain vectors only. Whitening turns a vector x into A (x - m), scaled to length 1.
    For a whitened query y, Milvus finds the plain vectors with the largest inner products with the
    transpose of A times y. This class whitens these and compares them with y.

    Parameters
    ----------
    catalog : MilvusCatalog
    n_tracks : int
        Current number of tracks.

    Raises
    ------
    LibraryError
        If there are too few tracks to whiten.
    """

    def __init__(self, catalog: MilvusCatalog, n_tracks: int) -> None:
        from audiosearch.library.faiss.whitening import check_enough_tracks, projection_matrix

        super().__init__(catalog)
        check_enough_tracks(n_tracks, catalog.dimension)
        self._index: Any
        self._n_fitted, self._index = self._stored() or (0, None)
        if not self.is_current(n_tracks):
            self._n_fitted, self._index = n_tracks, self._fit(n_tracks)
        self._projection = projection_matrix(self._index)

    def _stored(self) -> tuple[int, Any] | None:
        """Return the stored transform, after the number of tracks at its fit; None if missing."""
        import faiss

        content = self._catalog.blobs([_WHITENING]).get(_WHITENING)
        if content is None:
            return None
        index = faiss.deserialize_index(np.frombuffer(content[8:], dtype=np.uint8))
        return int.from_bytes(content[:8], "little"), index

    def _fit(self, n_tracks: int) -> Any:
        """Fit the whitening, and store it for other processes if the server allows writing."""
        import faiss

        from audiosearch.library.faiss.whitening import max_fitting_samples, whitened_index

        n_samples = min(_MAX_SAMPLES, max_fitting_samples(self.dimension))
        index = whitened_index(self._catalog.sample(n_samples))
        with contextlib.suppress(LibraryError):
            content = faiss.serialize_index(index).tobytes()
            self._catalog.put_blobs({_WHITENING: n_tracks.to_bytes(8, "little") + content})
        return index

    def is_current(self, n_tracks: int) -> bool:
        """Return whether the fitted whitening can be used for this number of tracks."""
        from audiosearch.library.faiss.whitening import is_current

        return is_current(self._n_fitted, n_tracks)

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as the index compares them: whitened, of unit length.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
        """
        from audiosearch.library.faiss.whitening import transformed

        return transformed(self._index, vectors)

    def _search(self, vectors: Float32, k: int, condition: str) -> list[tuple[Int64, Float32]]:
        n_candidates = max(_MIN_CANDIDATES, _CANDIDATE_FACTOR * k)
        results = self._catalog.search(vectors @ self._projection, n_candidates, condition)
        return [
            self._rerank(vector, ids) for vector, (ids, _) in zip(vectors, results, strict=True)
        ]
