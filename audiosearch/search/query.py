"""Queries and their results: seeds, options, hits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import UsageError
from audiosearch.library.neighbors import top_k
from audiosearch.search.distinct import distinct_neighbors
from audiosearch.search.options import DEFAULT_OPTIONS, SearchOptions
from audiosearch.search.sound_query import SoundQuery, sound_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.backend import Candidates, VectorIndex
    from audiosearch.library.index import Index
    from audiosearch.library.track import EmbeddingSpec, Track
    from audiosearch.search.query_vectors import QueryVectors
    from audiosearch.types import Float32, Int64

__all__ = [
    "DEFAULT_OPTIONS",
    "Hit",
    "Query",
    "SearchOptions",
    "SearchResult",
    "candidate_filter",
    "centroid",
    "make_query",
    "search_batch",
    "search_direction",
]

_NEGATIVE_WEIGHT = 0.5  # weight of clips that hits should not sound like; seeds have weight 1
_MIN_MEAN_LENGTH = 1e-6  # a shorter mean of unit vectors has no usable direction


@dataclass(frozen=True, slots=True)
class Hit:
    """A track that a query found.

    Attributes
    ----------
    rank : int
        Position among the hits. The best hit has rank 1.
    track : Track
    similarity : float or None
        Cosine of the track's embedding to the centroid of the seeds, in [-1, 1]. It is computed
        from plain vectors even if whitened vectors rank the hits. None if there are no seeds.
    sound_score : float or None
        Highest score of the sounds that the query asks for, in [0, 1]. None if it has no part in
        the ranking.
    start, end : float or None
        Start and end of the stretch of the track that was found, in seconds. None for a whole
        track.
    match : float or None
        Correlation of the stretch's log-mel spectrogram with that of the clip, in [-1, 1]: see
        `audiosearch.search.moments.spectrogram_match`. None if the two were not compared.
    is_same_recording : bool
        Whether the correlation is so high that the stretch has the same recording as the clip. Such
        hits come first, even if the similarity of others is higher.
    """

    rank: int
    track: Track
    similarity: float | None
    sound_score: float | None = None
    start: float | None = None
    end: float | None = None
    match: float | None = None
    is_same_recording: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits of a query.

    Attributes
    ----------
    spec : EmbeddingSpec
        Model that produced the embeddings.
    hits : list of Hit
        Best first.
    warnings : list of str
        Sentences about clips that were only read in part, and about limits.
    """

    spec: EmbeddingSpec
    hits: list[Hit]
    warnings: list[str]


