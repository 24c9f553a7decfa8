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


def _first_copies(index: Index, ids: Int64, originals: Sequence[Track]) -> list[int]:
    """Return the positions of the tracks that are no copies of earlier ones, ascending."""
    plain_vectors = index.vector_index().vectors_of(ids)
    tracks = index.by_id(ids.tolist())
    kept = list(originals)
    vectors = [index.vector(track) for track in originals]
    hashes = {track.sound_hash for track in originals}
    prints = KnownPrints(index)
    positions = []
    for position, (track_id, vector) in enumerate(zip(ids.tolist(), plain_vectors, strict=True)):
        time_limit.check()
        track = tracks.get(track_id)
        if track is None:  # another process has removed it since the search
            continue
        cosines = np.array([vector @ other for other in vectors], dtype=np.float32)
        is_copy = bool(track.sound_hash) and track.sound_hash in hashes
        if not is_copy and not len(same_recordings(track, kept, cosines, prints=prints)):
            positions.append(position)
            kept.append(track)
            vectors.append(vector)
            hashes.add(track.sound_hash)
    return positions
