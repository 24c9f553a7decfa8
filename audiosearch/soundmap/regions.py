"""Regions of a map: clusters of tracks, each named after its most characteristic tag or sound."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import MissingExtra
from audiosearch.library.track import fold
from audiosearch.soundmap.labels import TAGS, labels_of
from audiosearch.soundmap.sounds import strengths_of, sums_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.types import Float64, Int64

# The number of clusters is sqrt(n_tracks / 6): 4 for 100 tracks, 13 for 1,000.
_TRACKS_PER_SQUARE = 6
_MAX_CLUSTERS = 24
# A label can name a cluster only if at least this number and this share of its tracks have it.
_MIN_TRACKS, _MIN_SHARE = 3, 0.1
_MIN_COMMON_SHARE = 0.5  # of a label that is not characteristic
# A sound is often heard with its kind, as Dog with Animal, and tells more with a little less gain.
_NEAR_BEST_SOUND = 0.8
_MIN_GAIN = 1e-9  # smaller gains are rounding errors
_MIN_TAGGED_SHARE = 0.5  # if fewer tracks of a cluster have tags, its sounds name it


@dataclass(frozen=True, slots=True)
class Region:
    """A named cluster.

    Attributes
    ----------
    name : str
        A genre, artist, album, folder or sound. No two regions have the same name.
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
    """Name clusters after their most characteristic labels, and return them, largest first.

    Labels are genres, artists, albums and folders; or sounds, if fewer than half of the tracks in
    the cluster have a genre, artist or album, or if no such label is characteristic. If no sound
    is characteristic either, the cluster gets the name of a sound that most of its tracks have,
    with a number if a larger cluster has this name. A cluster without such a sound is left out.

    Parameters
    ----------
    tracks : list of Track
    positions : ndarray of float64, shape (n_tracks, 2)
    clusters : ndarray of int64, shape (n_tracks,)
        Result of `clusters_of`.
    """
    columns = [labels_of(tracks, field) for field in (*TAGS, "folder")]
    is_tagged = np.array([any(tags) for tags in zip(*columns[: len(TAGS)], strict=True)])
    texts = [dict.fromkeys(filter(None, row), 1.0) for row in zip(*columns, strict=True)]
    tags = _Labels(texts)
    sounds = _Labels([strengths_of(track) for track in tracks], near_best=_NEAR_BEST_SOUND)
    regions: list[Region] = []
    used: set[str] = set()
    numbers, sizes = np.unique(clusters, return_counts=True)
    for number in numbers[np.argsort(-sizes, kind="stable")]:
        rows = np.flatnonzero(clusters == number).tolist()
        preferred = (
            (tags, sounds) if is_tagged[rows].mean() >= _MIN_TAGGED_SHARE else (sounds, tags)
        )
        names = [labels.most_characteristic(rows, used) for labels in preferred]
        names.append(_numbered(sounds.most_common(rows), used))
        if name := next(filter(None, names), None):
            used.add(fold(name))
            x, y = np.median(positions[rows], axis=0).tolist()
            regions.append(Region(name, x, y, len(rows), int(number)))
    return regions


class _Labels:
    """Weighted labels of all tracks.

    Parameters
    ----------
    weights : list of dict
        Weight in [0, 1] of each label of a track.
    near_best : float
        Share of the highest gain, see `most_characteristic`, from which on rarer labels win.
    """

    def __init__(self, weights: list[dict[str, float]], *, near_best: float = 1.0) -> None:
        self._weights = weights
        self._near_best = near_best
        self._totals = sums_of(weights)

    def most_common(self, rows: list[int]) -> str | None:
        """Return the strongest label of some tracks, if at least half of them have it."""
        weights = [self._weights[row] for row in rows]
        sums = sums_of(weights)
        best = max(sorted(sums), key=sums.__getitem__, default=None)
        n_labeled = sum(best in track_weights for track_weights in weights)
        return best if n_labeled >= max(_MIN_TRACKS, _MIN_COMMON_SHARE * len(rows)) else None

    def most_characteristic(self, rows: list[int], used: set[str]) -> str | None:
        """Return the most characteristic label of some tracks; None if there is none.

        Its gain, which it adds to the Kullback-Leibler divergence of the labels of these tracks
        from those in the whole library, is the highest; or nearly, and it is rarer in the library.
        It is not rare in these tracks, and more frequent there than elsewhere.

        Parameters
        ----------
        rows : list of int
            Rows of the tracks.
        used : set of str
            Labels to leave out, folded.
        """
        weights = [self._weights[row] for row in rows]
        counts = Counter(label for track_weights in weights for label in track_weights)
        min_count = max(_MIN_TRACKS, _MIN_SHARE * len(rows))
        gains = {
            label: weight
            * math.log(weight * len(self._weights) / (self._totals[label] * len(rows)))
            for label, weight in sums_of(weights).items()
            if counts[label] >= min_count and fold(label) not in used
        }
        min_gain = max(_MIN_GAIN, self._near_best * max(gains.values(), default=0.0))
        best = [label for label, gain in gains.items() if gain >= min_gain]
        return min(best, key=lambda label: (self._totals[label], label), default=None)


def _numbered(name: str | None, used: set[str]) -> str | None:
    """Append the first free number to a name that is used."""
    if name is None or fold(name) not in used:
        return name
    return next(text for n in count(2) if fold(text := f"{name} {n}") not in used)
