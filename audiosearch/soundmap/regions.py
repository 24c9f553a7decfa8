"""Regions of a map: clusters of tracks, each named after its most characteristic tag or sound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import MissingExtra
from audiosearch.library.track import fold
from audiosearch.soundmap.characteristic import CharacteristicLabels, numbered
from audiosearch.soundmap.labels import TAGS, labels_of
from audiosearch.soundmap.sounds import strengths_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.types import Float64, Int64

# The number of clusters is sqrt(n_tracks / 6): 4 for 100 tracks, 13 for 1,000.
_TRACKS_PER_SQUARE = 6
_MAX_CLUSTERS = 24
# Parts of regions, which have names in a view of a part of the map.
_TRACKS_PER_PART, _MAX_PARTS = 60, 150
# A sound is often heard with its kind, as Dog with Animal, and tells more with a little less gain.
_NEAR_BEST_SOUND = 0.8
_AROUND_SHARE = 0.25  # of a cluster's tracks; the smallest circle around so many is the densest
_MIN_TAGGED_SHARE = 0.5  # if fewer tracks of a cluster have tags, its sounds name it


@dataclass(frozen=True, slots=True)
class Region:
    """A named cluster.

    Attributes
    ----------
    name : str
        A genre, artist, album, folder or sound. No two regions have the same name.
    x, y : float
        Position of the track that has the most tracks of the cluster around it.
    n_tracks : int
    cluster : int
        Number of the cluster.
    """

    name: str
    x: float
    y: float
    n_tracks: int
    cluster: int


def clusters_of(positions: Float64, *, is_fine: bool = False) -> Int64:
    """Cluster tracks by k-means, and return the number of each track's cluster.

    Parameters
    ----------
    positions : ndarray of float64, shape (n_tracks, 2)
    is_fine : bool
        Whether to make many small clusters, of about 60 tracks or more.

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
    n_coarse = min(_MAX_CLUSTERS, round((len(positions) / _TRACKS_PER_SQUARE) ** 0.5))
    n_fine = min(_MAX_PARTS, len(positions) // _TRACKS_PER_PART)
    n_clusters = max(1, min(n_fine if is_fine else n_coarse, n_distinct))
    fitted = KMeans(n_clusters, n_init=1 if is_fine else 4, random_state=0).fit(positions)
    return np.asarray(fitted.labels_, dtype=np.int64)


class RegionNames:
    """Names of clusters of the tracks of a map. No name is given twice.

    Parameters
    ----------
    tracks : list of Track
    """

    def __init__(self, tracks: list[Track]) -> None:
        columns = [labels_of(tracks, field) for field in (*TAGS, "folder")]
        tags = zip(*columns[: len(TAGS)], strict=True)
        self._is_tagged = np.array([any(of_track) for of_track in tags])
        texts = [dict.fromkeys(filter(None, row), 1.0) for row in zip(*columns, strict=True)]
        self._tags = CharacteristicLabels(texts)
        sounds = [strengths_of(track) for track in tracks]
        self._sounds = CharacteristicLabels(sounds, near_best=_NEAR_BEST_SOUND)
        self._used: set[str] = set()

    def regions(self, positions: Float64, clusters: Int64) -> list[Region]:
        """Name clusters after their most characteristic labels, and return them, largest first.

        Labels are genres, artists, albums and folders; or sounds, if fewer than half of the tracks
        in the cluster have a genre, artist or album, or if no such label is characteristic. If no
        sound is characteristic either, the cluster gets the name of a sound that most of its tracks
        have, with a number if an earlier cluster has this name. A cluster without such a sound is
        left out.

        Parameters
        ----------
        positions : ndarray of float64, shape (n_tracks, 2)
        clusters : ndarray of int64, shape (n_tracks,)
            Result of `clusters_of`.
        """
        regions: list[Region] = []
        numbers, sizes = np.unique(clusters, return_counts=True)
        for number in numbers[np.argsort(-sizes, kind="stable")]:
            rows = np.flatnonzero(clusters == number).tolist()
            if name := self._name(rows):
                self._used.add(fold(name))
                x, y = _densest(positions[rows]).tolist()
                regions.append(Region(name, x, y, len(rows), int(number)))
        return regions

    def _name(self, rows: list[int]) -> str | None:
        """Return a name for the tracks in some rows; None if there is none."""
        is_tagged = self._is_tagged[rows].mean() >= _MIN_TAGGED_SHARE
        preferred = (self._tags, self._sounds) if is_tagged else (self._sounds, self._tags)
        names = [labels.most_characteristic(rows, self._used) for labels in preferred]
        names.append(numbered(self._sounds.most_common(rows), self._used))
        return next(filter(None, names), None)


def regions_as_json(regions: list[Region]) -> list[dict[str, Any]]:
    """Return regions as JSON-compatible values: name, x, y and number of tracks."""
    return [{"name": r.name, "x": r.x, "y": r.y, "tracks": r.n_tracks} for r in regions]


def _densest(positions: Float64) -> Float64:
    """Return the position that has the most others around it: float64, shape (2,)."""
    from sklearn.neighbors import NearestNeighbors

    n_around = math.ceil(_AROUND_SHARE * len(positions))
    distances, _ = NearestNeighbors(n_neighbors=n_around).fit(positions).kneighbors(positions)
    densest: Float64 = positions[distances[:, -1].argmin()]
    return densest
