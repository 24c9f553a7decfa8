"""Regions of a map: clusters of tracks, each named after its most characteristic tag."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import MissingExtra
from audiosearch.soundmap.labels import FIELDS, labels_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.types import Float64, Int64

# The number of clusters is sqrt(n_tracks / 6): 4 for 100 tracks, 13 for 1,000.
_TRACKS_PER_SQUARE = 6
_MAX_CLUSTERS = 24
# A tag can name a cluster only if at least this number and this share of its tracks have it.
_MIN_TRACKS, _MIN_SHARE = 3, 0.1


@dataclass(frozen=True, slots=True)
class Region:
    """A named cluster.

    Attributes
    ----------
    name : str
        A genre, artist, album or folder. No two regions have the same name.
    x, y : float
        Median of the positions of its tracks.
    n_tracks : int
    cluster : int
        Number of the cluster.
    """

    name: str
    x: float
    y: float
    n_tracks: int
    cluster: int


def clusters_of(positions: Float64) -> Int64:
    """Cluster tracks by k-means, and return the number of each track's cluster.

    Parameters
    ----------
    positions : ndarray of float64, shape (n_tracks, 2)

    Returns
    -------
    ndarray of int64, shape (n_tracks,)

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans
    except ModuleNotFoundError as exc:
        raise MissingExtra("A map", "scikit-learn", "map") from exc
    n_distinct = len(np.unique(positions, axis=0))
    n_clusters = min(_MAX_CLUSTERS, round((len(positions) / _TRACKS_PER_SQUARE) ** 0.5))
    n_clusters = max(1, min(n_clusters, n_distinct))
    fitted = KMeans(n_clusters, n_init=4, random_state=0).fit(positions)
    return np.asarray(fitted.labels_, dtype=np.int64)


def regions_of(tracks: list[Track], positions: Float64, clusters: Int64) -> list[Region]:
    """Name clusters after their most characteristic tags, and return them, largest first.

    The most characteristic tag is the one that adds most to the Kullback-Leibler divergence of the
    tags in the cluster from those in the whole library. A tag can't name a cluster if it is rare in
    the cluster, no more frequent there than elsewhere, or already the name of a larger cluster. A
    cluster without a name is left out.

    Parameters
    ----------
    tracks : list of Track
    positions : ndarray of float64, shape (n_tracks, 2)
    clusters : ndarray of int64, shape (n_tracks,)
        Result of `clusters_of`.
    """
    columns = [labels_of(tracks, field) for field in FIELDS]
    tags = [set(filter(None, row)) for row in zip(*columns, strict=True)]
    total_counts = Counter(tag for track_tags in tags for tag in track_tags)
    regions: list[Region] = []
    used: set[str] = set()
    numbers, sizes = np.unique(clusters, return_counts=True)
    for number in numbers[np.argsort(-sizes, kind="stable")]:
        rows = np.flatnonzero(clusters == number)
        counts = Counter(tag for row in rows for tag in tags[row])
        min_count = max(_MIN_TRACKS, _MIN_SHARE * len(rows))
        weights = {
            tag: count * math.log(count / len(rows) * len(tracks) / total_counts[tag])
            for tag, count in counts.items()
            if count >= min_count and tag not in used
        }
        name = max(sorted(weights), key=weights.__getitem__, default=None)
        if name is not None and weights[name] > 0:
            used.add(name)
            x, y = np.median(positions[rows], axis=0).tolist()
            regions.append(Region(name, x, y, len(rows), int(number)))
    return regions
