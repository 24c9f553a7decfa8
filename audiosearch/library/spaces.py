"""An index's vectors as they are searched: plain and whitened, and how they are arranged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audiosearch.errors import IndexUnwritable
from audiosearch.library.filters import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from audiosearch.library.arranged import ArrangedVectors
    from audiosearch.library.arrangements import Arrangement
    from audiosearch.library.catalog import Catalog
    from audiosearch.library.filters import Filters
    from audiosearch.library.vectors import VectorSearch
    from audiosearch.params import Float32, Int64

#: What may be found, as only the space that it is for understands it: None for everything.
Among = Any


class Space(Protocol):
    """Vectors that are searched by inner product, as they are or whitened."""

    @property
    def most_found(self) -> int | None:
        """How many can be found at a time; None for all."""

    @property
    def n_tracks(self) -> int:
        """How many tracks can be found."""

    def compared(self, vectors: Float32) -> Float32:
        """Return vectors as they are compared: (n, 128) as (n, 128), of unit length."""

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, as they are compared: float32, shape (n, 128).

        Raises
        ------
        TrackNotFound
            Where another process has removed one.
        """

    def nearest(
        self, vector: Float32, k: int, *, among: Among = None, without: Sequence[int] = ()
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors, and their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (128,)
            As vectors are compared: see `compared`.
        k : int
            How many; fewer where there are fewer, or no more can be found at a time.
        among : as `Spaces.among` returns it
            What may be found.
        without : sequence of int
            The ids of what may not.
        """

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


def first_wanted(
    ids: Int64, products: Float32, k: int, unwanted: Sequence[int]
) -> tuple[Int64, Float32]:
    """Return the first so many of what was found, but for what is unwanted."""
    wanted = np.flatnonzero(~np.isin(ids, unwanted))[:k]
    return ids[wanted], products[wanted]


class Spaces:
    """What is searched in a folder; FAISS is loaded for it when it is first needed.

    Parameters
    ----------
    catalog : Catalog
    directory : Path
    """

    def __init__(self, catalog: Catalog, directory: Path) -> None:
        self._catalog = catalog
        self._directory = directory
        self._open: dict[bool, VectorSearch] = {}  # by whether they are whitened

    def space(self, *, whiten: bool = False) -> VectorSearch:
        """Return the vectors to search among, up to date; errors as of `Index.space`."""
        from audiosearch.library.vectors import VectorSearch

        if whiten in self._open:
            self._open[whiten].refresh()
        else:
            self._open[whiten] = VectorSearch(self._catalog, self._directory, whiten=whiten)
        return self._open[whiten]

    def among(self, filters: Filters, *, near: tuple[Float32, float] | None = None) -> Int64 | None:
        """Return the ids of what may be found; None where everything may.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (128,), float), optional
            A vector, and the least cosine to it.
        """
        if filters == EVERYTHING:
            return None if near is None else self.space().within(*near)
        found = self._catalog.ids(filters)
        return found if near is None else np.intersect1d(self.space().within(*near), found)

    def kind(self) -> str:
        """Return what the arrangement of the plain vectors is called."""
        return self.arrangement().kind

    def file_bytes(self) -> int:
        """Return the size of the files for searching."""
        return sum(path.stat().st_size for path in self._directory.glob("*.faiss"))

    def problem(self) -> str | None:
        """Return what is wrong with the file of the plain vectors; None where it is in step."""
        from audiosearch.library.vectors import problem

        return problem(self._catalog, self._directory)

    def forget(self) -> None:
        """Remove the file of the plain vectors; it is made anew when it is next needed.

        Raises
        ------
        IndexUnwritable
            Where it cannot be removed.
        """
        from audiosearch.library.search_file import FILE_NAME

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

    def arrangement(self, *, whiten: bool = False) -> Arrangement:
        """Return how the vectors are arranged."""
        from audiosearch.library.arrangements import Arrangement

        return Arrangement.of(self._catalog.settings(), whiten=whiten)

    def arranged(self, arrangement: Arrangement, *, whiten: bool = False) -> ArrangedVectors:
        """Return all vectors in an arrangement, which is tried and not kept."""
        from audiosearch.library.arranged import ArrangedVectors

        found = ArrangedVectors(self._catalog, arrangement, whiten=whiten)
        found.build()
        return found

    def arrange(self, found: ArrangedVectors) -> None:
        """Search in an arrangement that was tried from now on.

        Raises
        ------
        IndexUnwritable
            Where it cannot be kept.
        """
        from audiosearch.library.vectors import keep

        try:
            keep(self._catalog, self._directory, found)
        except (OSError, RuntimeError) as exc:  # FAISS's own
            raise IndexUnwritable(
                f"The file for searching in {self._directory} cannot be written.",
                hint="Make room on the disk, or see to your rights there.",
            ) from exc
        self._open.clear()
