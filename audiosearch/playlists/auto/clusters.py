"""Clusters of tracks of an index: spherical k-means that goes on from former centers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.search.k_means import best_centers, moved_centers, nearest_centers

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.types import Float32, Int64

_MAX_SAMPLE = 50_000  # vectors that the centers are fitted to
_BLOCK = 50_000  # vectors that are read and compared at a time
_STARTS, _START_ROUNDS = 5, 15  # random starts of k-means, of which the best one goes on
_ROUNDS = 100  # at most
_SCATTER = np.uint64(0x9E3779B97F4A7C15)  # odd; multiplied by it, ids are as good as random


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of tracks of an index.

    Attributes
    ----------
    centers : ndarray of float32, shape (n_clusters, dimension)
        Of unit length.
    ids : ndarray of int64, shape (n_tracks,)
        Ids of the tracks.
    numbers : ndarray of int64, shape (n_tracks,)
        Number of each track's cluster.
    cosines : ndarray of float32, shape (n_tracks,)
        Cosine of each track's embedding to the center of its cluster.
    origins : ndarray of int64, shape (n_clusters,)
        Number of the former cluster that each cluster goes on from; -1 for a new one.
    """

    centers: Float32
    ids: Int64
    numbers: Int64
    cosines: Float32
    origins: Int64

    def rows(self, cluster: int) -> Int64:
        """Return the rows of a cluster's tracks, the most central first: int64, shape (n,)."""
        rows = np.flatnonzero(self.numbers == cluster)
        return rows[np.lexsort((self.ids[rows], -self.cosines[rows]))]


def clustered(index: Index, ids: Int64, n_clusters: int, former: Float32 | None) -> Clusters:
    """Cluster tracks of an index by their embeddings.

    The same tracks and former centers always give the same clusters.

    Parameters
    ----------
    index : Index
    ids : ndarray of int64, shape (n_tracks,)
        Ids of the tracks, ascending.
    n_clusters : int
        At most the number of tracks.
    former : ndarray of float32, shape (n_former, dimension), optional
        Centers of former clusters, to go on from. If there are more or fewer clusters than before,
        large ones are split, or the smallest ones are left out.
    """
    vector_index = index.vector_index()
    sample = vector_index.vectors_of(scattered(ids, _MAX_SAMPLE))
    origins = np.full(n_clusters, -1, dtype=np.int64)
    if former is None:
        centers = best_centers(sample, n_clusters, n_starts=_STARTS, n_rounds=_START_ROUNDS)
    else:
        centers, origins = _resized(sample, n_clusters, former)
    centers = moved_centers(sample, centers, _ROUNDS)
    numbers = np.empty(len(ids), dtype=np.int64)
    cosines = np.empty(len(ids), dtype=np.float32)
    for start in range(0, len(ids), _BLOCK):
        block = slice(start, start + _BLOCK)
        numbers[block], cosines[block] = nearest_centers(
            vector_index.vectors_of(ids[block]), centers
        )
    return Clusters(centers, ids, numbers, cosines, origins)


def scattered(ids: Int64, n: int) -> Int64:
    """Return n of the ids, ascending. Most of them stay the same if ids are added.

    Parameters
    ----------
    ids : ndarray of int64, shape (n_ids,)
        Ascending.
    n : int
    """
    if len(ids) <= n:
        return ids
    keys = ids.astype(np.uint64) * _SCATTER
    return np.sort(ids[np.argsort(keys, kind="stable")[:n]])


def _resized(vectors: Float32, n_clusters: int, centers: Float32) -> tuple[Float32, Int64]:
    """Return as many centers as wanted, and the number of the given center that each comes from.

    Those of small clusters are left out, or new ones are added, whose number is -1.
    """
    origins = np.arange(len(centers))
    while len(centers) != n_clusters:
        numbers, _ = nearest_centers(vectors, centers)
        counts = np.bincount(numbers, minlength=len(centers))
        if len(centers) > n_clusters:
            smallest = int(counts.argmin())
            centers, origins = np.delete(centers, smallest, axis=0), np.delete(origins, smallest)
            continue
        largest = int(counts.argmax())
        members = vectors[numbers == largest]
        halves = best_centers(members, 2, n_starts=_STARTS, n_rounds=_START_ROUNDS)
        order = np.argsort(-(halves @ centers[largest]))
        centers, origins = np.concatenate([centers, halves[order[1:]]]), np.append(origins, -1)
        centers[largest] = halves[order[0]]
    return centers, origins
