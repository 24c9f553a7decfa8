"""Parts of an open index that only some backends have."""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from audiosearch import defaults
from audiosearch.errors import LibraryError
from audiosearch.library import backend
from audiosearch.library.filters import EVERYTHING
from audiosearch.library.heard_sounds import SoundsOfTracks
from audiosearch.library.storage import MOMENT_HOP, WAVEFORM_BYTES
from audiosearch.library.suggestions import TAG_FIELDS, SuggestionsOfTracks
from audiosearch.library.track import Coordinates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from audiosearch.library.backend import Candidates, Capability, OpenIndex
    from audiosearch.library.storage import (
        MomentStorage,
        PlaylistStorage,
        SoundStorage,
        StagedVectors,
        Storage,
        SuggestionStorage,
    )
    from audiosearch.library.track import EmbeddingSpec, Track
    from audiosearch.library.tuning import Optimizer
    from audiosearch.models.moments import Moments
    from audiosearch.models.spectral_print import SpectralPrint

T = TypeVar("T")


class OptionalParts:
    """Parts of an open index that only some backends have; `Index` is one.

    Attributes
    ----------
    location : str
        Absolute path of the folder, or the address.
    storage : Storage
        Tracks, vectors, failures and settings.
    """

    location: str
    storage: Storage
    _parts: OpenIndex[Candidates]

    def supports(self, capability: Capability) -> bool:
        """Return whether the backend supports an operation."""
        return backend.supports(self.location, capability)

    def require_capability(self, capability: Capability) -> None:
        """Check that the backend supports an operation.

        Raises
        ------
        LibraryError
            If the backend doesn't support it.
        """
        backend.require_capability(self.location, capability)

    # Fields and paths of tracks

    def fields(
        self, names: Sequence[str], ids: Sequence[int] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return fields of the tracks with the given ids, or of all, in ascending order of id.

        Ids of removed tracks are left out. A folder reads a few fields of many tracks several times
        faster than whole tracks.

        Parameters
        ----------
        names : sequence of str
            Two or more fields of `Track`.
        ids : sequence of int, optional
        """
        if self._parts.fields is None:
            return list(map(attrgetter(*names), self.storage.tracks(ids)))
        return self._parts.fields.fields(names, ids)

    def linked_paths(self, paths: Sequence[str]) -> dict[str, str] | None:
        """Return the stored real path of each stored path from which it differs; empty if unknown.

        Returns
        -------
        dict of str to str, or None
            None if the backend doesn't keep real paths.
        """
        return None if self._parts.links is None else self._parts.links.linked_paths(paths)

    # Sounds

    def require_sound_storage(self) -> None:
        """Check that sounds of tracks can be stored.

        Raises
        ------
        LibraryError
            If the index is a collection of an older version.
        """
        if not self.keeps_sounds:
            raise LibraryError(
                f"{self.location} was created by an older version and can't hold sounds.",
                hint="Copy it into a new collection, which can: `audiosearch copy "
                f"{self.location} NEW`. Then run `audiosearch refresh --sounds --index NEW`.",
            )

    @cached_property
    def sounds(self) -> SoundStorage:
        """Sounds of all tracks, taken together."""
        return self._parts.sounds or SoundsOfTracks(
            lambda filters: self.fields(("id", "sounds"), self.storage.ids(filters).tolist())
        )

    @property
    def keeps_sounds(self) -> bool:
        """Whether sounds of tracks are stored. A collection of an older version drops them."""
        return self._parts.keeps_sounds

    # Suggestions

    @cached_property
    def suggestions(self) -> SuggestionStorage:
        """Values of tags, sounds and folders of all tracks, found by words being typed."""
        return self._parts.suggestions or SuggestionsOfTracks(
            lambda: self.fields(TAG_FIELDS),
            lambda: self.sounds.heard(EVERYTHING),
            version=self.storage.track_changes,
        )

    # Moments

    @property
    def moment_hop(self) -> float | None:
        """Seconds from one patch to the next in the moments of tracks; None without moments."""
        text = self.storage.settings().get(MOMENT_HOP, "")
        return next((hop for hop in defaults.MOMENT_HOPS if text == repr(hop)), None)

    def set_moment_hop(self, hop: float | None) -> None:
        """Make the index one with moments, or without; None also removes the moments of all tracks.

        Raises
        ------
        LibraryError
            If the backend can't keep moments.
        """
        with self.storage.transaction():
            if hop is None:
                self.moments.remove_all()
            self.storage.set_settings(hop_settings(hop) or {MOMENT_HOP: ""})

    @property
    def keeps_moments(self) -> bool:
        """Whether the backend can keep moments."""
        return self._parts.moments is not None

    @property
    def moments(self) -> MomentStorage:
        """Moments of tracks.

        Raises
        ------
        LibraryError
            If the backend can't keep moments.
        """
        return self._required(self._parts.moments, "moments")

    def moments_of(self, track: Track) -> Moments | None:
        """Return the moments of a track; None if it has none."""
        if self._parts.moments is None or self.moment_hop is None:
            return None
        return dict(self.moments.of([track.id])).get(track.id)

    # Types of vector indexes

    @property
    def optimizer(self) -> Optimizer:
        """Chooses the type of the vector indexes.

        Raises
        ------
        LibraryError
            If the backend has one type only.
        """
        if self._parts.optimizer is None:
            raise backend.unsupported_error(self.location, backend.Capability.OPTIMIZE)
        return self._parts.optimizer

    # Vectors of another model

    def staged_vectors(self, spec: EmbeddingSpec) -> StagedVectors:
        """Return the staged vectors of another spec. If they have a different spec, delete them.

        Raises
        ------
        LibraryError
            If the backend can't stage vectors.
        """
        if self._parts.staging is None:
            raise backend.unsupported_error(self.location, backend.Capability.REEMBED)
        return self._parts.staging.staged_vectors(spec)

    def pending(self) -> tuple[str | None, int]:
        """Return the name of the model whose vectors are staged, and their number."""
        return (None, 0) if self._parts.staging is None else self._parts.staging.pending()

    # Map coordinates

    def coordinates(self) -> Coordinates:
        """Return the stored map coordinates. They are empty if the backend doesn't keep any."""
        if self._parts.coordinates is None:
            import numpy as np

            return Coordinates("", np.empty(0, dtype=np.int64), np.empty((0, 2)))
        return self._parts.coordinates.coordinates()

    def put_coordinates(self, coordinates: Coordinates, *, as_of: int) -> bool:
        """Store map coordinates, if the backend keeps any.

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
        if self._parts.coordinates is None:
            return True
        return self._parts.coordinates.put_coordinates(coordinates, as_of=as_of)

    # Spectral prints

    def prints(self, tracks: Iterable[Track]) -> dict[str, SpectralPrint]:
        """Return the stored spectral prints of tracks, by the hash of their sound.

        They are empty if the backend doesn't keep any.
        """
        hashes = {track.sound_hash for track in tracks} - {""}
        return {} if self._parts.prints is None else self._parts.prints.prints(sorted(hashes))

    def has_prints(self) -> bool:
        """Return whether any spectral prints are stored."""
        return self._parts.prints is not None and self._parts.prints.has_prints()

    def put_prints(self, prints: Mapping[str, SpectralPrint]) -> None:
        """Store spectral prints by the hash of the sound, if the backend keeps any."""
        if self._parts.prints is not None:
            self._parts.prints.put_prints(prints)

    def prune_prints(self) -> None:
        """Remove the spectral prints of files that are no longer tracks, if the backend can."""
        if self._parts.prints is not None:
            self._parts.prints.prune_prints()

    # Waveforms

    def waveforms(self, tracks: Iterable[Track]) -> dict[int, bytes]:
        """Return the stored waveforms of tracks, by id. There are none if the backend keeps none.

        See Also
        --------
        audiosearch.audio.waveform.to_bytes
        """
        parts = self._parts.waveforms
        return {} if parts is None else parts.waveforms(list(tracks))

    def put_waveforms(self, waveforms: Iterable[tuple[Track, bytes]]) -> None:
        """Store waveforms of tracks, if the backend keeps any.

        Left out are those of tracks without a hash of their sound, of tracks that were removed or
        have another sound now, and those that are not `WAVEFORM_BYTES` bytes.
        """
        valid = [
            (track, content)
            for track, content in waveforms
            if track.sound_hash and len(content) == WAVEFORM_BYTES
        ]
        if valid and self._parts.waveforms is not None:
            self._parts.waveforms.put_waveforms(valid)

    # Saved playlists

    @property
    def keeps_playlists(self) -> bool:
        """Whether the backend can keep playlists."""
        return self._parts.playlists is not None

    @property
    def playlists(self) -> PlaylistStorage:
        """Saved playlists.

        Raises
        ------
        LibraryError
            If the backend can't keep playlists.
        """
        return self._required(self._parts.playlists, "playlists")

    def _required(self, part: T | None, name: str) -> T:
        """Return a part of the backend.

        Raises
        ------
        LibraryError
            If the backend lacks it.
        """
        if part is None:
            raise LibraryError(
                f"{self.location} can't hold {name}.",
                hint=f"Copy it into a new index: `audiosearch copy {self.location} NEW`.",
            )
        return part


def hop_settings(hop: float | None) -> dict[str, str]:
    """Return the setting of an index with moments; empty for None."""
    return {} if hop is None else {MOMENT_HOP: repr(hop)}
