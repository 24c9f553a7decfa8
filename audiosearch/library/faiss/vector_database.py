"""Protocol of the database that FAISS indexes are built from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    import numpy.typing as npt

    from audiosearch.library.filters import Filters
    from audiosearch.library.patch_positions import Positions
    from audiosearch.types import Float32, Int64


class SettingsDatabase(Protocol):
    """A database with settings. One setting for each FAISS file tells whether the file is valid."""

    def settings(self) -> dict[str, str]:
        """Return all settings."""

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings. Settings with other names don't change."""

    def transaction(self) -> AbstractContextManager[None]:
        """Write all changes inside the block, or none."""


class VectorDatabase(SettingsDatabase, Protocol):
    """Vectors by id. The revision is a number that grows with every change of them.

    The ids are those of tracks, or of patches.
    """

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Make all reads inside the block see the same state, even if other processes write."""

    def count(self) -> int:
        """Return the number of vectors."""

    def revision(self) -> int:
        """Return a number that grows with every change of the vectors."""

    def vector_ids(self) -> Int64:
        """Return the ids of all vectors, ascending: int64, shape (n,)."""

    def changed_since(self, revision: int) -> Int64:
        """Return the ids of the vectors written after a revision, ascending: int64, shape (n,)."""

    def removed_of(self, ids: Int64) -> Int64:
        """Return those of some ids that have no vector any more: int64, shape (n,)."""

    def vectors_of(self, ids: Int64) -> Float32:
        """Return vectors, in the order of their ids: float32, (n, dimension).

        Raises
        ------
        TrackNotFound
            If another process removed one of them.
        """

    def vector_blocks(self, since: int = 0) -> Iterator[tuple[Int64, Float32]]:
        """Yield the vectors written after a revision, block by block, in the order of their ids.

        Yields
        ------
        ids : ndarray of int64, shape (n,)
        vectors : ndarray of float32, shape (n, dimension)
        """


class TrackVectorDatabase(VectorDatabase, Protocol):
    """The vectors of all tracks. `audiosearch.library.sqlite.catalog.Catalog` implements it."""

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""


class PatchDatabase(VectorDatabase, Protocol):
    """The vectors of all patches. `audiosearch.library.sqlite.patch_table` implements it."""

    def positions(self) -> Positions:
        """Return the ids of the patches of all tracks."""

    def found_vectors(self, ids: Int64) -> tuple[npt.NDArray[np.bool_], Float32]:
        """Return which of some patches exist, shape (n,), and their vectors, (n, dimension).

        The vectors of patches that don't exist are undefined.
        """
