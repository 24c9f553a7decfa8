"""Vector search in a folder's index: plain and whitened, and the type of its FAISS index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audiosearch.errors import IndexUnwritable
from audiosearch.library.filters import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from audiosearch.library.faiss.faiss_index import FaissIndex
    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.library.faiss.persistent_index import PersistentFaissIndex
    from audiosearch.library.faiss.vector_database import VectorDatabase
    from audiosearch.library.filters import Filters
    from audiosearch.types import Float32, Int64

#: Tracks that may be hits, in a form that only the backend understands; None for all tracks.
Candidates = Any


class VectorIndex(Protocol):
    """Vectors of all tracks, plain or whitened, searched by inner product."""

    @property
    def max_k(self) -> int | None:
        """Largest number of neighbors that a search finds; None for no limit."""

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the index."""

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as the index compares them.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
            Of unit length.

        Returns
        -------
        ndarray of float32, shape (n, dimension)
            Of unit length; whitened if the index is.
        """

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks as the index compares them: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of the tracks.
        """

    def search(
        self,
        vector: Float32,
        k: int,
        *,
        candidates: Candidates = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors and their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (dimension,)
            A vector as the index compares it: see `transform`.
        k : int
            Number of neighbors; fewer are returned if there are fewer, or beyond `max_k`.
        candidates : object, optional
            Tracks that may be hits, from `VectorIndexes.candidates`.
        exclude_ids : sequence of int
            Ids of tracks that may not be hits.

        Returns
        -------
        ids : ndarray of int64, shape (n_found,)
        products : ndarray of float32, shape (n_found,)
        """

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector what `search` returns; much faster than one search each.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
        ks : sequence of int
            Number of neighbors of each vector.
        exclude_ids : sequence of sequence of int
            Ids of tracks that may not be hits, for each vector.
        """


class VectorIndexes:
    """The FAISS indexes of a folder; FAISS is loaded when the first one is needed.

    Parameters
    ----------
    database : VectorDatabase
    directory : Path
        Folder of the files.
    """

    def __init__(self, database: VectorDatabase, directory: Path) -> None:
        self._database = database
        self._directory = directory
        self._open: dict[bool, PersistentFaissIndex] = {}  # by whether they are whitened

    def vector_index(self, *, whiten: bool = False) -> PersistentFaissIndex:
        """Return the index of the plain or whitened vectors, up to date.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        """
        from audiosearch.library.faiss.persistent_index import PersistentFaissIndex

        if whiten in self._open:
            self._open[whiten].refresh()
        else:
            self._open[whiten] = PersistentFaissIndex(
                self._database, self._directory, whiten=whiten
            )
        return self._open[whiten]

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> Int64 | None:
        """Return the ids of the tracks that may be hits; None for all tracks.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (dimension,), float), optional
            A vector of unit length, and the smallest cosine to it.

        Returns
        -------
        ndarray of int64, shape (n,), or None
        """
        if filters == EVERYTHING:
            return None if near is None else self.vector_index().range_search(*near)
        ids = self._database.ids(filters)
        if near is None:
            return ids
        return np.intersect1d(self.vector_index().range_search(*near), ids)

    def index_type(self) -> str:
        """Return the type of the FAISS index of the plain vectors."""
        return self.config().index_type

    def file_bytes(self) -> int:
        """Return the size of the FAISS files, in bytes."""
        return sum(path.stat().st_size for path in self._directory.glob("*.faiss"))

    def problem(self) -> str | None:
        """Return what is wrong with the file of the plain vectors; None if nothing is."""
        from audiosearch.library.faiss.persistent_index import file_problem

        return file_problem(self._database, self._directory)

    def delete_file(self) -> None:
        """Delete the file of the plain vectors; the next search rebuilds it.

        Raises
        ------
        IndexUnwritable
            If it can't be deleted.
        """
        from audiosearch.library.faiss.index_file import FILE_NAME

        self._open.clear()
        path = self._directory / FILE_NAME
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise IndexUnwritable(
                f"Can't delete {path}: {exc.strerror}.", hint=f"Delete {path} yourself."
            ) from exc

    # Vectors in the database, and indexes of other types, for `audiosearch optimize`

    def ids(self) -> Int64:
        """Return the ids of the tracks that have a vector, ascending: int64, shape (n,)."""
        return self._database.vector_ids()

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the plain vectors of tracks, in the order of ids: float32, (n, dimension)."""
        return self._database.vectors_of(ids)

    def vector_blocks(self) -> Iterator[tuple[Int64, Float32]]:
        """Yield all ids, shape (n,), and plain vectors, shape (n, dimension), block by block."""
        return self._database.vector_blocks()

    def config(self, *, whiten: bool = False) -> IndexConfig:
        """Return type and parameters of the index in use."""
        from audiosearch.library.faiss.index_config import IndexConfig

        return IndexConfig.from_settings(self._database.settings(), whiten=whiten)

    def build(self, config: IndexConfig, *, whiten: bool = False) -> FaissIndex:
        """Return an index of all vectors in memory. `use` makes searches use it."""
        from audiosearch.library.faiss.faiss_index import FaissIndex

        index = FaissIndex(self._database, config, whiten=whiten)
        index.build()
        return index

    def use(self, index: FaissIndex) -> None:
        """Write an index that `build` returned, and use it for searches from now on.

        Raises
        ------
        IndexUnwritable
            If it can't be written.
        """
        from audiosearch.library.faiss.persistent_index import save

        try:
            save(self._database, self._directory, index)
        except (OSError, RuntimeError) as exc:  # RuntimeError comes from FAISS
            raise IndexUnwritable(
                f"Can't write the FAISS index to {self._directory}.",
                hint="Make room on the disk, or make the folder writable.",
            ) from exc
        self._open.clear()
