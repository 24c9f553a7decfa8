"""The index: tracks and their vectors, stored and searched by a backend."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from typing import TYPE_CHECKING

from audiosearch import system
from audiosearch.errors import LibraryError, ModelMismatch, TrackNotFound, UsageError
from audiosearch.library import backend
from audiosearch.library.optional_parts import OptionalParts, hop_settings
from audiosearch.library.track import EmbeddingSpec, Failure, Totals, Track
from audiosearch.paths import absolute, names_of, normal_forms_of, real_path, real_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from audiosearch.library.backend import Candidates, VectorIndex, VectorIndexes
    from audiosearch.library.storage import Storage
    from audiosearch.models.moments import Moments
    from audiosearch.types import Float32, StrPath

__all__ = ["EmbeddingSpec", "Failure", "Index", "Totals", "Track", "opened", "without_sounds"]

log = logging.getLogger(__name__)


class Index(OptionalParts):
    """Tracks with their vectors, in a folder or in Milvus.

    Parameters
    ----------
    location : str or path-like
        A folder, or the address of a collection: see `audiosearch.library.backend`.
    spec : EmbeddingSpec, optional
        Model of the vectors. If the index doesn't exist, it is created with this spec. An
        existing index must have the same spec.
    moment_hop : float, optional
        See `moment_hop`; only for an index that is created.

    Attributes
    ----------
    location : str
        Absolute path of the folder, or the address.
    spec : EmbeddingSpec
        Model of the vectors.
    storage : Storage
        Tracks, vectors, failures and settings, with the operations that `Index` doesn't offer.
    vector_indexes : VectorIndexes
        The vector indexes of the plain and the whitened vectors.
    resources : contextlib.ExitStack
        Resources of searches, such as decoder processes. They are closed with the index.

    Raises
    ------
    IndexNotFound
        If the index doesn't exist and no spec is given.
    ModelMismatch
        If the index has another spec.
    IndexUnwritable
        If the folder can't be written.
    LibraryError
        If a server can't be reached, or the index is damaged.
    """

    def __init__(
        self,
        location: StrPath = "index",
        *,
        spec: EmbeddingSpec | None = None,
        moment_hop: float | None = None,
    ) -> None:
        self.location = backend.display_location(location)
        self.resources = contextlib.ExitStack()
        settings = None if spec is None else spec.to_settings() | hop_settings(moment_hop)
        self._parts = backend.open_index(location, settings)
        self.storage: Storage = self._parts.storage
        self.vector_indexes: VectorIndexes[Candidates] = self._parts.vector_indexes
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
        with contextlib.closing(self.storage):
            self.resources.close()

    def is_current(self) -> bool:
        """Return whether the location still holds this index.

        It doesn't if another process has deleted or replaced the files since the index was opened.
        """
        return self._parts.is_current is None or self._parts.is_current()

    @staticmethod
    def exists(location: StrPath) -> bool:
        """Return whether an index exists at a location.

        Raises
        ------
        LibraryError
            If a server can't be reached.
        """
        return backend.exists(location)

    @staticmethod
    def check_writable(location: StrPath) -> None:
        """Check that an index can be created or changed. Nothing is changed.

        Raises
        ------
        IndexUnwritable
            If the index can't be written.
        """
        backend.check_writable(location)

    # Checks

    def require(self, spec: EmbeddingSpec) -> None:
        """Check that vectors of a spec can be compared with those of the index.

        An index of imported vectors may know only the name of its model. It then takes over the
        first spec with that name.

        Raises
        ------
        ModelMismatch
            If the index has another spec.
        """
        if self.spec.is_compatible(spec):
            self._adopt(spec)
        current = (self.spec.weights_digest, self.spec.excerpt_seconds, self.spec.dimension)
        if (spec.weights_digest, spec.excerpt_seconds, spec.dimension) != current:
            raise ModelMismatch(
                f"The index {self.location} was made with {self.spec}, not with {spec}.",
                hint="Leave out the option to use the index's model, use another index with "
                "--index DIR, or change this one's model with `audiosearch reembed`.",
            )

    def require_tracks(self) -> None:
        """Check that the index has tracks.

        Raises
        ------
        LibraryError
            If the index is empty.
        """
        if not self.n_tracks:
            raise LibraryError(
                "The index is empty.", hint="Add files with `audiosearch add FOLDER`."
            )

    def require_vectors(self) -> None:
        """Check that the index has tracks, and that one of them has a vector.

        Raises
        ------
        LibraryError
            If the index is empty, or all its vectors are lost.
        """
        self.require_tracks()
        if self.storage.count() == len(self.storage.missing_vectors()):
            raise LibraryError(
                f"The index {self.location} is damaged: no track has a vector.",
                hint="Run `audiosearch doctor`.",
            )

    def require_sounds(self) -> None:
        """Check that tracks have sounds. If some have none yet, the log has a warning.

        Raises
        ------
        LibraryError
            If no track has sounds, or the backend drops them.
        """
        self.require_sound_storage()
        n_missing = self.storage.count_without_sounds()
        if not n_missing:
            return
        n_tracks = self.n_tracks
        sentence = without_sounds(n_missing, n_tracks)
        if n_missing == n_tracks:
            raise LibraryError(sentence, hint="It finds the sounds in the files of these tracks.")
        log.warning("%s", sentence)

    def require_moments(self) -> float:
        """Return the `moment_hop`, after checking that tracks have moments.

        Raises
        ------
        LibraryError
            If the index has no moments.
        """
        hop = self.moment_hop
        if hop is None:
            raise LibraryError(
                f"The index {self.location} has no moments.",
                hint="Add them with `audiosearch refresh --moments`.",
            )
        self.require_tracks()
        return hop

    def _adopt(self, spec: EmbeddingSpec) -> None:
        self.spec = spec
        with contextlib.suppress(LibraryError), self.storage.transaction():
            if self._read_spec().is_compatible(spec):  # unless another process has set a spec
                self.storage.set_settings(spec.to_settings())

    def check_spec(self, spec: EmbeddingSpec | None = None) -> None:
        """Check that no other process has changed the model of the index.

        Parameters
        ----------
        spec : EmbeddingSpec, optional
            The model it had. Default: when the index was opened.

        Raises
        ------
        ModelMismatch
            If the index has another model.
        """
        stored, spec = self._read_spec(), spec or self.spec
        if stored != spec and not stored.is_compatible(spec):
            raise ModelMismatch(
                f"Another process has changed the model of the index {self.location} to {stored}.",
                hint="Run the same command again, or restart the server.",
            )

    def _check_dimension(self, vector: Float32) -> None:
        if vector.shape != (self.spec.dimension,):
            raise ModelMismatch(
                f"The index {self.location} has vectors of {self.spec.dimension} numbers, not of "
                f"{vector.size}.",
                hint=f"Use vectors of {self.spec.dimension} numbers, made by {self.spec}, or "
                f"another index for vectors of {vector.size}.",
            )

    def _read_spec(self) -> EmbeddingSpec:
        try:
            return EmbeddingSpec.from_settings(self.storage.settings())
        except (KeyError, ValueError) as exc:
            raise LibraryError(
                f"The index {self.location} doesn't say which model made it.",
                hint="Move it away, and add your files again.",
            ) from exc

    # Tracks

    def add(self, track: Track, vector: Float32) -> Track:
        """Store a track with its vector. It replaces a stored track with the same path.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (dimension,)
            Of unit length.

        Returns
        -------
        Track
            The track with its id. A replaced track keeps its id.

        Raises
        ------
        ModelMismatch
            If the vector has another dimension than the index.
        """
        return self.add_all([(track, vector)])[0]

    def add_all(
        self,
        rows: Iterable[tuple[Track, Float32]],
        *,
        moments: Sequence[Moments | None] | None = None,
    ) -> list[Track]:
        """Store tracks with their vectors. In a folder, all of them are stored, or none.

        A new track keeps its own id if no other track has it. See `add`.

        Parameters
        ----------
        rows : iterable of (Track, ndarray of float32 of shape (dimension,))
        moments : sequence of Moments or None, optional
            Moments of each track; None removes those that are stored. Default: stored moments don't
            change. Without a `moment_hop`, they are not stored.
        """
        with self.storage.transaction():
            self.check_spec()
            tracks = self.storage.put(self._checked(rows))
            if moments is not None and self.moment_hop is not None:
                ids = [track.id for track in tracks]
                self.moments.put(dict(zip(ids, moments, strict=True)))
            return tracks

    def _checked(self, rows: Iterable[tuple[Track, Float32]]) -> Iterator[tuple[Track, Float32]]:
        for track, vector in rows:
            self._check_dimension(vector)
            yield track, vector

    def remove(self, tracks: Iterable[Track]) -> None:
        """Remove tracks, except tracks that have another path by now."""
        self.storage.remove(tracks)

    def transaction(self) -> AbstractContextManager[None]:
        """Write all changes inside the block, or none. Milvus writes each change immediately."""
        return self.storage.transaction()

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return self.storage.count()

    def __iter__(self) -> Iterator[Track]:
        """Yield all tracks, in ascending order of id."""
        return self.storage.tracks()

    def by_id(self, ids: Sequence[int]) -> dict[int, Track]:
        """Return the tracks with the given ids, by id. Ids of removed tracks are left out."""
        tracks = {track.id: track for track in self.storage.tracks(ids)}
        self.check_spec()
        return tracks

    def resolve(self, name: str) -> Track | None:
        """Return the track with a name; None if there is none.

        Parameters
        ----------
        name : str
            A stored path, a path relative to the current folder, with or without symbolic links,
            ``#ID``, the path of a file that is stored under a link, or a path in another normal
            form of Unicode. They are tried in this order.
        """
        for path in (name, *names_of(name)):
            if track := self.storage.track_at(path):
                return track
        if re.fullmatch(r"#[0-9]{1,18}", name):
            return next(self.storage.tracks([int(name[1:])]), None)
        paths = (path for path in normal_forms_of(name) if path != absolute(name))
        return self._track_behind_links(name) or next(
            filter(None, map(self.storage.track_at, paths)), None
        )

    def _track_behind_links(self, path: str) -> Track | None:
        """Return the track that is stored under a link to a file; None if there is none."""
        try:
            size = os.stat(path).st_size
        except (OSError, ValueError):
            return None
        real = real_path(path)
        tracks = list(self.storage.tracks_of_sizes([size]))
        candidates = zip(tracks, real_paths(track.path for track in tracks), strict=True)
        return next((track for track, candidate in candidates if candidate == real), None)

    def resolve_all(self, name: str) -> list[Track]:
        """Return the track with a name; if there is none, all tracks in the folder of that name.

        Raises
        ------
        UsageError
            If the name is empty.
        TrackNotFound
            If there is no such track or folder.
        """
        if not name:
            raise UsageError("The name of a track is empty.", hint="Enter a path or an #ID.")
        track = self.resolve(name)
        if track:
            return [track]
        for folder in (name, self.as_stored(absolute(name)), *normal_forms_of(name)):
            if tracks := self.tracks_in(folder):
                return tracks
        raise self.no_track(name)

    def no_track(self, name: str) -> TrackNotFound:
        """Return the error that no track has a name."""
        return TrackNotFound(
            f"The index {self.location} has no track under {name}.",
            hint="`audiosearch list` shows the tracks with their paths and ids.",
        )

    def tracks_in(self, folder: str) -> list[Track]:
        """Return the tracks in a folder, which may be a link, and in its subfolders."""
        tracks = (track for name in names_of(folder) for track in self.storage.tracks_under(name))
        return list({track.id: track for track in tracks}.values())

    def as_stored(self, folder: str) -> str:
        """Return an absolute path as the tracks below that folder have it.

        On Windows, no disk tells the upper and lower case of a folder that is gone.
        """
        if not system.IS_WINDOWS or os.path.isdir(folder):
            return folder
        start = os.path.normcase(os.path.join(folder, ""))
        stored = (path for _, path in self.fields(("id", "path")))
        below = (path for path in stored if os.path.normcase(path).startswith(start))
        return next(below, folder)[: len(folder)]

    def search_text(self, words: str, *, limit: int = 20, offset: int = 0) -> list[Track]:
        """Return tracks with all words in their tags or path, best first.

        A word also matches longer words that begin with it.
        """
        ids = self.storage.search_text(words, limit, offset)
        tracks = {track.id: track for track in self.storage.tracks(ids)}
        return [tracks[i] for i in ids if i in tracks]

    def tracks_of(self, hashes: Iterable[str]) -> dict[str, list[Track]]:
        """Return the tracks that have each hash, of their content or their audio, by hash."""
        result: dict[str, list[Track]] = {digest: [] for digest in hashes}
        for track in {t.id: t for t in self.storage.tracks_of(list(result))}.values():
            for digest in result.keys() & {track.content_hash, track.audio_hash}:
                result[digest].append(track)
        return result

    def totals(self) -> Totals:
        """Return the size of the index."""
        tracks, seconds, failures = self.storage.totals()
        faiss_bytes = self.vector_indexes.file_bytes()
        return Totals(tracks, seconds, failures, self.storage.file_bytes(), faiss_bytes)

    def version_token(self) -> tuple[int, int]:
        """Return a token that changes whenever tracks or vectors change."""
        return self.storage.revision(), self.storage.track_changes()

    # Vectors

    def vector(self, track: Track) -> Float32:
        """Return the vector of a track: float32 of unit length, shape (dimension,)."""
        return self.storage.vector(track.id)

    def vector_index(self, *, whiten: bool = False) -> VectorIndex[Candidates]:
        """Return the up-to-date vector index of the plain or the whitened vectors.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        ModelMismatch
            If another process has changed the dimension of the vectors.
        """
        vector_index = self.vector_indexes.vector_index(whiten=whiten)
        if vector_index.dimension != self.spec.dimension:
            self.check_spec()
        return vector_index

    def search(
        self, vector: Float32, k: int, *, exclude: Sequence[Track] = ()
    ) -> list[tuple[Track, float]]:
        """Return the tracks with the nearest vectors and their cosines, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (dimension,)
            Of unit length.
        k : int
            Number of tracks. Fewer are returned if the index has fewer.
        exclude : sequence of Track
            Tracks to leave out.

        Raises
        ------
        ModelMismatch
            If the vector has another dimension than the index.
        """
        self._check_dimension(vector)
        exclude_ids = [track.id for track in exclude]
        ids, cosines = self.vector_index().search(vector, k, exclude_ids=exclude_ids)
        tracks = self.by_id(ids.tolist())
        # Another process may have removed a track since the search.
        hits = zip(ids.tolist(), cosines.tolist(), strict=True)
        return [(tracks[i], min(cosine, 1.0)) for i, cosine in hits if i in tracks]

    def sync(self) -> None:
        """Bring the FAISS indexes up to date, so that the next query is fast."""
        self.vector_index()
        if self.moment_hop is not None:
            self.moments.sync()


def without_sounds(n_missing: int, n_tracks: int) -> str:
    """Return the sentence that tracks have no sounds yet, and what adds them."""
    return f"{n_missing} of {n_tracks} tracks have no sounds; run `audiosearch refresh --sounds`."


@contextlib.contextmanager
def opened(index: Index | StrPath) -> Iterator[Index]:
    """Yield an open index as it is; or open the one at a location, and close it at the end."""
    if isinstance(index, Index):
        yield index
    else:
        with Index(index) as newly_opened:
            yield newly_opened
