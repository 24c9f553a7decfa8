"""The map's regions: clusters of tracks, each named by the tag that tells it from the others."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.index import Track
    from audiosearch.params import Float64, Int64

# So many clusters as has the square root of so many tracks: 4 of 100, 13 of 1,000.
_TRACKS_PER_SQUARE = 6
_MOST_CLUSTERS = 24


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
    """

    name: str
    x: float
    y: float
    n_tracks: int


def folder_of(track: Track) -> str:
    """Return the name of the folder that a track is in."""
    return os.path.basename(os.path.dirname(track.path))


#: What a region may be named by.
_TAGS: tuple[Callable[[Track], str | None], ...] = (
    lambda track: track.genre,
    lambda track: track.artist,
    lambda track: track.album,
    folder_of,
)


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
    except ImportError as exc:
        raise MissingExtra("`audiosearch map`", "scikit-learn", "map") from exc
    n_distinct = len(np.unique(places, axis=0))
    n_clusters = min(_MOST_CLUSTERS, round((len(places) / _TRACKS_PER_SQUARE) ** 0.5))
    found = KMeans(max(1, min(n_clusters, n_distinct)), n_init=4, random_state=0).fit(places)
    return np.asarray(found.labels_, dtype=np.int64)


def regions_of(tracks: list[Track], places: Float64, clusters: Int64) -> list[Region]:
    """Return the clusters by size, each with the tag that is most its own.

    That is the tag with the most tracks in the cluster, counted by how much more frequent it is
    there than in the whole library (Kullback and Leibler's summand). Clusters whose tracks have
    no tag are left out.
    """
    everywhere = Counter(tag for track in tracks for tag in _tags(track))
    regions: list[Region] = []
    taken: set[str] = set()
    numbers, sizes = np.unique(clusters, return_counts=True)
    for number in numbers[np.argsort(-sizes, kind="stable")]:
        rows = np.flatnonzero(clusters == number)
        here = Counter(tag for row in rows for tag in _tags(tracks[row]))

        def weight(tag: str, here: Counter[str] = here, n_here: int = len(rows)) -> float:
            share = here[tag] / n_here
            return share * float(np.log(share / (everywhere[tag] / len(tracks)) + 1e-9))

        names = sorted(here.keys() - taken, key=lambda tag: (-weight(tag), tag))
        if names:
            taken.add(names[0])
            x, y = np.median(places[rows], axis=0).tolist()
            regions.append(Region(names[0], x, y, len(rows)))
    return regions


def _tags(track: Track) -> set[str]:
    found = (tag(track) for tag in _TAGS)
    return {tag.strip() for tag in found if tag and tag.strip()}
