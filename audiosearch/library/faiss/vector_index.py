"""An index's vectors as they are searched: plain and whitened, and how they are arranged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import IndexUnwritable
from audiosearch.library.filters import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from audiosearch.library.faiss.faiss_index import FaissIndex
    from audiosearch.library.faiss.index_config import IndexConfig
    from audiosearch.library.faiss.persistent_index import PersistentFaissIndex
    from audiosearch.library.filters import Filters
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import Float32, Int64


def drop_excluded(
    ids: Int64, products: Float32, k: int, unwanted: Sequence[int]
) -> tuple[Int64, Float32]:
    """Return the first so many of what was found, but for what is unwanted."""
    wanted = np.flatnonzero(~np.isin(ids, unwanted))[:k]
    return ids[wanted], products[wanted]


class VectorIndexes:
    """What is searched in a folder; FAISS is loaded for it when it is first needed.

    Parameters
    ----------
    catalog : Catalog
    directory : Path
    """

    def __init__(self, catalog: Catalog, directory: Path) -> None:
        self._catalog = catalog
        self._directory = directory
        self._open: dict[bool, PersistentFaissIndex] = {}  # by whether they are whitened

    def vector_index(self, *, whiten: bool = False) -> PersistentFaissIndex:
        """Return the vectors to search candidates, up to date; errors as of `Index.vector_index`."""
        from audiosearch.library.faiss.persistent_index import PersistentFaissIndex

        if whiten in self._open:
            self._open[whiten].refresh()
        else:
            self._open[whiten] = PersistentFaissIndex(self._catalog, self._directory, whiten=whiten)
        return self._open[whiten]

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> Int64 | None:
        """Return the ids of what may be found; None where everything may.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (128,), float), optional
            A vector, and the least cosine to it.
        """
        if filters == EVERYTHING:
            return None if near is None else self.vector_index().range_search(*near)
        found = self._catalog.ids(filters)
        return (
            found
            if near is None
            else np.intersect1d(self.vector_index().range_search(*near), found)
        )

    def kind(self) -> str:
        """Return what the arrangement of the plain vectors is called."""
        return self.arrangement().kind

    def file_bytes(self) -> int:
        """Return the size of the files for searching."""
        return sum(path.stat().st_size for path in self._directory.glob("*.faiss"))

    def problem(self) -> str | None:
        """Return what is wrong with the file of the plain vectors; None where it is in step."""
        from audiosearch.library.faiss.persistent_index import problem

        return problem(self._catalog, self._directory)

    def forget(self) -> None:
        """Remove the file of the plain vectors; it is made anew when it is next needed.

        Raises
        ------
        IndexUnwritable
            Where it cannot be removed.
        """
        from audiosearch.library.faiss.index_file import FILE_NAME

        self._open.clear()
        path = self._directory / FILE_NAME
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise IndexUnwritable(
                f"{path} cannot be removed: {exc.strerror}.", hint="Remove it yourself."
            ) from exc

    # The vectors themselves

    def ids(self) -> Int64:
        """Return the ids of the tracks that have a vector, ascending: int64, shape (n,)."""
        return self._catalog.vector_ids()

    def vectors_of(self, ids: Int64) -> Float32:
        """Return tracks' vectors, in the order of their ids as given: float32, shape (n, 128)."""
        return self._catalog.vectors_of(ids)

    def blocks(self) -> Iterator[tuple[Int64, Float32]]:
        """Yield ids, shape (n,), and their vectors, shape (n, 128), some tracks at a time."""
        return self._catalog.vector_blocks()

    # How they are arranged

    def arrangement(self, *, whiten: bool = False) -> IndexConfig:
        """Return how the vectors are arranged."""
        from audiosearch.library.faiss.index_config import IndexConfig

        return IndexConfig.of(self._catalog.settings(), whiten=whiten)

    def arranged(self, arrangement: IndexConfig, *, whiten: bool = False) -> FaissIndex:
        """Return all vectors in an arrangement, which is tried and not kept."""
        from audiosearch.library.faiss.faiss_index import FaissIndex

        found = FaissIndex(self._catalog, arrangement, whiten=whiten)
        found.build()
        return found

    def arrange(self, found: FaissIndex) -> None:
        """Search in an arrangement that was tried from now on.

        Raises
        ------
        IndexUnwritable
            Where it cannot be kept.
        """
        from audiosearch.library.faiss.persistent_index import keep

        try:
            keep(self._catalog, self._directory, found)
        except (OSError, RuntimeError) as exc:  # FAISS's own
            raise IndexUnwritable(
                f"The file for searching in {self._directory} cannot be written.",
                hint="Make room on the disk, or see to your rights there.",
            ) from exc
        self._open.clear()
