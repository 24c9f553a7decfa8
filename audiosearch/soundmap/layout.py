"""Where each track lies: by UMAP once, and kept; new tracks among those they sound like.

References
----------
.. [1] McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for
   Dimension Reduction", 2018.
.. [2] Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001:
   trustworthiness.
"""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import IndexUnwritable, LibraryError, MissingExtra
from audiosearch.library.track import Coordinates
from audiosearch.soundmap.regions import Region, clusters_of, regions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.index import Index, Track
    from audiosearch.types import Float32, Float64, Int64

#: Fewer tracks are laid out by their two principal components.
LEAST_FOR_UMAP = 50
#: Trustworthiness at 10 neighbours is defined from so many tracks on.
LEAST_MEASURED = 21
MOST_MEASURED = 5_000  # it takes the distances of all to all
N_NEIGHBOURS = 5  # that are shown of a track, and that a new one is placed among

_UMAP_NEIGHBOURS, _UMAP_DISTANCE, _UMAP_SEED = 15, 0.1, 42
_LEAST_SHARE = 0.5  # of the tracks that have a place, for the others to be placed among them

log = logging.getLogger(__name__)


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
        The clusters that have a name, largest first.
    vectors : ndarray of float32, shape (n_tracks, 128)
    is_relayout : bool
        Whether all tracks were laid out for it, not only new ones placed.
    """

    tracks: list[Track]
    places: Float64
    clusters: Int64
    regions: list[Region]
    vectors: Float32
    is_relayout: bool

    def neighbours(self) -> Int64:
        """Return the rows of the tracks that sound most like each, best first.

        Returns
        -------
        ndarray of int64, shape (n_tracks, n_neighbours)
            Five, or as many as there are others.
        """
        n_neighbours = min(N_NEIGHBOURS, len(self.vectors) - 1)
        nearest, _ = _nearest(self.vectors, self.vectors, n_neighbours + 1)
        own = np.arange(len(nearest))[:, np.newaxis]
        # A track is its own nearest, or, where it has twins, may not even be among them.
        others = np.argsort(nearest == own, axis=1, kind="stable")[:, :n_neighbours]
        return np.take_along_axis(nearest, others, axis=1)

    def trustworthiness(self, n_neighbours: int = 10) -> float:
        """Return how far a track's neighbours on the map are its neighbours by sound, in [0, 1].

        Of more than 5,000 tracks, 5,000 drawn at random are looked at.
        """
        from sklearn.manifold import trustworthiness

        n_tracks = len(self.tracks)
        rows = np.random.default_rng(0).permutation(n_tracks)[:MOST_MEASURED]
        vectors, places = self.vectors[rows], self.places[rows]
        return float(trustworthiness(vectors, places, n_neighbors=n_neighbours, metric="cosine"))


def sound_map(index: Index, *, relayout: bool = False) -> SoundMap:
    """Lay out an index, and keep where its tracks lie in it.

    Tracks that have a place keep it, and new ones are placed among those that sound most like
    them; but where fewer than half of all have one, or too few for UMAP, all are laid out.

    Parameters
    ----------
    index : Index
    relayout : bool
        Lay out all tracks in any case.

    Raises
    ------
    LibraryError
        Where the index is empty.
    MissingExtra
        Where umap-learn is not installed.
    """
    revision, kept = index.storage.revision(), index.coordinates()
    with index.all_with_vectors() as (_, rows):
        everything = list(rows)
    if not everything:
        raise LibraryError("The index is empty.", hint="`audiosearch add FOLDER` fills it.")
    tracks = [track for track, _ in everything]
    vectors = np.stack([vector for _, vector in everything])
    ids = np.array([track.id for track in tracks], dtype=np.int64)
    has_place = np.isin(ids, kept.ids)
    relayout = relayout or not _is_enough(int(has_place.sum()), len(tracks))
    if relayout:
        places = _laid_out(vectors)
        new = Coordinates("", ids, places)
    else:
        places = np.empty((len(tracks), 2))
        places[has_place] = kept.places[np.isin(kept.ids, ids)]
        places[~has_place] = _placed(vectors[~has_place], vectors[has_place], places[has_place])
        new = Coordinates(kept.layout, ids[~has_place], places[~has_place])
    try:
        if len(new.ids) and not index.put_coordinates(new, as_of=revision):
            return sound_map(index)  # among the places that another process has just found
    except IndexUnwritable as exc:
        log.warning("%s Where tracks lie is not kept.", exc)
    clusters = clusters_of(places)
    regions = regions_of(tracks, places, clusters)
    return SoundMap(tracks, places, clusters, regions, vectors, relayout)


def _is_enough(n_placed: int, n_tracks: int) -> bool:
    """Return whether so many tracks that have a place can give the others theirs."""
    return n_placed >= _LEAST_SHARE * n_tracks and (
        n_placed >= LEAST_FOR_UMAP or n_tracks < LEAST_FOR_UMAP
    )


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
        except ModuleNotFoundError as exc:
            raise MissingExtra("A map", "umap-learn", "map") from exc
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
    if not len(new):
        return np.empty((0, 2))
    nearest, cosines = _nearest(new, known, N_NEIGHBOURS)
    weights = np.exp((cosines - cosines[:, :1]) * 20.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((places[nearest] * weights[:, :, np.newaxis]).sum(axis=1))


def _nearest(vectors: Float32, among: Float32, k: int) -> tuple[Int64, Float32]:
    """Return the rows of the nearest of others, best first, and their cosines."""
    import faiss

    cosines, rows = faiss.knn(vectors, among, min(k, len(among)), faiss.METRIC_INNER_PRODUCT)
    return rows, cosines
