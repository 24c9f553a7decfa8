"""Where an index is: in a folder, or in a collection of Milvus's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from audiosearch.errors import IndexUnwritable, UsageError
from audiosearch.library.sqlite import database
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.faiss.vector_index import VectorIndexes
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.library.milvus.vector_index import MilvusVectorIndexes
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import Float32, Int64, StrPath

#: What may be found, as only the space that it is for understands it: None for everything.
Candidates = Any


class VectorIndex(Protocol):
    """Vectors that are searched by inner product, as they are or whitened."""

    @property
    def max_k(self) -> int | None:
        """How many can be found at a time; None for all."""

    @property
    def n_tracks(self) -> int:
        """How many tracks can be found."""

    def transform(self, vectors: Float32) -> Float32:
        """Return vectors as they are compared: (n, 128) as (n, 128), of unit length."""

    def vectors_of(self, ids: Int64) -> Float32:
        """Return the vectors of tracks, as they are compared: float32, shape (n, 128).

        Raises
        ------
        TrackNotFound
            Where another process has removed one.
        """

    def search(
        self,
        vector: Float32,
        k: int,
        *,
        candidates: Candidates = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors, and their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (128,)
            As vectors are compared: see `transform`.
        k : int
            How many; fewer where there are fewer, or no more can be found at a time.
        candidates : as `VectorIndexes.candidates` returns it
            What may be found.
        exclude_ids : sequence of int
            The ids of what may not.
        """

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Return for each vector what `search` returns: found together, much sooner.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, 128)
        ks : sequence of int
            How many for each.
        exclude_ids : sequence of sequence of int
            The ids of those that may not be found for each.
        """


_MILVUS = ("milvus://", "milvus+tls://", "milvus+lite:")


def is_address(location: StrPath) -> bool:
    """Return whether a location is an address of Milvus's, and no folder.

    Raises
    ------
    UsageError
        Where it is another URL.
    """
    name = os.fspath(location)
    if is_url(name) and not name.startswith(_MILVUS):
        raise UsageError(
            f"{name} is neither a folder nor an address of Milvus's.",
            hint="Name a folder, milvus://HOST:PORT/COLLECTION or milvus+lite:///folder/file.db.",
        )
    return name.startswith(_MILVUS)


def shown(location: StrPath) -> str:
    """Return a location as messages have it: a folder's absolute path, or the address."""
    return os.fspath(location) if is_address(location) else os.path.abspath(location)


def opened(
    location: StrPath, settings: dict[str, str] | None
) -> tuple[Catalog, VectorIndexes] | tuple[MilvusCatalog, MilvusVectorIndexes]:
    """Return what an index is made of: what it keeps, and how that is searched.

    Parameters
    ----------
    location : str or path-like
    settings : dict, optional
        Makes an index with these settings where there is none.

    Raises
    ------
    IndexNotFound
        Where there is none, and no settings are given.
    MissingExtra
        Where Milvus's client is not installed.
    LibraryError
        Where it cannot be opened.
    """
    if is_address(location):
        from audiosearch.library.milvus.catalog import MilvusCatalog
        from audiosearch.library.milvus.vector_index import MilvusVectorIndexes

        collection = MilvusCatalog(os.fspath(location), settings=settings)
        return collection, MilvusVectorIndexes(collection)
    from audiosearch.library.faiss.vector_index import VectorIndexes
    from audiosearch.library.sqlite.catalog import Catalog

    directory = Path(location).absolute()
    catalog = Catalog(directory, settings=settings)
    return catalog, VectorIndexes(catalog, directory)


def exists(location: StrPath) -> bool:
    """Return whether there is an index."""
    if is_address(location):
        from audiosearch.library.milvus import database as collections

        return collections.exists(os.fspath(location))
    return database.exists(Path(location))


def check_writable(location: StrPath) -> None:
    """Check that an index can be made or changed, without touching it.

    A server that may not be written says so when it is asked to.

    Raises
    ------
    IndexUnwritable
        Where it cannot.
    MissingExtra
        Where Milvus's client is not installed.
    """
    if is_address(location):
        from audiosearch.library.milvus.client import check_installed

        check_installed(os.fspath(location))
        return
    path = Path(location).absolute()
    existing = next(p for p in (path, *path.parents) if os.path.exists(p))
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK):
        raise IndexUnwritable(
            f"An index cannot be written to {path}.",
            hint="Name a folder that is yours to write with --index DIR.",
        )
