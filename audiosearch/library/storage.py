"""Protocols of the storage behind an index. Each backend implements them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from audiosearch.library.filters import Filters
    from audiosearch.library.heard_sounds import HeardSound
    from audiosearch.library.neighbors import PatchNeighbors
    from audiosearch.library.saved_playlist import PlaylistSummary, SavedPlaylist
    from audiosearch.library.suggestions import Suggestion
    from audiosearch.library.track import Coordinates, EmbeddingSpec, Failure, Track
    from audiosearch.models.moments import Moments
    from audiosearch.models.spectral_print import SpectralPrint
    from audiosearch.types import Float32, Int64, UInt16


class SettingsStorage(Protocol):
    """Settings of an index, and its transactions."""

    def settings(self) -> dict[str, str]:
        """Return all settings."""

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings. Settings with other names don't change."""

    def transaction(self) -> AbstractContextManager[None]:
        """Write all changes inside the block, or none, if the backend has transactions."""

    def revision(self) -> int:
        """Return a number that changes with every change of a vector."""

    def track_changes(self) -> int:
        """Return a number that changes with every change of a track."""

    def problems(self) -> list[str]:
        """Return one phrase for each problem of the database; empty if it is intact."""

    def file_bytes(self) -> int | None:
        """Return the size of the database files, in bytes; None if a server keeps them."""

    def close(self) -> None:
        """Close the storage."""


