"""Tracks of a cluster's playlist, and their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch import time_limit
from audiosearch.playlists.builder import PlaylistBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.playlists.main_artists import MainArtists
    from audiosearch.playlists.request import Constraints
    from audiosearch.search.same_recording import KnownPrints
    from audiosearch.types import Float32, Int64

_BATCH = 64  # tracks that are read at a time
_ARTIST_GAP = 2  # tracks between two by the same artist, if others are there


def central_tracks(
    index: Index,
    ids: Int64,
    n_tracks: int,
    constraints: Constraints,
    *,
    artists: MainArtists,
    prints: KnownPrints,
) -> PlaylistBuilder:
    """Return the first tracks that pass the rules of playlists, with their embeddings.

    Parameters
    ----------
    index : Index
    ids : ndarray of int64, shape (n,)
        Ids of the tracks of a cluster, the most central first.
    n_tracks : int
        Number of tracks, if there are as many.
    constraints : Constraints
    artists : MainArtists
    prints : KnownPrints
    """
    builder = PlaylistBuilder(constraints, artists, prints=prints)
    vector_index = index.vector_index()
    for start in range(0, len(ids), _BATCH):
        time_limit.check()
        batch = ids[start : start + _BATCH]
        tracks = index.by_id(batch.tolist())
        for track_id, vector in zip(batch.tolist(), vector_index.vectors_of(batch), strict=True):
            track = tracks.get(track_id)
            if track is None or builder.rejects(track, vector):
                continue
            builder.add(track, vector)
            if len(builder.tracks) == n_tracks:
                return builder
    return builder


def in_flow(tracks: Sequence[Track], vectors: list[Float32], artists: MainArtists) -> list[Track]:
    """Order tracks so that each one sounds like the one before.

    The first track stays the first. The next one is always the most similar of those whose artist
    isn't among the last two, or else of all.

    Parameters
    ----------
    tracks : sequence of Track
    vectors : list of ndarray of float32, shape (dimension,)
        Their embeddings, of unit length.
    artists : MainArtists
    """
    if not tracks:
        return []
    cosines = np.stack(vectors) @ np.stack(vectors).T
    names = np.array([artists.of(track.artist) or f"\0{track.id}" for track in tracks])
    order, is_left = [0], np.ones(len(tracks), dtype=bool)
    is_left[0] = False
    while is_left.any():
        is_allowed = is_left & ~np.isin(names, names[order[-_ARTIST_GAP:]])
        if not is_allowed.any():
            is_allowed = is_left & (names != names[order[-1]])
        if not is_allowed.any():
            is_allowed = is_left
        best = int(np.where(is_allowed, cosines[order[-1]], -np.inf).argmax())
        order.append(best)
        is_left[best] = False
    return [tracks[position] for position in order]
