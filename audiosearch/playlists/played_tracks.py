"""The tracks of an index that a listening history names, with weights for recent plays."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audiosearch.errors import TrackNotFound
from audiosearch.library.track import fold
from audiosearch.playlist_files import Entry, PlaylistFile, files_of_cue_track
from audiosearch.playlists.kept import kept
from audiosearch.playlists.main_artists import MainArtists, main_artists, without_guests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index
    from audiosearch.playlists.request import HistoryOptions
    from audiosearch.plays import Recording
    from audiosearch.search.playlist_tracks import PlaylistTracks
    from audiosearch.search.query_vectors import QueryVectors

_MAX_SEEDS = 1_000  # tracks with the largest weights; the others hardly count


@dataclass(frozen=True, slots=True)
class PlayedTracks:
    """Tracks that were played.

    Attributes
    ----------
    weights : dict of int to float
        Weight of each track by its id, above 0.
    recent_ids : tuple of int
        Ids of the tracks that were played so lately that they are left out.
    notes : list of str
        Sentences about plays that name no track.
    """

    weights: dict[int, float]
    recent_ids: tuple[int, ...]
    notes: list[str]


def played_tracks(
    index: Index, options: HistoryOptions, playlist_tracks: PlaylistTracks
) -> PlayedTracks:
    """Find the tracks that listening histories name, and weight them by their recent plays.

    A play counts half as much as one that is a half-life later. The recordings are found by their
    path: see `PlaylistTracks.find`, or else by their artist and title.

    Parameters
    ----------
    index : Index
    options : HistoryOptions
    playlist_tracks : PlaylistTracks
        Finds tracks of the index by path.

    Raises
    ------
    TrackNotFound
        If they name no track.
    """
    plays = _plays(options)
    by_path = [recording for recording in plays if recording.path]
    by_name = [recording for recording in plays if not recording.path]
    track_ids = _found_by_path(playlist_tracks, by_path) | _found_by_name(index, by_name)
    names = " and ".join(history.name for history in options.histories)
    if not track_ids:
        raise TrackNotFound(
            f"{names}: no play is of a track of the index {index.location}.",
            hint="Add the files that were played with `audiosearch add`, or use another history.",
        )
    latest = max(max(times) for times in plays.values())
    weights: defaultdict[int, float] = defaultdict(float)
    for recording, ids in track_ids.items():
        ages = latest - np.array(plays[recording])
        weights[ids[0]] += float(np.exp2(-ages / options.half_life_seconds).sum())
    since = np.inf if options.skip_seconds is None else time.time() - options.skip_seconds
    recent = {i for r, ids in track_ids.items() if max(plays[r]) >= since for i in ids}
    notes = [warning for history in options.histories for warning in history.warnings]
    if n_missing := len(plays) - len(track_ids):
        notes.append(f"{names}: {n_missing} of {len(plays)} recordings are not in the index")
    usable = {track_id: weight for track_id, weight in weights.items() if weight > 0}
    return PlayedTracks(usable, tuple(sorted(recent)), notes)


def _plays(options: HistoryOptions) -> dict[Recording, list[float]]:
    """Return the times of the plays of each recording in all histories, in seconds since 1970."""
    plays: defaultdict[Recording, list[float]] = defaultdict(list)
    for history in options.histories:
        for recording, times in history.times.items():
            plays[recording].extend(times)
    return plays


def add_played(index: Index, seeds: QueryVectors, played: PlayedTracks) -> None:
    """Add the tracks that were played as weighted seeds."""
    ids = sorted(played.weights, key=lambda i: (-played.weights[i], i))[:_MAX_SEEDS]
    vectors = index.vector_index().vectors_of(np.array(ids, dtype=np.int64))
    seeds.add_weighted(vectors, np.array([played.weights[i] for i in ids]))


class _Named(NamedTuple):
    """A track, by its artist and title."""

    id: int
    title: str
    album: str


def _found_by_path(
    playlist_tracks: PlaylistTracks, recordings: Sequence[Recording]
) -> dict[Recording, list[int]]:
    """Return the id of the track of each recording, without recordings that are no tracks."""
    playlist = PlaylistFile("history", tuple(_entry(recording.path) for recording in recordings))
    matches = playlist_tracks.find(playlist, with_files=False) if recordings else ()
    pairs = zip(recordings, matches, strict=True)
    return {recording: [match.track.id] for recording, match in pairs if match.track}


def _found_by_name(index: Index, recordings: Sequence[Recording]) -> dict[Recording, list[int]]:
    """Return the ids of the tracks that each recording may be, the likeliest first.

    Recordings that are no tracks are left out.
    """
    if not recordings:
        return {}
    artists = kept(index, main_artists)
    wanted = {_key(artists, r.artist, r.title) for r in recordings}
    tracks: defaultdict[tuple[str, str], list[_Named]] = defaultdict(list)
    for i, artist, title, album in index.fields(("id", "artist", "title", "album")):
        if artist and title and (key := _key(artists, artist, title)) in wanted:
            tracks[key].append(_Named(i, fold(title), fold(album)))
    ids = {r: _best(r, tracks.get(_key(artists, r.artist, r.title), [])) for r in recordings}
    return {recording: ids[recording] for recording in recordings if ids[recording]}


def _key(artists: MainArtists, artist: str, title: str) -> tuple[str, str]:
    return artists.of(artist), fold(without_guests(title))


def _best(recording: Recording, tracks: list[_Named]) -> list[int]:
    """Return the ids of the tracks with the same title, or else without guests; album first."""
    title, album = fold(recording.title), fold(recording.album)
    same = [track for track in tracks if track.title == title] or tracks
    return [track.id for track in sorted(same, key=lambda t: (t.album != album, t.id))]


def _entry(path: str) -> Entry:
    """Return a path of a log as an entry of a playlist. Some logs escape quotes by backslashes."""
    unescaped = path.replace('\\"', '"').replace("\\\\", "\\")
    alternatives = () if unescaped == path else (unescaped,)
    return Entry(path, alternatives=(*alternatives, *files_of_cue_track(unescaped)))
