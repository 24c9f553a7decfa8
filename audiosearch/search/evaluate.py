"""Measure search quality by the labels of a library, such as artist or genre."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.library.faiss.whitening import (
    min_tracks_to_whiten,
    transformed,
    whitened_index,
)
from audiosearch.library.track import fold
from audiosearch.search.same_recording import KnownPrints, same_recordings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.types import Bool, Float32, Float64, Int64

_N_NEIGHBORS = 10  # first neighbors of each track, counted for hubness
_BLOCK_ROWS = 512  # vectors that are compared with all vectors at a time; limits the memory


class Label(str, Enum):
    """Property that tracks can share."""

    ARTIST = "artist"
    ALBUM = "album"
    GENRE = "genre"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of how well the nearest neighbors of tracks share their labels.

    Precisions and average precision are in [0, 1]. They are first averaged over the tracks of each
    label, then over the labels.

    Attributes
    ----------
    precision_1, precision_5, precision_10 : float
        Share of the first 1, 5 or 10 neighbors that have the track's label.
    r_precision : float
        Share of the first R neighbors that have the track's label. R is the number of other tracks
        with the label.
    map : float
        Mean average precision.
    hub_skewness : float
        Skewness of the number of times that a track is among the first ten neighbors of another.
    never_returned : int
        Number of tracks that are not among the first ten neighbors of any other.

    References
    ----------
    .. [1] Radovanović, Nanopoulos and Ivanović, "Hubs in space: Popular nearest neighbors in
       high-dimensional data", JMLR 11, 2010: skewness of the k-occurrence.
    """

    precision_1: float
    precision_5: float
    precision_10: float
    r_precision: float
    map: float
    hub_skewness: float
    never_returned: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of evaluating an index by one kind of label, with plain and whitened vectors.

    Attributes
    ----------
    by : Label
    tracks : int
        Number of tracks that were compared. Duplicates count once.
    labels : int
        Number of labels with two tracks or more.
    plain : Scores
        Scores of the cosine between embeddings.
    whitened : Scores or None
        Scores of the cosine between whitened vectors; None if there are too few tracks to whiten.
    """

    by: Label
    tracks: int
    labels: int
    plain: Scores
    whitened: Scores | None

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON-compatible values."""
        return {
            "by": self.by.value,
            "tracks": self.tracks,
            "labels": self.labels,
            "plain": _scores_to_json(self.plain),
            "whitened": self.whitened and _scores_to_json(self.whitened),
        }


def _scores_to_json(scores: Scores) -> dict[str, float]:
    return {
        name.replace("precision_", "precision@") if name[-1].isdigit() else name: value
        for name, value in asdict(scores).items()
    }


def evaluate(index: Index, by: Label) -> Evaluation:
    """Measure how well the neighbors of each track share its label.

    A track is not its own neighbor. Duplicates count once: tracks with the same bytes, and copies
    of the same recording (see `audiosearch.search.same_recording`).

    Parameters
    ----------
    index : Index
    by : Label

    Raises
    ------
    LibraryError
        If the index is empty, or no label has two tracks.
    """
    with index.storage.all_with_vectors() as (_, rows):
        all_rows = list(rows)
    if not all_rows:
        index.require_vectors()
    tracks = [track for track, _ in all_rows]
    vectors = np.stack([vector for _, vector in all_rows])
    kept = deduplicate(tracks, vectors, prints=KnownPrints(index))
    tracks, vectors = [tracks[position] for position in kept], vectors[kept]
    ids = label_ids(tracks, by)
    if not n_labels(ids):
        raise LibraryError(
            f"Can't evaluate by {by.value}: no two tracks have the same {by.value}.",
            hint="Read the files' tags with `audiosearch refresh`, or use --by folder.",
        )
    plain, whitened = evaluate_vectors(vectors, ids)
    return Evaluation(by, len(tracks), n_labels(ids), plain, whitened)


def evaluate_vectors(vectors: Float32, ids: Int64) -> tuple[Scores, Scores | None]:
    """Return the scores of plain and of whitened vectors; None if there are too few to whiten.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_tracks, dimension)
        Of unit length.
    ids : ndarray of int64, shape (n_tracks,)
        Numbers from `label_ids`.
    """
    plain, whitened = scores_of(vectors, ids), None
    if len(vectors) >= min_tracks_to_whiten(vectors.shape[1]):
        whitened = scores_of(transformed(whitened_index(vectors), vectors), ids)
    return plain, whitened


