"""Find the pairs of tracks that may be copies of each other, by their embeddings and durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.search.print_match import max_length_difference

if TYPE_CHECKING:
    from audiosearch.types import Bool, Float32, Float64, Int64

#: Smallest cosine of candidates. Of the copies in docs/guide.md, the smallest has 0.92 by compact.
#: Another model may notice the missing treble of an mp3 of 64 kb/s: compact's second version had
#: 0.59.
MIN_COSINE = 0.4
_N_SAME_LENGTH = 30  # most similar tracks of the same length that are candidates
_N_OTHER_LENGTH = 10  # the same for other lengths; one file may be a part of the other
_BLOCK_ROWS = 512  # tracks that are compared with all tracks at a time; limits the memory


def candidate_pairs(vectors: Float32, seconds: Float64) -> list[tuple[int, int]]:
    """Return the pairs of tracks that may be copies, in ascending order.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_tracks, dimension)
        Embeddings of unit length.
    seconds : ndarray of float64, shape (n_tracks,)
        Durations; 0 if unknown. An unknown duration agrees with any duration.

    Returns
    -------
    list of (int, int)
        Pairs of positions, the smaller one first.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [0.8, 0.6], [-1, 0]], dtype=np.float32)
    >>> candidate_pairs(vectors, np.array([200.0, 201.0, 200.0]))
    [(0, 1)]
    """
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(vectors), _BLOCK_ROWS):
        cosines = vectors[start : start + _BLOCK_ROWS] @ vectors.T
        for position, row in enumerate(cosines, start=start):
            row[position] = -1.0
            own_seconds = float(seconds[position])
            others = copy_candidates(own_seconds, seconds, row).tolist()
            others += part_candidates(own_seconds, seconds, row).tolist()
            pairs.update((min(position, other), max(position, other)) for other in others)
    return sorted(pairs)


def copy_candidates(seconds: float, others: Float64, cosines: Float32) -> Int64:
    """Return the positions of the tracks that may be copies of one track.

    Parameters
    ----------
    seconds : float
        Duration of the track; 0 if it is unknown. An unknown duration agrees with any duration.
    others : ndarray of float64, shape (n_tracks,)
        Durations of the other tracks; 0 if unknown.
    cosines : ndarray of float32, shape (n_tracks,)
        Cosines of their embeddings to that of the track.

    Returns
    -------
    ndarray of int64, shape (n_candidates,)
        The most similar tracks of the same duration.
    """
    return _most_similar(cosines, _has_same_length(seconds, others), _N_SAME_LENGTH)


def part_candidates(seconds: float, others: Float64, cosines: Float32) -> Int64:
    """Return the positions of the tracks that may hold a part of one track, or all of it.

    See Also
    --------
    copy_candidates : the parameters; these tracks have other durations.
    """
    return _most_similar(cosines, ~_has_same_length(seconds, others), _N_OTHER_LENGTH)


def _has_same_length(seconds: float, others: Float64) -> Bool:
    accepted = max_length_difference(np.maximum(seconds, others))
    is_unknown = (others <= 0) | (seconds <= 0)
    return np.asarray(is_unknown | (np.abs(others - seconds) <= accepted), dtype=bool)


def _most_similar(cosines: Float32, is_candidate: Bool, limit: int) -> Int64:
    positions = np.flatnonzero(is_candidate & (cosines >= MIN_COSINE))
    if len(positions) > limit:
        positions = positions[np.argpartition(-cosines[positions], limit)[:limit]]
    return positions
