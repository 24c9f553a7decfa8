"""The index: tracks and their vectors, stored and searched."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiosearch.errors import (
    LibraryError,
    ModelMismatch,
    TrackNotFound,
    UsageError,
)
from audiosearch.library import backend
from audiosearch.library.track import EmbeddingSpec, Failure, Track
from audiosearch.paths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from audiosearch.library.faiss.vector_index import VectorIndex, VectorIndexes
    from audiosearch.library.filters import Filters
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.library.milvus.vector_index import MilvusVectorIndexes
    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.sqlite.coordinates import Coordinates
    from audiosearch.library.sqlite.staged_vectors import StagedVectors
    from audiosearch.types import Float32, Int64, StrPath

__all__ = ["EmbeddingSpec", "Failure", "Index", "Totals", "Track"]


@dataclass(frozen=True, slots=True)
class Totals:
    """An index in numbers; sizes in bytes, None where they are a server's business."""

    tracks: int
    seconds: float
    failures: int
    database_bytes: int | None
    faiss_bytes: int | None


class Index:
    """Tracks with their embeddings, in a folder or in Milvus.

    Parameters
    ----------
    location : str or path-like
        A folder, or the address of a collection: see `audiosearch.library.backend`.
    spec : EmbeddingSpec, optional
        Makes an index for such embeddings where there is none; where there is one, it must
        be of this spec.

    Attributes
    ----------
    location : str
        The folder, absolute, or the address.
    spec : EmbeddingSpec
        Whose embeddings it holds.
    spaces : VectorIndexes or MilvusVectorIndexes
        The vectors as they are searched, and how they are arranged for that.

    Raises
    ------
    IndexNotFound
        Where there is no index, and no spec to make one with.
    ModelMismatch
        Where the index is of another spec.
    IndexUnwritable, LibraryError
        Where the folder cannot be written, the server cannot be had, or the index is damaged.
    """

    def __init__(self, location: StrPath = "index", *, spec: EmbeddingSpec | None = None) -> None:
        self.location = backend.shown(location)
        settings = None if spec is None else spec.to_settings()
        self._catalog: Catalog | MilvusCatalog
        self.vector_indexes: VectorIndexes | MilvusVectorIndexes
        self._catalog, self.vector_indexes = backend.opened(location, settings)
        try:
            self.spec = self._read_spec()
            if spec is not None:
                self.require(spec)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self._catalog.close()

    @staticmethod
    def exists(location: StrPath) -> bool:
        """Return whether there is an index.

        Raises
        ------
        LibraryError
            Where a server that would know cannot be asked.
        """
        return backend.exists(location)

    @staticmethod
    def check_writable(location: StrPath) -> None:
        """Check that an index can be made or changed, without touching it.

        Raises
        ------
        IndexUnwritable
            Where it cannot.
        """
        backend.check_writable(location)

    def require(self, spec: EmbeddingSpec) -> None:
        """Check that embeddings of an spec may be compared with those here.

        An index that knows its model by name only, as of imported vectors, takes the first
        spec of that name for its own.

        Raises
        ------
        ModelMismatch
            Where they may not.
        """
        if self.spec.is_compatible(spec):
            self._adopt(spec)
        own = (self.spec.weights_digest, self.spec.excerpt_seconds, self.spec.dimension)
        if (spec.weights_digest, spec.excerpt_seconds, spec.dimension) != own:
            raise ModelMismatch(
                f"The index {self.location} was made with {self.spec}, not with {spec}.",
                hint="Leave out the option to use the index's own, start another index with "
                "--index DIR, or change this one's model with `audiosearch reembed`.",
            )

    def _adopt(self, spec: EmbeddingSpec) -> None:
        self.spec = spec
        with contextlib.suppress(LibraryError), self._catalog.transaction():
            if self._read_spec().is_compatible(spec):  # no other process was first
                self._catalog.set_settings(spec.to_settings())

    # Tracks

    def add(self, track: Track, vector: Float32) -> Track:
        """Store a track with its vector of unit length, in place of any under its path.

        Returns
        -------
        Track
            With its id; one that was stored keeps its own.
        """
        return self.add_all([(track, vector)])[0]

    def add_all(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with their vectors: in a folder all of them, or none.

        A track that has an id and is new here keeps it, where no other has it.
        """
        with self._catalog.transaction():
            self._check_spec()
            return self._catalog.put(rows)

    def transaction(self) -> AbstractContextManager[None]:
        """Write what is written inside as one: in a folder all of it, or nothing."""
        return self._catalog.transaction()

    def update(self, track: Track) -> None:
        """Write a stored track's fields anew, its path among them; its vector stays."""
        self._catalog.update(track)

    def set_tags(self, track: Track, tags: dict[str, Any]) -> None:
        """Write some of a track's fields, unless its file was embedded anew meanwhile."""
        self._catalog.set_tags(track, tags)

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give tracks new paths: in a folder all of them, or none."""
        self._catalog.move(tracks)

    def add_failures(self, failures: Iterable[Failure]) -> None:
        """Record files that could not be embedded."""
        self._catalog.put_failures(failures)

    def failures(self) -> list[Failure]:
        """Return the files that could not be embedded, by path."""
        return self._catalog.failures()

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Forget failures."""
        self._catalog.remove_failures(failures)

    def remove(self, tracks: Iterable[Track]) -> None:
        """Forget tracks, but for those that have moved meanwhile."""
        self._catalog.remove(tracks)

    def resolve(self, name: str) -> Track | None:
        """Return the track that a name stands for; None where there is none.

        Parameters
        ----------
        name : str
            In this order: a stored path to the letter, a stored path once made absolute,
            ``#ID``.
        """
        track = self._catalog.track_at(name) or self._catalog.track_at(absolute(name))
        if track is None and re.fullmatch(r"#[0-9]{1,18}", name):
            return next(self._catalog.tracks([int(name[1:])]), None)
        return track

    def track_at(self, path: str) -> Track | None:
        """Return the track stored under a path, to the letter; None where there is none."""
        return self._catalog.track_at(path)

    def resolve_all(self, name: str) -> list[Track]:
        """Return the track that a name stands for, or else the tracks in the folder it names.

        Raises
        ------
        TrackNotFound
            Where there is none.
        """
        if not name:
            raise UsageError("An empty name stands for no track.", hint="Name a path, or an #ID.")
        track = self.resolve(name)
        found = [track] if track else self._catalog.tracks_under(absolute(name))
        if not found:
            raise TrackNotFound(
                f"Nothing is stored under {name} in the index {self.location}.",
                hint="`audiosearch list` shows the tracks with their paths and ids.",
            )
        return found

    def tracks_of(self, content_hashes: Iterable[str]) -> dict[str, list[Track]]:
        """Return for each content the tracks whose files had it, by its hash."""
        found: dict[str, list[Track]] = {content_hash: [] for content_hash in content_hashes}
        for track in self._catalog.tracks_of(list(found)):
            found[track.content_hash].append(track)
        return found

    @property
    def n_tracks(self) -> int:
        """How many tracks there are."""
        return self._catalog.count()

    def require_tracks(self) -> None:
        """Check that the index has tracks.

        Raises
        ------
        LibraryError
            If it is empty.
        """
        if not self.n_tracks:
            raise LibraryError(
                "The index is empty.", hint="Add files with `audiosearch add FOLDER`."
            )

    def __iter__(self) -> Iterator[Track]:
        """Yield every track, in the order of their ids."""
        return self._catalog.tracks()

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""
        return self._catalog.ids(filters)

    def search_text(self, words: str, *, limit: int = 20, offset: int = 0) -> list[Track]:
        """Return tracks in whose tags or path every word occurs, or begins one; best first."""
        ids = self._catalog.search_text(words, limit, offset)
        tracks = {track.id: track for track in self._catalog.tracks(ids)}
        return [tracks[i] for i in ids if i in tracks]

    def list_tracks(self, *, limit: int, offset: int = 0) -> list[Track]:
        """Return some tracks, in the order of their ids."""
        return self._catalog.list_tracks(limit, offset)

    def content_hashes(self) -> set[str]:
        """Return the hashes of the stored tracks' files, as far as they are known."""
        return self._catalog.content_hashes()

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return the size and the time of change (ns) of those paths that are stored."""
        return self._catalog.sizes_and_times(paths)

    def totals(self) -> Totals:
        """Return the index in numbers."""
        tracks, seconds, failures = self._catalog.totals()
        database_bytes, faiss_bytes = self._catalog.file_bytes(), self.vector_indexes.file_bytes()
        return Totals(tracks, seconds, failures, database_bytes, faiss_bytes)

    # Soundness

    def problems(self) -> list[str]:
        """Return what is wrong with the database itself: nothing, of one that is whole."""
        return self._catalog.problems()

    def missing_vectors(self) -> list[Track]:
        """Return the tracks that have no vector: none, but for damage."""
        return self._catalog.missing_vectors()

    # Another model's vectors

    def staged_vectors(self, spec: EmbeddingSpec) -> StagedVectors:
        """Begin to put another identity's vectors in the place of those here, or go on with it."""
        return self._catalog.staged_vectors(spec)

    def pending(self) -> tuple[str | None, int]:
        """Return the model whose vectors are to succeed, if any, and how many there are."""
        return self._catalog.pending()

    # Vectors

    def vector(self, track: Track) -> Float32:
        """Return a track's vector: float32 of unit length, shape (128,)."""
        return self._catalog.vector(track.id)

    def all_with_vectors(
        self,
    ) -> AbstractContextManager[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Give the number of tracks, and all of them with their vectors.

        In a folder as of one instant; in Milvus it is an error where there are others at the end.
        """
        return self._catalog.all_with_vectors()

    def coordinates(self) -> Coordinates:
        """Return the tracks that have a place on the map, and the backend."""
        return self._catalog.coordinates()

    def put_coordinates(self, found: Coordinates, *, as_of: int) -> bool:
        """Keep places on the map; False where all were laid out anew meanwhile."""
        return self._catalog.put_coordinates(found, as_of=as_of)

    def revision(self) -> int:
        """Return a number that is another one after every change; in a folder it grows."""
        return self._catalog.revision()

    def version_token(self) -> tuple[int, int]:
        """Return what is another after any change of the tracks or their vectors."""
        return self._catalog.revision(), self._catalog.track_changes()

    def search(
        self, vector: Float32, k: int, *, exclude: Sequence[Track] = ()
    ) -> list[tuple[Track, float]]:
        """Return the tracks whose vectors are nearest, best first, with their cosines.

        Parameters
        ----------
        vector : ndarray of float32, shape (128,)
            Of unit length.
        k : int
            How many; fewer where the index holds fewer.
        exclude : sequence of Track
            Tracks to leave out.
        """
        space = self.vector_index()
        ids, cosines = space.search(vector, k, exclude_ids=[track.id for track in exclude])
        tracks = self.by_id(ids.tolist())
        # A track removed meanwhile, by another process, is no answer any more.
        found = zip(ids.tolist(), cosines.tolist(), strict=True)
        return [(tracks[i], min(cosine, 1.0)) for i, cosine in found if i in tracks]

    def by_id(self, ids: Sequence[int]) -> dict[int, Track]:
        """Return those of some tracks that are still there, by their ids."""
        tracks = {track.id: track for track in self._catalog.tracks(ids)}
        self._check_spec()
        return tracks

    def vector_index(self, *, whiten: bool = False) -> VectorIndex:
        """Return the vectors to search candidates, up to date: as they are, or whitened.

        Raises
        ------
        LibraryError
            Where there are too few tracks to whiten.
        """
        return self.vector_indexes.vector_index(whiten=whiten)

    def sync(self) -> None:
        """Bring the search file up to date, so that the next query need not."""
        self.vector_index()

    def _check_spec(self) -> None:
        """Check that no other process gave the index to another model meanwhile."""
        now = self._read_spec()
        if now != self.spec and not now.is_compatible(self.spec):
            raise ModelMismatch(
                f"The index {self.location} was made anew with {now} meanwhile.",
                hint="Run the same command again; start a server anew.",
            )

    def _read_spec(self) -> EmbeddingSpec:
        try:
            return EmbeddingSpec.from_settings(self._catalog.settings())
        except (KeyError, ValueError) as exc:
            raise LibraryError(
                f"The index {self.location} does not say which model it was made with.",
                hint="Move it away and add your files again.",
            ) from exc
