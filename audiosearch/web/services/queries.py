"""Queries that arrive over HTTP, answered in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.errors import AudiosearchError, TrackNotFound
from audiosearch.models.registry import AUTO_REQUEST
from audiosearch.search.query import (
    Query,
    SearchOptions,
    SearchResult,
    make_query,
    search_batch,
)
from audiosearch.search.query_vectors import QueryVectors
from audiosearch.search.sound_query import SoundQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.embedding.embedder import Embedding
    from audiosearch.library.index import Index, Track


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A query.

    Attributes
    ----------
    embeddings, unlike_embeddings : sequence of Embedding
        Of uploaded clips to search with, and to move away from; and of parts of tracks.
    tracks, unlike : list of int
        Ids of tracks to search with, and to move away from.
    k : int
    options : SearchOptions
    sources : list of int
        Ids of the tracks of which embeddings are parts.
    """

    embeddings: Sequence[Embedding]
    tracks: list[int]
    unlike: list[int]
    k: int
    options: SearchOptions
    sources: Sequence[int] = ()
    unlike_embeddings: Sequence[Embedding] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of all tracks in the query."""
        return (*self.tracks, *self.unlike, *self.sources)


def run_queries(
    index: Index, requests: list[QueryRequest]
) -> list[SearchResult | AudiosearchError]:
    """Return the result of each query, or its error."""
    stored = index.by_id([i for request in requests for i in request.ids])
    prepared: list[Query | SoundQuery | AudiosearchError] = []
    for request in requests:
        try:
            prepared.append(_prepare(index, request, stored))
        except AudiosearchError as exc:
            prepared.append(exc)
    queries = [item for item in prepared if not isinstance(item, AudiosearchError)]
    results = dict(zip(queries, search_batch(index, queries), strict=True))
    return [item if isinstance(item, AudiosearchError) else results[item] for item in prepared]


def _prepare(index: Index, request: QueryRequest, stored: dict[int, Track]) -> Query | SoundQuery:
    seeds = QueryVectors(index, AUTO_REQUEST)
    negatives = seeds.empty_copy()
    for track in tracks_in_order(stored, request.tracks):
        seeds.add_track(track)
    for track in tracks_in_order(stored, request.unlike):
        negatives.add_track(track)
    seeds.tracks += tracks_in_order(stored, request.sources)
    for embedding in request.embeddings:
        seeds.add_embedding(embedding)
    for embedding in request.unlike_embeddings:
        negatives.add_embedding(embedding)
    return make_query(index, seeds, negatives, k=request.k, options=request.options)


def stored_tracks(index: Index, ids: list[int]) -> list[Track]:
    """Return tracks in the order of their ids. Raises like `tracks_in_order`."""
    return tracks_in_order(index.by_id(ids), ids)


def tracks_in_order(stored: dict[int, Track], ids: Sequence[int]) -> list[Track]:
    """Return stored tracks in the order of the given ids.

    Raises
    ------
    TrackNotFound
        If one of the ids is not stored.
    """
    for i in ids:
        if i not in stored:
            raise TrackNotFound(f"Track #{i} doesn't exist.", hint="It may have been removed.")
    return [stored[i] for i in ids]
