"""The strategy "similar": tracks that sound like the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.playlists.greedy import add_diversity, select

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.playlists.builder import Playlist
    from audiosearch.playlists.greedy import CandidateScores, Selection
    from audiosearch.playlists.request import PlaylistRequest
    from audiosearch.search.query_vectors import QueryVectors


def similar(index: Index, seeds: QueryVectors, request: PlaylistRequest) -> Playlist:
    """Choose the tracks that sound most like the seeds, the most similar first.

    Raises
    ------
    UsageError
        If there is no seed, or the request has a destination.
    LibraryError
        If the index is empty, or too small to whiten.
    """
    return select(index, seeds, request, _scores)


def _scores(selection: Selection) -> CandidateScores:
    return add_diversity(selection.seed_cosines, selection)