class Query:
    """A query that is ready to run.

    Parameters
    ----------
    index : Index
    seeds : QueryVectors
        Clips that hits should sound like.
    negatives : QueryVectors
        Clips that hits should not sound like.
    k : int
        Number of hits. There are fewer if fewer tracks qualify.
    options : SearchOptions

    Attributes
    ----------
    vector : ndarray of float32, shape (dimension,)
        Vector to search ``vector_index`` with. Its nearest neighbors are the hits.
    center : ndarray of float32, shape (dimension,)
        Centroid of the seeds' embeddings, of unit length.
    warnings : list of str

    Raises
    ------
    UsageError
        If there is no seed, or the seeds cancel each other out.
    LibraryError
        If there are too few tracks to whiten.
    """

    def __init__(
        self,
        index: Index,
        seeds: QueryVectors,
        negatives: QueryVectors,
        *,
        k: int,
        options: SearchOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.k, self.options = k, options
        self._index = index
        self.vector_index = index.vector_index(whiten=options.whiten)
        self.center = centroid(seeds.vectors)
        self.vector = search_direction(self.vector_index, seeds.vectors, negatives.vectors)
        self._is_product_cosine = not (
            options.whiten or negatives.vectors or self.is_ranked_by_sound
        )
        self.candidates = candidate_filter(index, options, self.center)
        exclude = [] if options.include_self else [*seeds.tracks, *negatives.tracks]
        self.exclude_ids = [track.id for track in exclude]
        self.originals = exclude
        self.warnings = seeds.warnings + negatives.warnings
        max_k = self.vector_index.max_k
        if max_k is not None and k > max_k:
            self.warnings.append(f"the index returns at most {max_k:,} hits at a time")
        if self.is_ranked_by_sound and max_k is not None and self.vector_index.n_tracks > max_k:
            self.warnings.append(f"only the {max_k:,} most similar tracks are ranked by sounds")

    @property
    def can_share_a_search(self) -> bool:
        """Whether one search can find the neighbors of this query and of others."""
        return self.candidates is None and not self.options.is_distinct

    @property
    def is_ranked_by_sound(self) -> bool:
        """Whether scores of sounds have a part in the ranking."""
        return self.options.sound_weight is not None

    def neighbors(self, k: int) -> tuple[Int64, Float32]:
        """Return the ids of the best k tracks, and the values that rank them, best first.

        The values are inner products, mixed with scores of sounds if those have a weight.
        """
        return top_k(*self._mixed, k) if self.is_ranked_by_sound else self._nearest(k)

    def _nearest(self, k: int) -> tuple[Int64, Float32]:
        return self.vector_index.search(
            self.vector, k, candidates=self.candidates, exclude_ids=self.exclude_ids
        )

    @cached_property
    def _mixed(self) -> tuple[Int64, Float32]:
        """All candidates, and their inner products mixed with the scores of sounds."""
        weight = self.options.sound_weight or 0.0
        ids, products = self._nearest(max(1, self.vector_index.n_tracks))
        by_id = self._index.sounds.scores(self.options.filters)
        scores = np.array([by_id.get(i, 0.0) for i in ids.tolist()], dtype=np.float32)
        return ids, (1 - weight) * products + weight * scores

    def similarities(self, ids: Int64, products: Float32) -> list[float | None]:
        """Return the cosines of neighbors to ``center``, given the values that rank them."""
        if not self._is_product_cosine:
            products = self._index.vector_index().vectors_of(ids) @ self.center
        cosines: list[float | None] = np.clip(products, -1.0, 1.0).tolist()
        return cosines


def make_query(
    index: Index, seeds: QueryVectors, negatives: QueryVectors, *, k: int, options: SearchOptions
) -> Query | SoundQuery:
    """Return the query for some clips, or for the sounds in the filters if there are no clips.

    The parameters and errors are those of `Query` and `SoundQuery`.
    """
    if options.filters.sound and not seeds.vectors:
        has_negatives = bool(negatives.vectors)
        return SoundQuery(index, has_negatives=has_negatives, k=k, options=options)
    return Query(index, seeds, negatives, k=k, options=options)


def search_batch(index: Index, queries: Sequence[Query | SoundQuery]) -> list[SearchResult]:
    """Run several queries. That is faster than one by one: those without filters share one search.

    Returns
    -------
    list of SearchResult
        One result for each query, in the same order.

    Raises
    ------
    LibraryError
        If the index can't be searched.
    """
    neighbors: dict[Query | SoundQuery, tuple[Int64, Float32]] = {}
    shared = [q for q in queries if isinstance(q, Query) and q.can_share_a_search]
    for vector_index in {query.vector_index for query in shared}:
        batch = [query for query in shared if query.vector_index is vector_index]
        vectors = np.stack([query.vector for query in batch])
        results = vector_index.search_batch(
            vectors, [q.k for q in batch], [q.exclude_ids for q in batch]
        )
        neighbors.update(zip(batch, results, strict=True))
    for query in queries:
        if query.options.is_distinct:
            neighbors[query] = distinct_neighbors(
                index, query.neighbors, query.k, originals=query.originals
            )
        elif query not in neighbors:
            neighbors[query] = query.neighbors(query.k)
    tracks = index.by_id([i for ids, _ in neighbors.values() for i in ids.tolist()])
    return [
        SearchResult(index.spec, _hits(query, *neighbors[query], tracks), query.warnings)
        for query in queries
    ]


def _hits(
    query: Query | SoundQuery, ids: Int64, values: Float32, tracks: dict[int, Track]
) -> list[Hit]:
    """Return a query's hits, given the ids of its neighbors and the values that rank them, (n,)."""
    names = query.options.filters.sound
    rows = [
        (tracks[i], cosine)
        for i, cosine in zip(ids.tolist(), query.similarities(ids, values), strict=True)
        if i in tracks  # not removed by another process since the search
    ]
    return [
        Hit(
            rank,
            track,
            cosine,
            sound_score(track.sounds, names) if query.is_ranked_by_sound else None,
        )
        for rank, (track, cosine) in enumerate(rows, start=1)
    ]


def candidate_filter(index: Index, options: SearchOptions, center: Float32) -> Candidates | None:
    """Return the candidates for ``VectorIndex.search``; None if all tracks may be hits.

    Parameters
    ----------
    index : Index
    options : SearchOptions
    center : ndarray of float32, shape (dimension,)
        Vector of unit length that ``options.min_similarity`` refers to.

    Raises
    ------
    LibraryError
        If the filters name sounds, and no track has any.
    """
    if options.filters.names_sounds:
        index.require_sounds()
    min_similarity = options.min_similarity
    near = None if min_similarity is None else (center, min_similarity)
    return index.vector_indexes.candidates(options.filters, near=near)


def search_direction(
    vector_index: VectorIndex[Candidates],
    seeds: list[Float32],
    negatives: list[Float32],
    *,
    weights: Sequence[float] | None = None,
) -> Float32:
    """Return the vector that leads to tracks that sound like seeds, and unlike negatives.

    Parameters
    ----------
    vector_index : VectorIndex
        Its transformation, such as whitening, is applied to all vectors.
    seeds, negatives : list of ndarray of float32, shape (dimension,)
        Of unit length. There is at least one seed.
    weights : sequence of float, optional
        Weight of each seed. Default: all weigh the same.

    Returns
    -------
    ndarray of float32, shape (dimension,)
        Of unit length if there are no negatives.
    """
    direction = centroid(vector_index.transform(np.stack(seeds)), weights)
    if negatives:
        away = centroid(vector_index.transform(np.stack(negatives)))
        direction = direction - _NEGATIVE_WEIGHT * away
    return direction


def centroid(vectors: Float32 | list[Float32], weights: Sequence[float] | None = None) -> Float32:
    """Return the direction of the mean of unit vectors.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, dimension), or list of such rows
    weights : sequence of float, optional
        Weight of each vector. Default: all weigh the same.

    Returns
    -------
    ndarray of float32, shape (dimension,)
        Of unit length.

    Raises
    ------
    UsageError
        If there is no vector, or the mean has no direction.
    """
    if not len(vectors):
        raise UsageError(
            "No clip was given to search with.",
            hint="Name an audio file, or a track's path or #ID, or a sound with --sound.",
        )
    mean = np.average(np.asarray(vectors, dtype=np.float64), axis=0, weights=weights)
    length = np.linalg.norm(mean)
    if length < _MIN_MEAN_LENGTH:
        raise UsageError(
            "The clips are opposites: their mean has no direction.",
            hint="Search with one of them at a time.",
        )
    return np.asarray(mean / length, dtype=np.float32)
