"""The map's regions: clusters of tracks, each named by the tag that tells it from the others."""

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

# Clusters are as many as the square root of a sixth of the tracks: 4 of 100, 13 of 1,000.
_TRACKS_PER_SQUARE = 6
_MOST_CLUSTERS = 24
# A cluster is named by nothing that fewer of its tracks have.
_LEAST_TRACKS, _LEAST_SHARE = 3, 0.1


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the map.

    Attributes
    ----------
    name : str
        A genre, artist, album or folder; no two regions have the same.
    x, y : float
        Its middle.
    n_tracks : int
    cluster : int
        The number of the cluster that it is.
    """

    name: str
    x: float
    y: float
    n_tracks: int
    cluster: int


def clusters_of(places: Float64) -> Int64:
    """Return the number of the cluster that each track is in, by k-means.

    Parameters
    ----------
    places : ndarray of float64, shape (n_tracks, 2)

    Raises
    ------
    MissingExtra
        Where scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans
    except ModuleNotFoundError as exc:
        raise MissingExtra("A map", "scikit-learn", "map") from exc
    n_distinct = len(np.unique(places, axis=0))
    n_clusters = min(_MOST_CLUSTERS, round((len(places) / _TRACKS_PER_SQUARE) ** 0.5))
    found = KMeans(max(1, min(n_clusters, n_distinct)), n_init=4, random_state=0).fit(places)
    return np.asarray(found.labels_, dtype=np.int64)


def regions_of(tracks: list[Track], places: Float64, clusters: Int64) -> list[Region]:
    """Return the clusters by size, each with the tag that is most its own.

    That is the tag with the largest summand of Kullback and Leibler's divergence of the cluster
    from the whole library. Clusters are left out whose tags are none more frequent there than
    elsewhere, rare, or those of a larger one.
    """
    columns = [labels_of(tracks, field) for field in FIELDS]
    tags = [set(filter(None, row)) for row in zip(*columns, strict=True)]
    everywhere = Counter(tag for some in tags for tag in some)
    regions: list[Region] = []
    taken: set[str] = set()
    numbers, sizes = np.unique(clusters, return_counts=True)
    for number in numbers[np.argsort(-sizes, kind="stable")]:
        rows = np.flatnonzero(clusters == number)
        here = Counter(tag for row in rows for tag in tags[row])
        least = max(_LEAST_TRACKS, _LEAST_SHARE * len(rows))
        weights = {
            tag: count * math.log(count / len(rows) * len(tracks) / everywhere[tag])
            for tag, count in here.items()
            if count >= least and tag not in taken
        }
        name = max(sorted(weights), key=weights.__getitem__, default=None)
        if name is not None and weights[name] > 0:
            taken.add(name)
            x, y = np.median(places[rows], axis=0).tolist()
            regions.append(Region(name, x, y, len(rows), int(number)))
    return regions
