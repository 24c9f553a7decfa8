"""How well a library's own labels are recovered: what its neighbours are worth."""

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
from audiosearch.models.front_end import SAME_COSINE, SAME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.library.index import Index, Track
    from audiosearch.types import Float32, Float64, Int64

_N_FIRST = 10
_ROWS_AT_A_TIME = 512


class Label(str, Enum):
    """What tracks may have in common."""

    ARTIST = "artist"
    ALBUM = "album"
    GENRE = "genre"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Scores:
    """How good a ranking is; each but the last two in [0, 1], the mean over labels.

    Attributes
    ----------
    precision_1, precision_5, precision_10 : float
        The share of the first so many neighbours that have a track's label.
    r_precision : float
        The same of as many as there are others with the label.
    map : float
        Average precision, the mean of the precisions at each of them.
    hub_skewness : float
        Skewness of how often a track is among the first ten of another.
    never_returned : int
        How many tracks never are.
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
    """How well labels are recovered, by cosine and after whitening.

    Attributes
    ----------
    by : Label
    tracks : int
        How many were compared, duplicates counted once.
    labels : int
        How many labels have two tracks or more.
    plain, whitened : Scores
        None for whitened where the library is too small.
    """

    by: Label
    tracks: int
    labels: int
    plain: Scores
    whitened: Scores | None

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON has it."""
        return {
            "by": self.by.value,
            "tracks": self.tracks,
            "labels": self.labels,
            "plain": _named(self.plain),
            "whitened": self.whitened and _named(self.whitened),
        }


def _named(scores: Scores) -> dict[str, float]:
    return {
        name.replace("precision_", "precision@") if name[-1].isdigit() else name: value
        for name, value in asdict(scores).items()
    }


def evaluate(index: Index, by: Label) -> Evaluation:
    """Ask for each track, leaving it out, whether its neighbours have its label.

    Duplicates count once: the same bytes, or a cosine over 0.999 and lengths, where they are
    known, within 1 %.

    Raises
    ------
    LibraryError
        Where no label has two tracks.
    """
    with index.all_with_vectors() as (_, rows):
        everything = list(rows)
    if not everything:
        raise LibraryError("The index is empty.", hint="`audiosearch add FOLDER` fills it.")
    tracks = [track for track, _ in everything]
    matrix = np.stack([vector for _, vector in everything])
    kept = deduplicate(tracks, matrix)
    tracks, matrix = [tracks[place] for place in kept], matrix[kept]
    codes = label_ids(tracks, by)
    whitened = None
    if len(tracks) >= min_tracks_to_whiten(matrix.shape[1]):
        whitened = scores_of(transformed(whitened_index(matrix), matrix), codes)
    return Evaluation(by, len(tracks), n_labels(codes), scores_of(matrix, codes), whitened)


def label_ids(tracks: Sequence[Track], by: Label) -> Int64:
    """Return the number of each track's label, -1 for none: int64, shape (n_tracks,).

    Raises
    ------
    LibraryError
        Where no label has two tracks.
    """
    labels = np.array([_label(track, by) for track in tracks], dtype=object)
    known = np.array([label is not None for label in labels])
    _, numbers, counts = np.unique(
        labels[known].astype(str), return_inverse=True, return_counts=True
    )
    if not (counts > 1).any():
        raise LibraryError(
            f"No two tracks have the same {by.value}: there is nothing to evaluate by.",
            hint="`audiosearch refresh` reads tags; --by folder needs none.",
        )
    codes = np.full(len(tracks), -1)
    codes[known] = numbers
    return codes


def n_labels(codes: Int64) -> int:
    """Return how many labels have two tracks or more."""
    return int((np.bincount(codes[codes >= 0]) > 1).sum())


def _label(track: Track, by: Label) -> str | None:
    if by is Label.FOLDER:
        return os.path.basename(os.path.dirname(track.path)) or None
    label: str | None = getattr(track, by.value)
    return label.strip().casefold() or None if label else None


def deduplicate(tracks: Sequence[Track], vectors: Float32) -> list[int]:
    """Return the places of tracks, but for those that are another one again.

    Parameters
    ----------
    tracks : sequence of Track
    vectors : ndarray of float32, shape (n_tracks, n_values)
        Of unit length.
    """
    is_again = np.zeros(len(tracks), dtype=bool)
    seen: set[str] = set()
    for place, track in enumerate(tracks):
        is_again[place] = track.content_hash in seen
        if track.content_hash:
            seen.add(track.content_hash)
    lengths = np.array([track.seconds for track in tracks])
    for start, cosines in _blocks(vectors):
        for row, place in enumerate(range(start, start + len(cosines))):
            if is_again[place]:
                continue
            alike = np.flatnonzero(cosines[row, place + 1 :] > SAME_COSINE) + place + 1
            apart = np.abs(lengths[alike] - lengths[place])
            unknown = (lengths[alike] <= 0) | (lengths[place] <= 0)
            longest = np.maximum(lengths[alike], lengths[place])
            is_again[alike[unknown | (apart <= SAME_SECONDS * longest)]] = True
    return [int(place) for place in np.flatnonzero(~is_again)]


def _blocks(vectors: Float32) -> Iterator[tuple[int, Float32]]:
    """Yield the inner products of some vectors at a time with all, and where the first is."""
    for start in range(0, len(vectors), _ROWS_AT_A_TIME):
        yield start, vectors[start : start + _ROWS_AT_A_TIME] @ vectors.T


def scores_of(vectors: Float32, codes: Int64) -> Scores:
    """Ask for each vector, leaving it out, whether its neighbours have its label.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, n_values)
        Of unit length.
    codes : ndarray of int64, shape (n,)
        As of `label_ids`.
    """
    counts = np.bincount(codes[codes >= 0])
    per_track: dict[int, list[Float64]] = {}
    returned = np.zeros(len(vectors), dtype=np.int64)
    for start, products in _blocks(vectors):
        for row, place in enumerate(range(start, start + len(products))):
            order = np.argsort(-products[row], kind="stable")
            order = order[order != place]
            returned[order[:_N_FIRST]] += 1
            code = codes[place]
            if code >= 0 and counts[code] > 1:
                hits = codes[order] == code
                per_track.setdefault(int(code), []).append(_of_one(hits, counts[code] - 1))
    means = np.mean([np.mean(scores, axis=0) for scores in per_track.values()], axis=0).tolist()
    deviation = returned.std()
    skewness = ((returned - returned.mean()) ** 3).mean() / deviation**3 if deviation else 0.0
    return Scores(
        precision_1=means[0],
        precision_5=means[1],
        precision_10=means[2],
        r_precision=means[3],
        map=means[4],
        hub_skewness=float(skewness),
        never_returned=int((returned == 0).sum()),
    )


def _of_one(hits: np.ndarray[Any, np.dtype[np.bool_]], n_relevant: int) -> Float64:
    """Return precision at 1, 5, 10 and R, and average precision, of a ranking."""
    at = np.flatnonzero(hits)
    average = np.mean(np.arange(1, len(at) + 1) / (at + 1))
    first = [hits[:n].sum() / n for n in (1, 5, 10, n_relevant)]
    return np.array([*first, average])
