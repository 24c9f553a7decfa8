"""Playlists as they are asked for: seeds and waypoints by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from statistics import mean
from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.library.faiss.whitening import LEAST_TRACKS
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import Index
from audiosearch.playlists.path import path
from audiosearch.playlists.similar import PlaylistOptions, around
from audiosearch.search.query_vectors import QueryVectors
from audiosearch.search.similar import SearchOptions, named_track

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.models.registry import ModelRequest
    from audiosearch.playlists.builder import Constraints, Playlist
    from audiosearch.types import StrPath

_SONG_SECONDS = 240.0  # where no length is known


@dataclass(frozen=True, slots=True)
class PlaylistRequest:
    """What a playlist is to sound like.

    Attributes
    ----------
    seeds : tuple of str
        Clips, as of `audiosearch.search.similar`.
    named : tuple of str
        Words, each of which names one more track.
    waypoints : tuple of str
        Where a path leads from the seed: paths, #IDs or words of tracks, in order.
    filters : Filters
        What the tracks must be.
    whiten : bool or None
        Choose in a space fitted to the library; unless said, where it is large enough.
    """

    seeds: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    waypoints: tuple[str, ...] = ()
    filters: Filters = EVERYTHING
    whiten: bool | None = None


def playlist(
    index: Index | StrPath,
    wishes: PlaylistRequest,
    shape: PlaylistOptions,
    caps: Constraints,
    request: ModelRequest,
) -> Playlist:
    """Return the playlist that was asked for.

    Parameters
    ----------
    index : Index, str or path-like
        An open index, or the folder of one.
    wishes : PlaylistRequest
    shape : PlaylistOptions
    caps : Constraints
    request : ModelRequest
        The index's own model, unless it asks for another.

    Raises
    ------
    UsageError, TrackNotFound, AudioError
        Where the seeds or the shape make no sense.
    IndexNotFound, LibraryError, ModelError
        Where the index cannot answer.
    """
    if not isinstance(index, Index):
        with Index(index) as opened:
            return playlist(opened, wishes, shape, caps, request)
    seeds = QueryVectors(index, request)
    seeds.add_all(wishes.seeds)
    for words in wishes.named:
        seeds.add_track(named_track(index, words))
    if wishes.waypoints:
        found = _path_from(index, seeds, wishes, shape, caps)
        name = f"From {_name_of(found.tracks[0])} to {_name_of(found.tracks[-1])}"
    else:
        whiten = wishes.whiten
        if whiten is None:
            whiten = index.n_tracks >= LEAST_TRACKS
        ranking = SearchOptions(filters=wishes.filters, whiten=whiten)
        found = around(index, seeds, shape, caps, ranking)
        name = f"Like {_name_of(seeds.tracks[0])}" if seeds.tracks else "Sounds like a clip"
    notes = [*seeds.warnings, *found.notes]
    if caps.recent and not any(index.track_at(path) for path in caps.recent):
        notes.append("nothing of the playlists to exclude is in the index")
    return replace(found, name=name, notes=notes)


def _name_of(track: Track) -> str:
    tags = " - ".join(filter(None, (track.artist, track.title)))
    return tags or PurePath(track.path).stem


def _path_from(
    index: Index,
    seeds: QueryVectors,
    wishes: PlaylistRequest,
    shape: PlaylistOptions,
    caps: Constraints,
) -> Playlist:
    if len(seeds.tracks) != 1 or len(seeds.vectors) != 1:
        raise UsageError(
            "A path starts at one track of the index.", hint="Name one, or add its file first."
        )
    if shape.drift or shape.diversity or shape.vary:
        raise UsageError(
            "A path neither drifts nor varies.", hint="Leave out drift, diversity and variation."
        )
    waypoints = [*seeds.tracks]
    waypoints += [index.resolve(name) or named_track(index, name) for name in wishes.waypoints]
    n_tracks = shape.n_tracks
    if shape.seconds is not None:
        lengths = [track.seconds for track in waypoints if track.seconds] or [_SONG_SECONDS]
        n_tracks = max(len(waypoints), round(shape.seconds / mean(lengths)))
    return path(index, waypoints, n_tracks, caps, SearchOptions(filters=wishes.filters))
