"""A sample of tracks that spreads over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch import time_limit
from audiosearch.search.k_means import moved_centers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index
    from audiosearch.types import Float32, Int64

_ROUNDS = 5  # of moving the centers; more hardly change them


def sample_ids(index: Index, ids: Sequence[int], n: int) -> list[int]:
    """Return the ids of some tracks that sound as differently as all of them.

    The same tracks always give the same sample, in whatever order they are named.

    Parameters
    ----------
    index : Index
    ids : sequence of int
        Ids of tracks. Those that don't exist are left out.
    n : int
        Number of tracks, if there are as many.

    Returns
    -------
    list of int
        In the order of ``ids``.
    """
    lost = {track.id for track in index.storage.missing_vectors()}
    existing = {row[0] for row in index.fields(("id", "seconds"), sorted(set(ids)))} - lost
    if len(existing) > n:
        ordered = np.array(sorted(existing), dtype=np.int64)
        vectors = index.vector_index().vectors_of(ordered)
        existing = set(ordered[spread(vectors, n)].tolist())
    return [i for i in dict.fromkeys(ids) if i in existing]


def spread(vectors: Float32, n: int) -> Int64:
    """Return the positions of n different vectors that spread over all of them.

    They are nearest to the centers of clusters, which are found by spherical k-means. Its first
    centers are chosen one after the other, each as far from all others as possible: so no group
    that is apart is missed.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, dimension)
        Of unit length; more than ``n``.
    n : int

    Returns
    -------
    ndarray of int64, shape (n,)

    References
    ----------
    .. [1] T. Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    centers = moved_centers(vectors, vectors[_far_apart(vectors, n)], _ROUNDS)
    chosen: list[int] = []
    is_free = np.ones(len(vectors), dtype=bool)
    for center in centers:
        best = int(np.where(is_free, vectors @ center, -np.inf).argmax())
        is_free[best] = False
        chosen.append(best)
    return np.array(chosen, dtype=np.int64)


def _far_apart(vectors: Float32, n: int) -> list[int]:
    """Return the positions of n vectors, each as far from the earlier ones as possible.

    The first one is the nearest to the mean of all.
    """
    chosen = [int((vectors @ vectors.mean(axis=0)).argmax())]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < n:
        time_limit.check()
        chosen.append(int(nearest.argmin()))
        np.maximum(nearest, vectors @ vectors[chosen[-1]], out=nearest)
    return chosen