class TrackStorage(Protocol):
    """Tracks of an index, and their vectors."""

    def put(self, rows: Iterable[tuple[Track, Float32]]) -> list[Track]:
        """Store tracks with vectors of unit length, and return the tracks with their ids.

        A track with the path of a stored track replaces it and takes over its id. A new track
        keeps its own id if no other track has it. Failures with the same paths are removed.
        """

    def update(self, track: Track) -> None:
        """Replace all fields of the track with the same id, its path included."""

    def set_fields(self, changes: Iterable[tuple[Track, Mapping[str, Any]]]) -> None:
        """Set the given fields of each track, unless its stored content hash has changed."""

    def move(self, tracks: Iterable[tuple[Track, str]]) -> None:
        """Give each track a new path, and the real path in the given `Track` if those are kept."""

    def remove(self, tracks: Iterable[Track]) -> None:
        """Remove tracks and their vectors, except tracks that have another path by now."""

    def tracks(self, ids: Sequence[int] | None = None) -> Iterator[Track]:
        """Yield the tracks with the given ids, or all tracks, in ascending order of id."""

    def list_tracks(self, limit: int, offset: int) -> list[Track]:
        """Return one page of all tracks, in ascending order of id."""

    def track_at(self, path: str) -> Track | None:
        """Return the track with exactly this path; None if there is none."""

    def tracks_of(self, hashes: Sequence[str]) -> Iterator[Track]:
        """Yield the tracks that have one of the given hashes, of their content or their audio."""

    def tracks_of_sizes(self, sizes: Sequence[int]) -> Iterator[Track]:
        """Yield the tracks whose files had one of the given sizes, in bytes."""

    def tracks_under(self, folder: str) -> list[Track]:
        """Return the tracks in a folder and its subfolders."""

    def ids(self, filters: Filters) -> Int64:
        """Return the ids of the tracks that pass filters, ascending: int64, shape (n,)."""

    def search_text(self, words: str, limit: int, offset: int) -> list[int]:
        """Return the ids of tracks with all words in their tags or path, best first.

        A word also matches longer words that begin with it.
        """

    def hashes(self) -> set[str]:
        """Return the known hashes of all tracks, of their content and of their audio."""

    def artists(self) -> set[str]:
        """Return the different artist and album artist tags."""

    def sizes_and_times(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return size (bytes) and modification time (ns) by path, for the paths that are stored."""

    def count(self) -> int:
        """Return the number of tracks."""

    def count_without_sounds(self) -> int:
        """Return the number of tracks in which no tagger has looked for sounds yet."""

    def totals(self) -> tuple[int, float, int]:
        """Return the number of tracks, their total seconds, and the number of failures."""

    def vector(self, track_id: int) -> Float32:
        """Return the vector of a track: float32 of unit length, shape (dimension,).

        Raises
        ------
        TrackNotFound
            If the track or its vector doesn't exist.
        """

    def all_with_vectors(
        self,
    ) -> AbstractContextManager[tuple[int, Iterator[tuple[Track, Float32]]]]:
        """Return a context manager: the number of tracks, and all tracks with their vectors.

        In a folder, the tracks are those at the start of the block, even if another process
        writes. In Milvus, the iterator raises a LibraryError at its end if the number of tracks
        has changed.
        """

    def missing_vectors(self) -> list[Track]:
        """Return the tracks that lost their vector, or have a vector of the wrong dimension.

        That happens only if the database is damaged.
        """


class FailureStorage(Protocol):
    """Files that could not be embedded."""

    def add_failures(self, failures: Iterable[Failure]) -> None:
        """Store failures; each replaces the failure with the same path."""

    def failures(self) -> list[Failure]:
        """Return all failures, ordered by path."""

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Remove failures."""


class Storage(SettingsStorage, TrackStorage, FailureStorage, Protocol):
    """Tracks, vectors, failures and settings of one index."""


class CoordinateStorage(Protocol):
    """Map coordinates of tracks."""

    def coordinates(self) -> Coordinates:
        """Return the stored coordinates of all tracks whose vectors have not changed since."""

    def put_coordinates(self, coordinates: Coordinates, *, as_of: int) -> bool:
        """Store coordinates: those of a new layout, named "", or more of the stored layout.

        Parameters
        ----------
        coordinates : Coordinates
        as_of : int
            Revision of the vectors that the coordinates were computed from.

        Returns
        -------
        bool
            False if another process has replaced the layout; nothing is stored then.
        """


class FieldStorage(Protocol):
    """A fast way to read some fields of many tracks."""

    def fields(
        self, names: Sequence[str], ids: Sequence[int] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return fields of the tracks with the given ids, or of all, in ascending order of id."""


class PrintStorage(Protocol):
    """Spectral prints of files, by the hash of their sound: see `Track.sound_hash`.

    So the print of a changed file is not used.
    """

    def prints(self, sound_hashes: Sequence[str]) -> dict[str, SpectralPrint]:
        """Return the stored prints of files with the given hashes."""

    def has_prints(self) -> bool:
        """Return whether any prints are stored."""

    def put_prints(self, prints: Mapping[str, SpectralPrint]) -> None:
        """Store prints by hash."""

    def prune_prints(self) -> None:
        """Remove the prints of files that are no longer tracks, if the backend can."""


class WaveformStorage(Protocol):
    """Waveforms of tracks. That of a track whose sound changes is no longer used.

    A waveform is `WAVEFORM_BYTES` bytes: see `audiosearch.audio.waveform.to_bytes`.
    """

    def waveforms(self, tracks: Sequence[Track]) -> dict[int, bytes]:
        """Return the stored waveforms of tracks, by id."""

    def put_waveforms(self, waveforms: Sequence[tuple[Track, bytes]]) -> None:
        """Store waveforms of tracks, except those that were removed or have another sound now."""


class PlaylistStorage(Protocol):
    """Saved playlists, by their names. They stay when tracks are removed."""

    def playlists(self) -> list[PlaylistSummary]:
        """Return all playlists without their tracks, in any order."""

    def playlist(self, name: str) -> SavedPlaylist | None:
        """Return the playlist with a name; None if there is none."""

    def put_playlist(self, playlist: SavedPlaylist) -> None:
        """Store a playlist. It replaces one of the same name.

        Raises
        ------
        LibraryError
            If there are as many playlists as there may be.
        """

    def remove_playlist(self, name: str) -> bool:
        """Remove a playlist. Return whether there was one of that name."""


class LinkStorage(Protocol):
    """Real paths of tracks, kept in `Track.real_path`."""

    def linked_paths(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the stored real path of each stored path from which it differs; empty if unknown.

        The real path of every other stored path is the path itself.
        """


class SoundStorage(Protocol):
    """Sounds of all tracks, taken together."""

    def scores(self, filters: Filters) -> dict[int, float]:
        """Return the highest score of the sounds in filters, for each track that passes them.

        The filters must name sounds.
        """

    def heard(self, filters: Filters) -> list[HeardSound]:
        """Return the sounds that are heard in the tracks that pass filters, in any order."""


#: Bytes of a waveform.
WAVEFORM_BYTES = 800


class SuggestionStorage(Protocol):
    """Values of tags, sounds and folders of all tracks, found by words being typed."""

    def suggestions(self, words: str, fields: Collection[str]) -> Iterable[Suggestion]:
        """Return the values of fields that have all words, or words that begin with them.

        Parameters
        ----------
        words : str
            All values of the fields if it is empty.
        fields : collection of str
            Some of `audiosearch.library.suggestions.FIELDS`.
        """


#: Setting: seconds from one patch to the next. See `audiosearch.library.index.Index.moment_hop`.
MOMENT_HOP = "moment_hop"


class MomentStorage(Protocol):
    """Moments of tracks: the embeddings of their patches, and the sounds heard in each.

    They are kept only in an index with a `audiosearch.library.index.Index.moment_hop`.
    """

    def put(self, moments: Mapping[int, Moments | None]) -> None:
        """Store the moments of tracks by id, in place of their former ones; None removes those.

        In a folder they are part of the transaction in progress. Ids of removed tracks are ignored.
        """

    def of(self, ids: Sequence[int]) -> Iterator[tuple[int, Moments]]:
        """Yield the id and the moments of each track that has any, in any order."""

    def prints(self) -> Iterator[tuple[int, UInt16]]:
        """Yield the id and the prints of the patches of each track that has any, in any order.

        Shape (n_patches, 16 or 8): see `audiosearch.models.moments.Moments`.
        """

    def missing(self) -> list[Track]:
        """Return the tracks without moments or without prints, in ascending order of id."""

    def damaged(self) -> list[int]:
        """Return the track ids of moments that can't be read, or whose track doesn't exist.

        All moments are read. `put` with None removes them.
        """

    def remove_all(self) -> None:
        """Remove the moments of all tracks."""

    def totals(self) -> tuple[int, int, int]:
        """Return the numbers of tracks with moments, of their patches, and of bytes."""

    def search(self, vectors: Float32, k: int, *, ids: Int64 | None = None) -> list[PatchNeighbors]:
        """Return, for each vector, the k patches nearest to it, best first.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
            Of unit length.
        k : int
        ids : ndarray of int64, shape (n_tracks,), optional
            Ids of the tracks whose patches are compared. Default: of all.
        """

    def sync(self) -> None:
        """Bring the FAISS index of the patches up to date, so that the next search is fast."""

    def file_bytes(self) -> int | None:
        """Return the size of the FAISS file of the patches, in bytes; None if a server keeps it."""

    def problem(self) -> str | None:
        """Return the problem with the FAISS file, as a phrase; None if there is none."""

    def delete_file(self) -> None:
        """Delete the FAISS file of the patches, if there is one. The next search rebuilds it."""


class StagedVectors(Protocol):
    """Vectors of another model, kept beside the current ones until they replace them."""

    def missing(self) -> list[Track]:
        """Return the tracks that have no staged vector yet."""

    def vectors_by_content(self) -> dict[str, int]:
        """Return, for each content hash that was embedded, the id of a track that has it."""

    def put(
        self, track: Track, content_hash: str, vector: Float32, moments: Moments | None = None
    ) -> None:
        """Stage a track's vector and moments, unless the stored track was changed or removed.

        Parameters
        ----------
        track : Track
        content_hash : str
            Hash of the file that was embedded. If the file has changed, it differs from the
            hash of the track.
        vector : ndarray of float32, shape (dimension,)
            Of unit length.
        moments : Moments, optional
            With embeddings of the same dimension.

        Raises
        ------
        ModelMismatch
            If the vector has another dimension than the spec of the staged vectors.
        LibraryError
            If another process has staged vectors of another spec, or changed the hop of moments.
        """

    def vector(self, track_id: int) -> Float32 | None:
        """Return the staged vector of a track, float32 of shape (dimension,); None if missing."""

    def moments(self, track_id: int) -> Moments | None:
        """Return the staged moments of a track; None if it has none."""

    def commit(self, lost: Iterable[tuple[Track, Failure]]) -> bool:
        """Replace the current vectors and moments with the staged ones, in one transaction.

        A file's moments whose sounds are not staged keep the sounds that they have.

        Parameters
        ----------
        lost : iterable of (Track, Failure)
            Tracks without a staged vector. They are removed, and their failures are stored.

        Returns
        -------
        bool
            False if any other track has no staged vector; nothing is changed then.
        """


class StagingStorage(Protocol):
    """Storage for the vectors of one other model, until they replace the current ones."""

    def staged_vectors(self, spec: EmbeddingSpec) -> StagedVectors:
        """Return the staged vectors of a spec. Staged vectors of another spec are deleted."""

    def pending(self) -> tuple[str | None, int]:
        """Return the name of the model whose vectors are staged, and their number."""
