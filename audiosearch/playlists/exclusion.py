"""Tracks that a playlist leaves out: those of other playlists, and those with given ids."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from audiosearch.playlist_files import warnings_about
from audiosearch.search.same_recording import known_copies

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.playlists.request import PlaylistRequest
    from audiosearch.search.playlist_tracks import PlaylistTracks


def resolve_excluded_playlists(
    index: Index, request: PlaylistRequest, playlist_tracks: PlaylistTracks
) -> tuple[PlaylistRequest, list[str]]:
    """Add the excluded tracks and those of excluded playlists, and copies, to the excluded paths.

    Returns
    -------
    (PlaylistRequest, list of str)
        The request with more ``constraints.excluded_paths``, and notes about entries that
        aren't tracks of the index.
    """
    tracks, notes = [], []
    for playlist in request.excluded_playlists:
        matches = list(playlist_tracks.find(playlist, with_files=False))
        tracks += [match.track for match in matches if match.track is not None]
        problems = [match.problem for match in matches if match.track is None]
        notes += [*playlist.warnings, *warnings_about(playlist.name, problems)]
    tracks += index.storage.tracks(sorted(set(request.excluded_ids)))
    tracks += chain.from_iterable(known_copies(index, tracks).values())
    constraints = request.constraints
    paths = constraints.excluded_paths.union(track.path for track in tracks)
    if (paths or request.excluded_playlists) and not any(map(index.storage.track_at, paths)):
        notes.append("the excluded playlists contain no track of the index")
    constraints = replace(constraints, excluded_paths=paths)
    return replace(request, constraints=constraints), notes
