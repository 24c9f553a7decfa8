"""Lay out tracks on the map: once by UMAP; new tracks are placed among their neighbors.

References
----------
.. [1] McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for
   Dimension Reduction", 2018.
.. [2] Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001:
   trustworthiness.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import defaults
from audiosearch.errors import IndexUnwritable, MissingExtra
from audiosearch.library.track import Coordinates
from audiosearch.soundmap.labels import FIELDS, labels_of
from audiosearch.soundmap.regions import Region, RegionNames, clusters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.library.index import Index, Track
    from audiosearch.types import Float32, Float64, Int64

N_NEIGHBORS = 5  # neighbors shown for a track, and neighbors that a new track is placed among

_MIN_UMAP_TRACKS = 50  # fewer tracks are laid out by their two principal components
_UMAP_NEIGHBORS, _UMAP_DISTANCE, _UMAP_SEED = 15, 0.1, 42
# Up to this number, comparing all tracks is faster than compiling and running UMAP's approximation
_MAX_COMPARED = 100_000
_MIN_PLACED_SHARE = 0.5  # if a smaller share of the tracks has a position, all are laid out again
_WEIGHT_PER_COSINE = 20.0  # neighbors of a new track are weighted by exp(20 * cosine)

# Shares of the work that are done when the tracks are read, compared and laid out
_SHARE_READ, _SHARE_COMPARED, _SHARE_LAID_OUT = 0.05, 0.45, 0.9

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoundMap:
    """Map of an index: its tracks, with positions, clusters and regions.

    Attributes
    ----------
    tracks : list of Track
    positions : ndarray of float64, shape (n_tracks, 2)
        x and y of each track, in [-1, 1].
    clusters : ndarray of int64, shape (n_tracks,)
        Number of each track's cluster.
    regions : list of Region
        Named clusters, largest first.
    vectors : ndarray of float32, shape (n_tracks, dimension)
        Of unit length.
    is_relayout : bool
        Whether all tracks were laid out again. If not, only new tracks were placed.
    parts : list of Region
        Named clusters that are smaller than the regions, largest first.
    """

    tracks: list[Track]
    positions: Float64
    clusters: Int64
    regions: list[Region]
    vectors: Float32
    is_relayout: bool
    parts: list[Region] = field(default_factory=list)

    @cached_property
    def labels(self) -> dict[str, list[str | None]]:
        """Labels to color by: for each field, a list with one label per track, or None."""
        labels = {field: labels_of(self.tracks, field) for field in FIELDS}
        names = {region.cluster: region.name for region in self.regions}
        clusters = self.clusters.tolist()
        return labels | {"cluster": [names.get(n, f"region {n + 1}") for n in clusters]}

    def neighbors(self) -> Int64:
        """Return, for each track, the rows of the most similar other tracks, best first.

        Returns
        -------
        ndarray of int64, shape (n_tracks, n_neighbors)
            Five neighbors, or as many as there are other tracks.
        """
        return self._neighbors

    @cached_property
    def _neighbors(self) -> Int64:
        n_neighbors = min(N_NEIGHBORS, len(self.vectors) - 1)
        nearest, _ = _nearest(self.vectors, self.vectors, n_neighbors + 1)
        rows = np.arange(len(nearest))[:, np.newaxis]
        # A track is its own nearest neighbor. If it has copies, one may be listed in its place.
        others = np.argsort(nearest == rows, axis=1, kind="stable")[:, :n_neighbors]
        return np.take_along_axis(nearest, others, axis=1)

    def trustworthiness(self, n_neighbors: int = 10) -> float:
        """Return the trustworthiness of the map, in [0, 1].

        It is 1 if all neighbors on the map are also neighbors by sound. With more than 5,000
        tracks, a random sample of 5,000 is measured.
        """
        from sklearn.manifold import trustworthiness

        rng = np.random.default_rng(0)
        rows = rng.permutation(len(self.tracks))[: defaults.MAX_TRUSTWORTHINESS_TRACKS]
        vectors, positions = self.vectors[rows], self.positions[rows]
        return float(trustworthiness(vectors, positions, n_neighbors=n_neighbors, metric="cosine"))


def sound_map(
    index: Index,
    *,
    relayout: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> SoundMap:
    """Lay out the tracks of an index, and store their positions in the index.

    Tracks that have a position keep it. New tracks are placed among the tracks that sound most
    like them. All tracks are laid out again if fewer than half of them have a position, or if the
    library has grown from fewer than 50 tracks to 50 or more.

    Parameters
    ----------
    index : Index
    relayout : bool
        Whether to lay out all tracks again in any case.
    on_progress : callable
        Gets the share of the work that is done, 0 to 1, from time to time.

    Raises
    ------
    LibraryError
        If the index is empty.
    MissingExtra
        If umap-learn or scikit-learn is not installed.
    """
    index.require_vectors()
    revision, stored = index.storage.revision(), index.coordinates()
    with index.storage.all_with_vectors() as (_, rows):
        tracks_and_vectors = list(rows)
    tracks = [track for track, _ in tracks_and_vectors]
    vectors = np.stack([vector for _, vector in tracks_and_vectors])
    ids = np.array([track.id for track in tracks], dtype=np.int64)
    has_position = np.isin(ids, stored.ids)
    relayout = relayout or not _are_enough(int(has_position.sum()), len(tracks))
    if relayout:
        positions = _lay_out(vectors, on_progress)
        new = Coordinates("", ids, positions)
    else:
        positions = np.empty((len(tracks), 2))
        positions[has_position] = stored.places[np.isin(stored.ids, ids)]
        positions[~has_position] = _place(
            vectors[~has_position], vectors[has_position], positions[has_position]
        )
        new = Coordinates(stored.layout, ids[~has_position], positions[~has_position])
    try:
        if len(new.ids) and not index.put_coordinates(new, as_of=revision):
            # Another process has just laid out all tracks
            return sound_map(index, on_progress=on_progress)
    except IndexUnwritable as exc:
        log.warning("%s The tracks' positions are not stored.", exc)
    clusters = clusters_of(positions)
    names = RegionNames(tracks)
    regions = names.regions(positions, clusters)
    parts = names.regions(positions, clusters_of(positions, is_fine=True))
    parts = [part for part in parts if part.n_tracks < len(tracks)]
    return SoundMap(tracks, positions, clusters, regions, vectors, relayout, parts)


def _are_enough(n_placed: int, n_tracks: int) -> bool:
    """Return whether enough tracks have a position for new tracks to be placed among them."""
    return n_placed >= _MIN_PLACED_SHARE * n_tracks and (
        n_placed >= _MIN_UMAP_TRACKS or n_tracks < _MIN_UMAP_TRACKS
    )


def _lay_out(vectors: Float32, on_progress: Callable[[float], None]) -> Float64:
    """Return positions of all tracks, scaled to [-1, 1]: float64, shape (n_tracks, 2)."""
    if len(vectors) < _MIN_UMAP_TRACKS:
        centered = vectors - vectors.mean(axis=0, dtype=np.float64)
        left, scales, _ = np.linalg.svd(centered, full_matrices=False)
        positions = np.pad(left * scales, ((0, 0), (0, 2)))[:, :2]
    else:
        on_progress(_SHARE_READ)
        umap = _umap(on_progress)
        if len(vectors) <= _MAX_COMPARED:
            rows, cosines = _nearest(vectors, vectors, _UMAP_NEIGHBORS)
            umap.precomputed_knn = (rows.astype(np.int32), np.maximum(1 - cosines, 0))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="precomputed_knn")  # can't add new points
            positions = umap.fit_transform(vectors)
    low, high = positions.min(axis=0), positions.max(axis=0)
    extent = max(float((high - low).max()), 1e-12)
    return np.asarray((positions - (low + high) / 2) * (2 / extent), dtype=np.float64)


class _Epochs:
    """Text file that takes what a progress bar of tqdm writes, with only the percentage in it."""

    def __init__(self, on_progress: Callable[[float], None]) -> None:
        self._on_progress = on_progress

    def write(self, text: str) -> None:
        """Report the share of the work that is done."""
        if percentage := text.strip():
            share = float(percentage) / 100
            self._on_progress(_SHARE_COMPARED + share * (_SHARE_LAID_OUT - _SHARE_COMPARED))

    def flush(self) -> None:
        """Do nothing."""


def _umap(on_progress: Callable[[float], None]) -> Any:
    with _without_tensorflow():
        try:
            from numba.core import config

            config._config_fname = os.devnull  # noqa: SLF001  (else in the working directory)
            config.reload_config()  # type: ignore[no-untyped-call]  # before umap uses its cache
            from umap import UMAP
        except ModuleNotFoundError as exc:
            raise MissingExtra("A map", "umap-learn", "map") from exc
    return UMAP(
        n_neighbors=_UMAP_NEIGHBORS,
        min_dist=_UMAP_DISTANCE,
        metric="cosine",
        init="pca",
        random_state=_UMAP_SEED,
        n_jobs=1,
        tqdm_kwds={"disable": False, "file": _Epochs(on_progress), "bar_format": "{percentage}"},
    )


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Keep umap from importing TensorFlow, which takes seconds and isn't used here."""
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


