"""Where each track lies: by UMAP once, and kept; new tracks among those they sound like.

References
----------
.. [1] McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for
   Dimension Reduction", 2018.
.. [2] Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001:
   trustworthiness.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError, MissingExtra
from audiosearch.soundmap.regions import Region, clusters_of, regions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.index import Index, Track
    from audiosearch.params import Float32, Float64, Int64

#: Fewer tracks are laid out by their two principal components.
LEAST_FOR_UMAP = 50
N_NEIGHBOURS = 5  # that are shown of a track, and that a new one is placed among

_UMAP_NEIGHBOURS, _UMAP_DISTANCE, _UMAP_SEED = 15, 0.1, 42
_ROWS_AT_A_TIME = 1_024
#: Trustworthiness at 10 neighbours is defined for more than 20 tracks.
LEAST_MEASURED = 20
_MOST_MEASURED = 5_000  # tracks for which trustworthiness is measured: it takes all distances


@dataclass(frozen=True, slots=True)
class SoundMap:
    """All tracks, and where they lie.

    Attributes
    ----------
    tracks : list of Track
    places : ndarray of float64, shape (n_tracks, 2)
        In [-1, 1] for the tracks that were laid out together.
    clusters : ndarray of int64, shape (n_tracks,)
        The number of the cluster that a track is in.
    regions : list of Region
        The clusters' names and middles, largest first.
    neighbours : ndarray of int64, shape (n_tracks, n_neighbours)
        The rows of the tracks that sound most like each, best first.
    vectors : ndarray of float32, shape (n_tracks, 128)
    """

    tracks: list[Track]
    places: Float64
    clusters: Int64
    regions: list[Region]
    neighbours: Int64
    vectors: Float32

    def trustworthiness(self, n_neighbours: int = 10) -> float:
        """Return how far a track's neighbours on the map are its neighbours by sound, in [0, 1].

        Measured on 5,000 tracks, evenly spaced, where there are more.
        """
        from sklearn.manifold import trustworthiness

        step = -(-len(self.tracks) // _MOST_MEASURED)
        return float(
            trustworthiness(
                self.vectors[::step],
                self.places[::step],
                n_neighbors=n_neighbours,
                metric="cosine",
            )
        )


def sound_map(index: Index, *, anew: bool = False) -> SoundMap:
    """Lay out an index, and keep where its tracks lie in it.

    Tracks that have a place keep it; new ones are placed among those that sound most like them.

    Parameters
    ----------
    index : Index
    anew : bool
        Lay out all tracks together, also those that have a place.

    Raises
    ------
    LibraryError
        Where the index is empty.
    MissingExtra
        Where umap-learn is not installed.
    """
    revision = index.revision()
    with index.all_with_vectors() as (_, rows):
        everything = list(rows)
    if not everything:
        raise LibraryError("The index is empty.", hint="`audiosearch add FOLDER` fills it.")
    tracks = [track for track, _ in everything]
    vectors = np.stack([vector for _, vector in everything])
    ids = np.array([track.id for track in tracks], dtype=np.int64)
    known_ids, known_places = index.positions()
    is_known = np.isin(ids, known_ids)
    if anew or not is_known.any():
        places = _laid_out(vectors)
    else:
        places = np.empty((len(tracks), 2))
        places[is_known] = known_places[np.isin(known_ids, ids)]
        places[~is_known] = _placed(vectors[~is_known], vectors[is_known], places[is_known])
    if anew or not is_known.all():
        index.put_positions(ids, places, as_of=revision)
    clusters = clusters_of(places)
    regions = regions_of(tracks, places, clusters)
    return SoundMap(tracks, places, clusters, regions, _neighbours(vectors), vectors)


def _laid_out(vectors: Float32) -> Float64:
    if len(vectors) < LEAST_FOR_UMAP:
        centred = vectors - vectors.mean(axis=0, dtype=np.float64)
        left, scales, _ = np.linalg.svd(centred, full_matrices=False)
        places = np.pad(left * scales, ((0, 0), (0, 2)))[:, :2]
    else:
        places = _umap().fit_transform(vectors)
    low, high = places.min(axis=0), places.max(axis=0)
    largest = max(float((high - low).max()), 1e-12)
    return np.asarray((places - (low + high) / 2) * (2 / largest), dtype=np.float64)


def _umap() -> Any:
    with _without_tensorflow():
        try:
            from umap import UMAP
        except ImportError as exc:
            raise MissingExtra("`audiosearch map`", "umap-learn", "map") from exc
    return UMAP(
        n_neighbors=_UMAP_NEIGHBOURS,
        min_dist=_UMAP_DISTANCE,
        metric="cosine",
        init="pca",
        random_state=_UMAP_SEED,
        n_jobs=1,
    )


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Keep umap from loading TensorFlow, which takes seconds, for what is not used here."""
    loaded = sys.modules.get("tensorflow")
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        del sys.modules["tensorflow"]
        if loaded is not None:
            sys.modules["tensorflow"] = loaded


def _placed(new: Float32, known: Float32, places: Float64) -> Float64:
    """Return the middle of the most alike tracks' places, the more alike the heavier."""
    found = np.empty((len(new), 2))
    for rows, nearest, cosines in _nearest(new, known, N_NEIGHBOURS):
        weights = np.exp((cosines - cosines[:, :1]) * 20.0)
        weights /= weights.sum(axis=1, keepdims=True)
        found[rows] = (places[nearest] * weights[:, :, np.newaxis]).sum(axis=1)
    return found


def _neighbours(vectors: Float32) -> Int64:
    found = np.empty((len(vectors), min(N_NEIGHBOURS, len(vectors) - 1)), dtype=np.int64)
    for rows, nearest, _ in _nearest(vectors, vectors, found.shape[1] + 1):
        own = np.arange(rows.start, rows.start + len(nearest))[:, np.newaxis]
        # A track is its own nearest, or, where it has twins, may not even be among them.
        is_other = np.argsort(nearest == own, axis=1, kind="stable")[:, : found.shape[1]]
        found[rows] = np.take_along_axis(nearest, is_other, axis=1)
    return found


def _nearest(vectors: Float32, among: Float32, k: int) -> Iterator[tuple[slice, Int64, Float32]]:
    """Yield some rows at a time, with the nearest of others and their cosines, best first."""
    k = min(k, len(among))
    for start in range(0, len(vectors), _ROWS_AT_A_TIME):
        rows = slice(start, start + _ROWS_AT_A_TIME)
        cosines = vectors[rows] @ among.T
        first = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(cosines, first, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(first, order, axis=1)
        yield rows, nearest, np.take_along_axis(cosines, nearest, axis=1)