def label_ids(tracks: Sequence[Track], by: Label) -> Int64:
    """Return a number for the label of each track.

    Returns
    -------
    ndarray of int64, shape (n_tracks,)
        The same number for tracks with the same label; -1 for a track without a label.
    """
    numbers: dict[str | tuple[str, str], int] = {}
    labels = [_label(track, by) for track in tracks]
    return np.array([numbers.setdefault(t, len(numbers)) if t else -1 for t in labels], np.int64)


def n_labels(ids: Int64) -> int:
    """Return the number of labels with two tracks or more.

    Parameters
    ----------
    ids : ndarray of int64, shape (n_tracks,)
        Numbers from `label_ids`.
    """
    return int((np.bincount(ids[ids >= 0]) > 1).sum())


def _label(track: Track, by: Label) -> str | tuple[str, str] | None:
    """Return a track's label. Albums with the same name by different artists are different."""
    if by is Label.FOLDER:
        return os.path.dirname(track.path) or None
    label = fold(getattr(track, by.value))
    if label and by is Label.ALBUM:
        return fold(track.album_artist or track.artist), label
    return label or None


def deduplicate(
    tracks: Sequence[Track], vectors: Float32, *, prints: KnownPrints | None = None
) -> list[int]:
    """Return the positions of the tracks that are not copies of an earlier one.

    Parameters
    ----------
    tracks : sequence of Track
    vectors : ndarray of float32, shape (n_tracks, n_values)
        The tracks' embeddings, of unit length.
    prints : KnownPrints, optional
        Spectral prints that are known.
    """
    is_copy = np.zeros(len(tracks), dtype=bool)
    hashes: set[str] = set()
    for position, track in enumerate(tracks):
        is_copy[position] = track.sound_hash in hashes
        if track.sound_hash:
            hashes.add(track.sound_hash)
    for start, products in _product_blocks(vectors):
        for position, row in enumerate(products, start=start):
            if is_copy[position]:
                continue
            later = position + 1
            same = same_recordings(tracks[position], tracks[later:], row[later:], prints=prints)
            is_copy[later + same] = True
    return [int(position) for position in np.flatnonzero(~is_copy)]


def _product_blocks(vectors: Float32) -> Iterator[tuple[int, Float32]]:
    """Yield the inner products of consecutive vectors with all vectors, block by block.

    Yields
    ------
    start : int
        Position of the block's first vector.
    products : ndarray of float32, shape (n_block, n_vectors)
    """
    for start in range(0, len(vectors), _BLOCK_ROWS):
        yield start, vectors[start : start + _BLOCK_ROWS] @ vectors.T


def scores_of(vectors: Float32, ids: Int64) -> Scores:
    """Score how well the neighbors of each vector share its label.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_tracks, n_values)
        Vectors of unit length.
    ids : ndarray of int64, shape (n_tracks,)
        Numbers from `label_ids`.
    """
    counts = np.bincount(ids[ids >= 0])
    per_label: dict[int, list[Float64]] = {}
    n_returned = np.zeros(len(vectors), dtype=np.int64)
    for start, products in _product_blocks(vectors):
        for position, row in enumerate(products, start=start):
            order = np.argsort(-row, kind="stable")
            order = order[order != position]
            n_returned[order[:_N_NEIGHBORS]] += 1
            label = int(ids[position])
            if label >= 0 and counts[label] > 1:
                precisions = _precisions(ids[order] == label, counts[label] - 1)
                per_label.setdefault(label, []).append(precisions)
    means = np.mean([np.mean(rows, axis=0) for rows in per_label.values()], axis=0).tolist()
    return Scores(
        precision_1=means[0],
        precision_5=means[1],
        precision_10=means[2],
        r_precision=means[3],
        map=means[4],
        hub_skewness=_skewness(n_returned),
        never_returned=int((n_returned == 0).sum()),
    )


def _precisions(is_relevant: Bool, n_relevant: int) -> Float64:
    """Return the precisions of one ranking.

    Parameters
    ----------
    is_relevant : ndarray of bool, shape (n_neighbors,)
        Whether each neighbor has the label, the nearest first.
    n_relevant : int
        Number of neighbors with the label.

    Returns
    -------
    ndarray of float64, shape (5,)
        Precision at 1, 5, 10 and ``n_relevant``, and average precision.
    """
    ranks = np.flatnonzero(is_relevant) + 1
    average = np.mean(np.arange(1, len(ranks) + 1) / ranks)
    at_n = [is_relevant[:n].sum() / n for n in (1, 5, 10, n_relevant)]
    return np.array([*at_n, average])


def _skewness(counts: Int64) -> float:
    deviation = counts.std()
    if not deviation:
        return 0.0
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3)
