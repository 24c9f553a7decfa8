"""Backends of an index: the Protocols that each implements, and the table of all backends.

A backend is one folder and one line in `BACKENDS`.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from audiosearch.errors import LibraryError, UsageError
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from audiosearch.library.filters import Filters
    from audiosearch.library.storage import CoordinateStorage, StagingStorage, Storage
    from audiosearch.library.track import EmbeddingSpec
    from audiosearch.types import Float32, Int64, StrPath

#: Module of each backend, by URL scheme; "" is a path without a scheme. The object ``BACKEND`` in
#: the module is a `Backend`. Modules are imported on first use: NumPy, FAISS and pymilvus are slow.
BACKENDS: dict[str, str] = {
    "": "audiosearch.library.folder.backend",
    "milvus": "audiosearch.library.milvus.backend",
    "milvus+tls": "audiosearch.library.milvus.backend",
    "milvus+lite": "audiosearch.library.milvus.backend",
}


class Candidates:
    """Tracks that may be hits, in a form that only the backend that made it can read.

    `VectorIndexes.candidates` returns it and `VectorIndex.search` takes it. It has no attributes:
    type checkers use it in place of each backend's own type.
    """


C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


class VectorIndex(Protocol[C_contra]):
    """Vectors of all tracks, plain or whitened, searched by inner product."""

    @property
    def max_k(self) -> int | None:
        """Largest number of neighbors that a search finds; None for no limit."""

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the index."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

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
        candidates: C_contra | None = None,
        exclude_ids: Sequence[int] = (),
    ) -> tuple[Int64, Float32]:
        """Return the ids of the nearest vectors and their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (dimension,)
            A vector as the index compares it: see `transform`.
        k : int
            Number of neighbors; fewer are returned if there are fewer, or beyond `max_k`.
        candidates : Candidates, optional
            Tracks that may be hits, from `VectorIndexes.candidates`; all tracks by default.
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


class VectorIndexes(Protocol[C]):
    """The plain and the whitened vector index of one index."""

    def vector_index(self, *, whiten: bool = False) -> VectorIndex[C]:
        """Return the index of the plain or whitened vectors, up to date.

        The same object is returned as long as the same vectors are compared.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        """

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> C | None:
        """Return the tracks that may be hits; None for all tracks.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (dimension,), float), optional
            A vector of unit length, and the smallest cosine to it.
        """

    def index_type(self) -> str:
        """Return the type of the index of the plain vectors, such as "flat"."""

    def file_bytes(self) -> int | None:
        """Return the size of the search files, in bytes; None if a server keeps them."""

    def problem(self) -> str | None:
        """Return what is wrong with the search file; None if nothing is, or there is no file."""

    def delete_file(self) -> None:
        """Delete the search file, if there is one; the next search rebuilds it."""


