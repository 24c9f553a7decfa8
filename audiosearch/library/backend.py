"""Backends of an index: the protocols that they implement, and the table of all backends.

A new backend is one folder of modules and one line in `BACKENDS`.
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
    from audiosearch.library.storage import (
        CoordinateStorage,
        FieldStorage,
        LinkStorage,
        MomentStorage,
        PlaylistStorage,
        PrintStorage,
        SoundStorage,
        StagingStorage,
        Storage,
        SuggestionStorage,
        WaveformStorage,
    )
    from audiosearch.library.track import EmbeddingSpec
    from audiosearch.library.tuning import Optimizer
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
    """Tracks that may be hits: stands for the type that each backend uses for them.

    `VectorIndexes.candidates` returns candidates, and `VectorIndex.search` takes them. Only the
    backend looks inside.
    """


C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


class VectorIndex(Protocol[C_contra]):
    """Vectors of all tracks, plain or whitened, searched by inner product."""

    @property
    def max_k(self) -> int | None:
        """Largest number of neighbors that a search returns; None for no limit."""

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
            Of unit length. Whitened if this is the index of the whitened vectors.
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
            Number of neighbors. Fewer are returned if fewer tracks qualify, or if k is larger
            than `max_k`.
        candidates : Candidates, optional
            Tracks that may be hits, from `VectorIndexes.candidates`; all tracks by default.
        exclude_ids : sequence of int
            Ids of tracks that must not be hits.

        Returns
        -------
        ids : ndarray of int64, shape (n_found,)
        products : ndarray of float32, shape (n_found,)
        """

    def search_batch(
        self, vectors: Float32, ks: Sequence[int], exclude_ids: Sequence[Sequence[int]]
    ) -> list[tuple[Int64, Float32]]:
        """Search with several vectors at once. That is much faster than one search for each.

        The result has one pair of ids and inner products, as from `search`, for each vector.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
        ks : sequence of int
            Number of neighbors of each vector.
        exclude_ids : sequence of sequence of int
            For each vector, ids of tracks that must not be hits.
        """


class VectorIndexes(Protocol[C]):
    """The vector indexes of one index: of its plain and of its whitened vectors."""

    def vector_index(self, *, whiten: bool = False) -> VectorIndex[C]:
        """Return the up-to-date vector index of the plain or the whitened vectors.

        The object stays the same until the vector index is replaced, for example because the
        whitening is fitted again.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        """

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> C | None:
        """Return the tracks that may be hits; None if all tracks may.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (dimension,), float), optional
            A vector of unit length, and the smallest cosine to it that a hit may have.
        """

    def index_type(self) -> str:
        """Return the type of the index of the plain vectors, such as "flat"."""

    def file_bytes(self) -> int | None:
        """Return the size of the FAISS files, in bytes; None if a server keeps the index."""

    def details(self) -> str:
        """Return the state of the index of the plain vectors, as a phrase."""

    def memory_bytes(self) -> int | None:
        """Estimate the memory that searches keep here, in bytes; None if a server keeps it."""

    def max_memory_bytes(self) -> int | None:
        """Return the limit of `memory_bytes` that was asked for; None if there is none."""

    def problem(self) -> str | None:
        """Return the problem with the FAISS file, as a phrase; None if there is no problem."""

    def delete_file(self) -> None:
        """Delete the FAISS file, if there is one. The next search rebuilds it."""


