"""Queries that come over HTTP: put to the index together where several wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.errors import AudiosearchError, TrackNotFound
from audiosearch.models.registry import ModelRequest
from audiosearch.search.query_vectors import QueryVectors
from audiosearch.search.similar import Query, SearchOptions, SearchResult, answers

if TYPE_CHECKING:
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.library.index import Index, Track


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A query: by clips that were heard, and by the ids of tracks."""

    heard: list[Embedding]
    tracks: list[int]
    unlike: list[int]
    k: int
    ranking: SearchOptions


def run_queries(index: Index, asked: list[QueryRequest]) -> list[SearchResult | AudiosearchError]:
    """Return the answer to each query, or why there is none."""
    stored = index.by_id([i for one in asked for i in (*one.tracks, *one.unlike)])
    found: list[Query | AudiosearchError] = []
    for one in asked:
        try:
            found.append(_query(index, one, stored))
        except AudiosearchError as exc:
            found.append(exc)
    queries = [one for one in found if isinstance(one, Query)]
    answer_of = dict(zip(queries, answers(index, queries), strict=True))
    return [answer_of[one] if isinstance(one, Query) else one for one in found]


def _query(index: Index, asked: QueryRequest, stored: dict[int, Track]) -> Query:
    seeds = QueryVectors(index, ModelRequest())
    negatives = seeds.empty_copy()
    for one in picked(stored, asked.tracks):
        seeds.add_track(one)
    for one in picked(stored, asked.unlike):
        negatives.add_track(one)
    for embedding in asked.heard:
        seeds.add_embedding(embedding)
    return Query(index, seeds, negatives, k=asked.k, ranking=asked.ranking)


def picked(stored: dict[int, Track], ids: list[int]) -> list[Track]:
    """Return stored tracks in the order of their ids as given.

    Raises
    ------
    TrackNotFound
        Where one of them is not there.
    """
    for i in ids:
        if i not in stored:
            raise TrackNotFound(f"There is no track #{i}.", hint="/api/tracks lists them.")
    return [stored[i] for i in ids]
