"""Neighbors without further copies of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch import time_limit
from audiosearch.search.same_recording import KnownPrints, same_recordings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.types import Float32, Int64

_GROWTH = 4  # of the number of neighbors, while too many of them are copies


def distinct_neighbors(
    index: Index,
    search: Callable[[int], tuple[Int64, Float32]],
    k: int,
    *,
    originals: Sequence[Track] = (),
) -> tuple[Int64, Float32]:
    """Return the nearest neighbors that are different recordings.

    Of the copies of a recording, only the nearest one is returned. Copies have the same bytes or
    the same recording: see `audiosearch.search.same_recording`.

    Parameters
    ----------
    index : Index
    search : callable
        Returns the ids and inner products of a given number of nearest neighbors, nearest first.
        There are fewer only if there are no more.
    k : int
        Number of neighbors. There are fewer if fewer recordings qualify.
    originals : sequence of Track
        Tracks whose copies are left out too.

    Returns
    -------
    ids : ndarray of int64, shape (n,)
    products : ndarray of float32, shape (n,)
    """
    n_neighbors = k
    while True:
        n_neighbors *= _GROWTH
        ids, products = search(n_neighbors)
        positions = _first_copies(index, ids, originals)[:k]
        if len(positions) == k or len(ids) < n_neighbors:
            return ids[positions], products[positions]


class DistinctTracks:
    """Tracks that are different recordings.

    Parameters
    ----------
    index : Index
    originals : sequence of Track
        Tracks to begin with.
    """

    def __init__(self, index: Index, originals: Sequence[Track] = ()) -> None:
        self._index, self._prints = index, KnownPrints(index)
        self._tracks = list(originals)
        self._vectors = [index.vector(track) for track in originals]
        self._hashes = {track.sound_hash for track in originals}

    def add(self, track: Track, vector: Float32) -> bool:
        """Add a track, unless it is a copy of one of them; return whether it was added.

        Parameters
        ----------
        track : Track
        vector : ndarray of float32, shape (dimension,)
            The plain vector of the track.
        """
        time_limit.check()
        cosines = np.array([vector @ other for other in self._vectors], dtype=np.float32)
        if track.sound_hash and track.sound_hash in self._hashes:
            return False
        if len(same_recordings(track, self._tracks, cosines, prints=self._prints)):
            return False
        self._tracks.append(track)
        self._vectors.append(vector)
        self._hashes.add(track.sound_hash)
        return True


def _first_copies(index: Index, ids: Int64, originals: Sequence[Track]) -> list[int]:
    """Return the positions of the tracks that are no copies of earlier ones, ascending."""
    plain_vectors = index.vector_index().vectors_of(ids)
    tracks = index.by_id(ids.tolist())
    distinct = DistinctTracks(index, originals)
    return [
        position
        for position, (track_id, vector) in enumerate(zip(ids.tolist(), plain_vectors, strict=True))
        if track_id in tracks  # another process may have removed it since the search
        and distinct.add(tracks[track_id], vector)
    ]
