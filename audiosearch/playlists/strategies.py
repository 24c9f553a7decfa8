"""Table of playlist strategies, and the function that makes a playlist with one of them.

A new strategy is one module with a function like `similar`, and one line in `STRATEGIES`. Its name
can then be used from Python, on the command line and over HTTP.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from audiosearch.errors import UsageError
from audiosearch.library.index import opened
from audiosearch.models import registry
from audiosearch.playlists.drift import drift
from audiosearch.playlists.exclusion import resolve_excluded_playlists
from audiosearch.playlists.path import path
from audiosearch.playlists.played_tracks import add_played, played_tracks
from audiosearch.playlists.similar import similar
from audiosearch.search.query_vectors import QueryVectors

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.playlists.builder import Playlist
    from audiosearch.playlists.request import PlaylistRequest
    from audiosearch.types import StrPath


class Strategy(Protocol):
    """A function that chooses the tracks of a playlist and their order."""

    def __call__(self, index: Index, seeds: QueryVectors, request: PlaylistRequest) -> Playlist:
        """Return a playlist.

        Parameters
        ----------
        index : Index
        seeds : QueryVectors
            The request's seeds as vectors and, if they are in the index, as tracks.
        request : PlaylistRequest
            The strategy raises a UsageError for fields that it can't honor.

        Returns
        -------
        Playlist
            If its name is empty, `playlist` names it after its seeds.
        """


#: Strategies by name.
STRATEGIES: dict[str, Strategy] = {
    "similar": similar,
    "drift": drift,
    "path": path,
}


def playlist(
    index: Index | StrPath,
    request: PlaylistRequest,
    model: registry.ModelRequest = registry.AUTO_REQUEST,
) -> Playlist:
    """Make a playlist.

    Parameters
    ----------
    index : Index, str or path-like
        Open index, or the location of one.
    request : PlaylistRequest
    model : ModelRequest
        Embedding model for seeds that are audio files. Default: the model of the index. A
        different one is an error.

    Returns
    -------
    Playlist
        Tracks in playing order, and notes about requests that could not be fulfilled.

    Raises
    ------
    UsageError
        If there is no such strategy, or it can't fulfil the request.
    TrackNotFound, AmbiguousTrack
        If a name in the request doesn't match exactly one track or file.
    AudioError, ModelError
        If a seed can't be embedded.
    IndexNotFound, ModelMismatch, LibraryError
        If the index can't be searched.
    """
    strategy = strategy_of(request.strategy_name)
    with opened(index) as open_index:
        seeds = QueryVectors(open_index, model)
        seeds.add_all(request.seeds, named=request.named)
        request, history_notes = _with_history(open_index, seeds, request)
        if not len(seeds.vectors):
            raise UsageError(
                "No clip was given that the playlist starts from.",
                hint="Name an audio file, a track's path or #ID, words of its tags, or a history "
                "of plays. --sound and other filters only choose among the tracks.",
            )
        request, exclusion_notes = resolve_excluded_playlists(
            open_index, request, seeds.playlist_tracks
        )
        result = strategy(open_index, seeds, request)
    notes = [*seeds.warnings, *history_notes, *exclusion_notes, *result.notes]
    return replace(result, name=result.name or _default_name(seeds, request), notes=notes)


def _with_history(
    index: Index, seeds: QueryVectors, request: PlaylistRequest
) -> tuple[PlaylistRequest, list[str]]:
    """Add recent plays to the seeds or the excluded ids, and return notes about them."""
    if request.history is None:
        return request, []
    played = played_tracks(index, request.history, seeds.playlist_tracks)
    if request.strategy_name != "path":
        add_played(index, seeds, played)
    ids = (*request.excluded_ids, *played.recent_ids)
    return replace(request, excluded_ids=ids), played.notes


def strategy_of(name: str) -> Strategy:
    """Return the strategy with a name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in STRATEGIES:
        raise UsageError(
            f"There is no playlist strategy {name}.", hint=f"Use one of: {', '.join(STRATEGIES)}."
        )
    return STRATEGIES[name]


def _default_name(seeds: QueryVectors, request: PlaylistRequest) -> str:
    if seeds.tracks:
        return f"Like {seeds.tracks[0].label}"
    has_clips = bool(request.seeds or request.named)
    return "Sounds like a clip" if has_clips else "Like recent plays"