class Capability(Enum):
    """An operation that only some backends support."""

    OPTIMIZE = "optimize"  # choose the type of the FAISS index
    REEMBED = "reembed"  # replace all vectors by another model's
    RECOVER = "recover"  # save the rows of a damaged database


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Why a backend doesn't support an operation.

    Attributes
    ----------
    reason : str
        One sentence; ``{location}`` stands for the index.
    hint : str
        Advice on another way.
    """

    reason: str
    hint: str


_UNSUPPORTED = Unsupported(
    "The backend of {location} doesn't support this.",
    hint="Copy the index to a folder with `audiosearch copy`, and do it there.",
)


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """Result of saving what can be read of a damaged database.

    Attributes
    ----------
    tracks : int
        Number of tracks saved with their vectors.
    missing_vectors : int
        Number of tracks left out because their vectors can't be read.
    kept : str
        Path of the damaged database, under its new name.
    """

    tracks: int
    missing_vectors: int
    kept: str


@dataclass(frozen=True, slots=True)
class OpenIndex(Generic[C]):
    """Parts of an open index, as its backend provides them.

    Attributes
    ----------
    storage : Storage
        Tracks, vectors, failures and settings.
    vector_indexes : VectorIndexes
        Searches.
    staging : StagingStorage or None
        Vectors of another model; None if the backend doesn't support `Capability.REEMBED`.
    coordinates : CoordinateStorage or None
        Map coordinates; None if the backend doesn't keep any, so that each map is a new layout.
    """

    storage: Storage
    vector_indexes: VectorIndexes[C]
    staging: StagingStorage | None = None
    coordinates: CoordinateStorage | None = None


class Backend(Protocol[C]):
    """One kind of place that an index can be in."""

    @property
    def unsupported(self) -> Mapping[Capability, Unsupported]:
        """Operations that the backend doesn't support, with the reasons."""

    def display(self, location: str) -> str:
        """Return a location as messages show it."""

    def exists(self, location: str) -> bool:
        """Return whether there is an index.

        Raises
        ------
        LibraryError
            If a server can't be asked.
        """

    def check_writable(self, location: str) -> None:
        """Check, without changing anything, that an index can be created or changed.

        Raises
        ------
        IndexUnwritable
            If it can't.
        MissingExtra
            If a package that the backend needs isn't installed.
        """

    def open(self, location: str, settings: dict[str, str] | None) -> OpenIndex[C]:
        """Open an index.

        Parameters
        ----------
        location : str
        settings : dict or None
            Settings of a new index, which is created if there is none.

        Raises
        ------
        IndexNotFound
            If there is no index, and no settings for a new one.
        MissingExtra
            If a package that the backend needs isn't installed.
        LibraryError
            If the index can't be opened.
        """

    @property
    def recover(self) -> Callable[[str, EmbeddingSpec | None], RecoveryReport] | None:
        """Function that saves the rows of a damaged database; None if unsupported.

        It takes the location, and the spec of the vectors in case the database doesn't say it.
        """


def backend_of(location: StrPath) -> Backend[Candidates]:
    """Return the backend that a location belongs to.

    Raises
    ------
    UsageError
        If the location is a URL that no backend knows.
    """
    name = os.fspath(location)
    scheme, colon, _ = name.partition(":")
    if not colon or scheme not in BACKENDS:
        if is_url(name):
            raise UsageError(
                f"{name} is neither a folder nor an address in Milvus.",
                hint="Name a folder, milvus://HOST:PORT/COLLECTION or "
                "milvus+lite:///folder/file.db.",
            )
        scheme = ""
    backend: Backend[Candidates] = importlib.import_module(BACKENDS[scheme]).BACKEND
    return backend


def display_location(location: StrPath) -> str:
    """Return a location as messages show it: the absolute path of a folder, or an address."""
    return backend_of(location).display(os.fspath(location))


def open_index(location: StrPath, settings: dict[str, str] | None) -> OpenIndex[Candidates]:
    """Open an index; create it if there is none and settings are given: see `Backend.open`."""
    return backend_of(location).open(os.fspath(location), settings)


def exists(location: StrPath) -> bool:
    """Return whether there is an index: see `Backend.exists`."""
    return backend_of(location).exists(os.fspath(location))


def check_writable(location: StrPath) -> None:
    """Check that an index can be created or changed: see `Backend.check_writable`."""
    backend_of(location).check_writable(os.fspath(location))


def supports(location: StrPath, capability: Capability) -> bool:
    """Return whether the backend of a location supports an operation."""
    return capability not in backend_of(location).unsupported


def require_capability(location: StrPath, capability: Capability) -> None:
    """Check that the backend of a location supports an operation.

    Raises
    ------
    LibraryError
        If it doesn't.
    """
    if not supports(location, capability):
        raise unsupported_error(location, capability)


def unsupported_error(location: StrPath, capability: Capability) -> LibraryError:
    """Return the error that the backend of a location doesn't support an operation."""
    unsupported = backend_of(location).unsupported.get(capability, _UNSUPPORTED)
    reason = unsupported.reason.format(location=display_location(location))
    return LibraryError(reason, hint=unsupported.hint)


def recover(location: StrPath, spec: EmbeddingSpec | None) -> RecoveryReport:
    """Save what can be read of a damaged database, and keep the damaged file.

    Parameters
    ----------
    location : str or path-like
    spec : EmbeddingSpec or None
        Model of the vectors, in case the database doesn't say it.

    Raises
    ------
    LibraryError
        If the backend doesn't support it, or the model is unknown.
    """
    function = backend_of(location).recover
    if function is None:
        raise unsupported_error(location, Capability.RECOVER)
    return function(os.fspath(location), spec)
