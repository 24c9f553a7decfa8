"""An index's vectors as they are searched: plain and whitened, and how they are arranged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import IndexUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from audiosearch.library.arranged import ArrangedVectors
    from audiosearch.library.arrangements import Arrangement
    from audiosearch.library.catalog import Catalog
    from audiosearch.library.vectors import VectorSearch
    from audiosearch.params import Float32, Int64


class Spaces:
    """What is searched; FAISS is loaded for it when it is first needed.

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
