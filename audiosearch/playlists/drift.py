"""The strategy "drift": each track is similar to the one before, and none is far from the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.playlists.greedy import add_diversity, select

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.playlists.builder import Playlist
    from audiosearch.playlists.greedy import CandidateScores, Selection
    from audiosearch.playlists.request import PlaylistRequest
    from audiosearch.search.query_vectors import QueryVectors

# Weight of the cosine to the last track. The cosine to the seeds has 1 minus this weight.
_STEP_WEIGHT = 0.5
_N_FIRST = 5  # later tracks are compared with the mean cosine of these first tracks to the seeds
_MIN_COSINE_SHARE = 0.93  # smallest share of that mean that a later track should reach
_PENALTY = 10.0  # larger than any difference of two scores


def drift(index: Index, seeds: QueryVectors, request: PlaylistRequest) -> Playlist:
    """Choose tracks so that each is similar to the one before, and none is far from the seeds.

    Raises
    ------
    UsageError
        If there is no seed, or the request has a destination.
    LibraryError
        If the index is empty, or too small to whiten.
    """
    return select(index, seeds, request, _scores)


def _scores(selection: Selection) -> CandidateScores:
    scores = selection.seed_cosines
    if selection.builder.tracks:
        scores = (1 - _STEP_WEIGHT) * scores + _STEP_WEIGHT * selection.last_cosines
    return _stay_near(add_diversity(scores, selection), selection)


def _stay_near(scores: CandidateScores, selection: Selection) -> CandidateScores:
    """Lower the scores of candidates that would make the playlist leave the seeds.

    The first five tracks set the distance that later tracks keep. So a candidate for them that is
    much nearer to the seeds than most is held back until later.
    """
    cosines, chosen = selection.embedding_cosines, selection.builder.vectors
    if len(chosen) < _N_FIRST:
        n_near = min(2 * selection.options.n_tracks, len(cosines))
        reachable = np.partition(cosines, -n_near)[-n_near]
        is_too_near = cosines > reachable / _MIN_COSINE_SHARE
        return np.where(is_too_near, scores - _PENALTY, scores)
    mean_of_first = np.mean(np.stack(chosen[:_N_FIRST]) @ selection.center)
    is_too_far = cosines < _MIN_COSINE_SHARE * mean_of_first
    return np.where(is_too_far, cosines - _PENALTY, scores)