def _place(new: Float32, placed: Float32, positions: Float64) -> Float64:
    """Place new tracks: each at the weighted mean of its nearest neighbors' positions.

    Parameters
    ----------
    new : ndarray of float32, shape (n_new, dimension)
        Vectors of the new tracks.
    placed : ndarray of float32, shape (n_placed, dimension)
        Vectors of the tracks that have a position.
    positions : ndarray of float64, shape (n_placed, 2)

    Returns
    -------
    ndarray of float64, shape (n_new, 2)
    """
    if not len(new):
        return np.empty((0, 2))
    nearest, cosines = _nearest(new, placed, N_NEIGHBORS)
    weights = np.exp((cosines - cosines[:, :1]) * _WEIGHT_PER_COSINE)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((positions[nearest] * weights[:, :, np.newaxis]).sum(axis=1))


def _nearest(queries: Float32, vectors: Float32, k: int) -> tuple[Int64, Float32]:
    """Return, for each query, the rows of the k nearest vectors and their cosines, best first.

    Both arrays have the shape (n_queries, k). They have fewer columns if there are fewer vectors.
    """
    import faiss

    k = min(k, len(vectors))
    cosines, rows = faiss.knn(queries, vectors, k, faiss.METRIC_INNER_PRODUCT)
    return rows, cosines
