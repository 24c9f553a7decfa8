"""Queries and their results: seeds, options, hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.search.distinct import distinct_neighbors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.backend import Candidates
    from audiosearch.library.index import Index
    from audiosearch.library.track import EmbeddingSpec, Track
    from audiosearch.search.query_vectors import QueryVectors
    from audiosearch.types import Float32, Int64

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
    similarity : float
        Cosine of the track's embedding to the centroid of the seeds, in [-1, 1]. It is computed
        from plain vectors even if whitened vectors rank the hits.
    """

    rank: int
    track: Track
    similarity: float


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options of a search: the tracks that may be hits, and their ranking.

    Attributes
    ----------
    filters : Filters
        Conditions that hits must meet.
    whiten : bool
        Rank by whitened vectors. Whitening reduces the directions that all tracks share.
    min_similarity : float or None
        Smallest cosine of a hit, in [-1, 1].
    include_self : bool
        Whether the tracks in the query may be hits themselves.
    is_distinct : bool
        Whether to leave out further copies of a recording. Then the tracks in the query have no
        copies among the hits, unless they may be hits themselves.
    """

    filters: Filters = EVERYTHING
    whiten: bool = defaults.WHITEN_QUERY
    min_similarity: float | None = None
    include_self: bool = False
    is_distinct: bool = False


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


#: Default options: rank all tracks by the cosine of plain vectors.
DEFAULT_OPTIONS = SearchOptions()


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
        self.k = k
        self.vector_index = index.vector_index(whiten=options.whiten)
        self.center = centroid(seeds.vectors)
        self.vector = centroid(self.vector_index.transform(np.stack(seeds.vectors)))
        if negatives.vectors:
            transformed = self.vector_index.transform(np.stack(negatives.vectors))
            self.vector = self.vector - _NEGATIVE_WEIGHT * centroid(transformed)
        self.is_ranked_by_cosine = not options.whiten and not negatives.vectors
        self.candidates = candidate_filter(index, options, self.center)
        exclude = [] if options.include_self else [*seeds.tracks, *negatives.tracks]
        self.exclude_ids = [track.id for track in exclude]
        self.is_distinct = options.is_distinct
        self.originals = exclude
        self.warnings = seeds.warnings + negatives.warnings
        max_k = self.vector_index.max_k
        if max_k is not None and k > max_k:
            self.warnings.append(f"the index returns at most {max_k:,} hits at a time")

    @property
    def can_share_a_search(self) -> bool:
        """Whether one search can find the neighbors of this query and of others."""
        return self.candidates is None and not self.is_distinct

    def neighbors(self, k: int) -> tuple[Int64, Float32]:
        """Return the ids and inner products of the nearest neighbors: see `VectorIndex.search`."""
        return self.vector_index.search(
            self.vector, k, candidates=self.candidates, exclude_ids=self.exclude_ids
        )


def search_batch(index: Index, queries: Sequence[Query]) -> list[SearchResult]:
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
    neighbors: dict[Query, tuple[Int64, Float32]] = {}
    for vector_index in {query.vector_index for query in queries}:
        batch = [q for q in queries if q.vector_index is vector_index and q.can_share_a_search]
        if batch:
            vectors = np.stack([query.vector for query in batch])
            results = vector_index.search_batch(
                vectors, [q.k for q in batch], [q.exclude_ids for q in batch]
            )
            neighbors.update(zip(batch, results, strict=True))
    for query in queries:
        if query.is_distinct:
            neighbors[query] = distinct_neighbors(
                index, query.neighbors, query.k, originals=query.originals
            )
        elif not query.can_share_a_search:
            neighbors[query] = query.neighbors(query.k)
    tracks = index.by_id([i for ids, _ in neighbors.values() for i in ids.tolist()])
    return [
        SearchResult(index.spec, _hits(index, query, *neighbors[query], tracks), query.warnings)
        for query in queries
    ]


def _hits(
    index: Index, query: Query, ids: Int64, products: Float32, tracks: dict[int, Track]
) -> list[Hit]:
    """Return a query's hits, given the ids and inner products of its neighbors, shape (n,)."""
    if not query.is_ranked_by_cosine:
        products = index.vector_index().vectors_of(ids) @ query.center
    cosines = np.clip(products, -1.0, 1.0)
    # Another process may have removed a track since the search: leave it out.
    rows = [(i, c) for i, c in zip(ids.tolist(), cosines.tolist(), strict=True) if i in tracks]
    return [Hit(rank, tracks[i], cosine) for rank, (i, cosine) in enumerate(rows, start=1)]


def candidate_filter(index: Index, options: SearchOptions, center: Float32) -> Candidates | None:
    """Return the candidates for ``VectorIndex.search``; None if all tracks may be hits.

    Parameters
    ----------
    index : Index
    options : SearchOptions
    center : ndarray of float32, shape (dimension,)
        Vector of unit length that ``options.min_similarity`` refers to.
    """
    min_similarity = options.min_similarity
    near = None if min_similarity is None else (center, min_similarity)
    return index.vector_indexes.candidates(options.filters, near=near)


def centroid(vectors: Float32 | list[Float32]) -> Float32:
    """Return the direction of the mean of unit vectors.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, dimension), or list of such rows

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
            hint="Name an audio file, or a track's path or #ID.",
        )
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    length = np.linalg.norm(mean)
    if length < _MIN_MEAN_LENGTH:
        raise UsageError(
            "The clips are opposites: their mean has no direction.",
            hint="Search with one of them at a time.",
        )
    return np.asarray(mean / length, dtype=np.float32)
