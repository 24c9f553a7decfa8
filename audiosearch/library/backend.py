"""Where an index is: in a folder, or in a collection of Milvus's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.errors import IndexUnwritable, UsageError
from audiosearch.library.sqlite import database
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from audiosearch.library.faiss.vector_index import VectorIndexes
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.library.milvus.vector_index import MilvusVectorIndexes
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import StrPath

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