class Capability(Enum):
    """An operation that only some backends support."""

    OPTIMIZE = "optimize"  # choose the type of the vector index
    REEMBED = "reembed"  # replace all vectors with those of another model
    RECOVER = "recover"  # save the readable rows of a damaged database
    WHITEN = "whiten"  # search whitened vectors


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Reason and advice for an operation that a backend doesn't support.

    Attributes
    ----------
    reason : str
        One sentence. ``{location}`` in it is replaced with the location of the index.
    hint : str
        One sentence that says what to do instead.
    """

    reason: str
    hint: str


_UNSUPPORTED = Unsupported(
    "The backend of {location} doesn't support this.",
    hint="Copy the index to a folder with `audiosearch copy`, and use the copy.",
)


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """Result of saving the readable rows of a damaged database.

    Attributes
    ----------
    tracks : int
        Number of tracks saved with their vectors.
    lost : int
        Number of other tracks that left a trace: their fields, their vector, or their id. There
        may have been more.
    kept : str
        Path of the damaged database, under its new name.
    """

    tracks: int
    lost: int
    kept: str


@dataclass(frozen=True, slots=True)
class OpenIndex(Generic[C]):
    """Parts of an open index, as its backend provides them.

    Attributes
    ----------
    storage : Storage
        Tracks, vectors, failures and settings.
    vector_indexes : VectorIndexes
        Vector indexes of the plain and the whitened vectors.
    optimizer : Optimizer or None
        Chooses the type of the vector indexes; None if the backend doesn't support
        `Capability.OPTIMIZE`.
    staging : StagingStorage or None
        Vectors of another model; None if the backend doesn't support `Capability.REEMBED`.
    coordinates : CoordinateStorage or None
        Map coordinates. None if the backend doesn't keep any; then each map is a new layout.
    prints : PrintStorage or None
        Spectral prints of files. None if the backend doesn't keep any; then each search for
        duplicates decodes the files again.
    waveforms : WaveformStorage or None
        Waveforms of files. None if the backend doesn't keep any; then they are made when needed.
    playlists : PlaylistStorage or None
        Saved playlists. None if the backend doesn't keep any.
    links : LinkStorage or None
        Real paths of tracks. None if the backend doesn't keep any; then a file that was replaced
        by a link isn't noticed.
    fields : FieldStorage or None
        Some fields of many tracks. If it is None, whole tracks are read.
    is_current : callable or None
        Returns whether the location still holds the index that was opened: not if another process
        has deleted or replaced its files. None if that can't happen.
    sounds : SoundStorage or None
        The sounds of all tracks, taken together. If it is None, whole tracks are read.
    keeps_sounds : bool
        Whether the sounds of tracks are stored. A collection of an older version drops them.
    suggestions : SuggestionStorage or None
        Values of tags, found by words. If it is None, whole tracks are read.
    moments : MomentStorage or None
        Moments of tracks. None if the backend doesn't keep any.
    """

    storage: Storage
    vector_indexes: VectorIndexes[C]
    optimizer: Optimizer | None = None
    staging: StagingStorage | None = None
    coordinates: CoordinateStorage | None = None
    prints: PrintStorage | None = None
    waveforms: WaveformStorage | None = None
    playlists: PlaylistStorage | None = None
    links: LinkStorage | None = None
    fields: FieldStorage | None = None
    is_current: Callable[[], bool] | None = None
    sounds: SoundStorage | None = None
    keeps_sounds: bool = True
    suggestions: SuggestionStorage | None = None
    moments: MomentStorage | None = None


class Backend(Protocol[C]):
    """A way to store and search indexes, such as in a folder or in Milvus."""

    @property
    def unsupported(self) -> Mapping[Capability, Unsupported]:
        """Operations that the backend doesn't support, with the reasons."""

    def display(self, location: str) -> str:
        """Return a location as messages show it."""

    def exists(self, location: str) -> bool:
        """Return whether an index exists at a location.

        Raises
        ------
        LibraryError
            If a server can't be reached.
        """

    def check_writable(self, location: str) -> None:
        """Check that an index can be created or changed. Nothing is changed.

        Raises
        ------
        IndexUnwritable
            If the index can't be written.
        MissingExtra
            If a package that the backend needs isn't installed.
        """

    def open(self, location: str, settings: dict[str, str] | None) -> OpenIndex[C]:
        """Open an index.

        Parameters
        ----------
        location : str
        settings : dict or None
            Settings of a new index. None: open an existing index only.

        Raises
        ------
        IndexNotFound
            If the index doesn't exist and no settings are given.
        MissingExtra
            If a package that the backend needs isn't installed.
        LibraryError
            If the index can't be opened.
        """

    @property
    def recover(self) -> Callable[[str, EmbeddingSpec | None], RecoveryReport] | None:
        """Function that saves the readable rows of a damaged database; None if unsupported.

        It takes the location, and the spec of the vectors, which is used only if the database no
        longer names it.
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
    """Open an index. Create it if it doesn't exist and settings are given: see `Backend.open`."""
    return backend_of(location).open(os.fspath(location), settings)


def exists(location: StrPath) -> bool:
    """Return whether an index exists at a location: see `Backend.exists`."""
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
        If the backend doesn't support it.
    """
    if not supports(location, capability):
        raise unsupported_error(location, capability)


def unsupported_error(location: StrPath, capability: Capability) -> LibraryError:
    """Return an error for an operation that the backend of a location doesn't support."""
    unsupported = backend_of(location).unsupported.get(capability, _UNSUPPORTED)
    reason = unsupported.reason.format(location=display_location(location))
    return LibraryError(reason, hint=unsupported.hint)


def recover(location: StrPath, spec: EmbeddingSpec | None) -> RecoveryReport:
    """Save the readable rows of a damaged database, and keep the damaged file.

    Parameters
    ----------
    location : str or path-like
    spec : EmbeddingSpec or None
        Model of the vectors. Used only if the damaged database no longer names it.

    Raises
    ------
    LibraryError
        If the backend doesn't support recovery, or the model is unknown.
    """
    function = backend_of(location).recover
    if function is None:
        raise unsupported_error(location, Capability.RECOVER)
    return function(os.fspath(location), spec)
