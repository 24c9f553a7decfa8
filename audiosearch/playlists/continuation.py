"""A playlist that goes on for as long as somebody listens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from audiosearch.playlists.exclusion import resolve_excluded_playlists
from audiosearch.playlists.songs import songs_only
from audiosearch.playlists.strategies import strategy_of
from audiosearch.search.query_vectors import QueryVectors

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.models.registry import ModelRequest
    from audiosearch.playlists.builder import Playlist
    from audiosearch.playlists.request import PlaylistRequest


class Continuation:
    """Chooses the next tracks of a playlist, again and again.

    Seeds and excluded playlists are read once. Only songs are chosen: see `songs_only`.

    Parameters
    ----------
    index : Index
    request : PlaylistRequest
        Its number of tracks, preceding tracks and tracks to avoid are given to `next_tracks`
        instead, and its seeds are never chosen.
    model : ModelRequest
        Embedding model for seeds that are audio files.

    Attributes
    ----------
    notes : list of str
        Warnings about the seeds and excluded playlists.

    Raises
    ------
    UsageError, TrackNotFound, AmbiguousTrack, AudioError, ModelError
        As for `audiosearch.playlists.playlist`.
    """

    def __init__(self, index: Index, request: PlaylistRequest, model: ModelRequest) -> None:
        self._strategy = strategy_of(request.strategy_name)
        self._index = index
        self._seeds = QueryVectors(index, model)
        self._seeds.add_all(request.seeds, named=request.named)
        self._request, notes = resolve_excluded_playlists(
            index, request, self._seeds.playlist_tracks
        )
        self._request = replace(self._request, filters=songs_only(index, request.filters))
        self.notes = [*self._seeds.warnings, *notes]

    @property
    def has_seeds(self) -> bool:
        """Whether the request has a seed."""
        return bool(self._seeds.vectors)

    def next_tracks(
        self,
        n_tracks: int,
        *,
        preceding: Sequence[Track],
        liked: Sequence[Track] = (),
        unlike: Sequence[Track] = (),
        excluded_paths: Collection[str] = (),
    ) -> Playlist:
        """Choose tracks that come after others.

        Parameters
        ----------
        n_tracks : int
        preceding : sequence of Track
            Tracks that come before, in order: see `PlaylistRequest.preceding_ids`.
        liked : sequence of Track
            More seeds.
        unlike : sequence of Track
            See `PlaylistRequest.unlike_ids`.
        excluded_paths : collection of str
            Paths of more tracks to leave out.

        Raises
        ------
        UsageError
            If there is no seed.
        LibraryError
            If the index can't be searched.
        """
        constraints = self._request.constraints
        request = replace(
            self._request,
            options=replace(
                self._request.options, n_tracks=n_tracks, seconds=None, keep_seeds=False
            ),
            constraints=replace(
                constraints, excluded_paths=constraints.excluded_paths.union(excluded_paths)
            ),
            preceding_ids=tuple(track.id for track in preceding),
            unlike_ids=tuple(track.id for track in unlike),
        )
        return self._strategy(self._index, self._seeds.with_tracks(liked), request)
