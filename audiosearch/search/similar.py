"""Finding what sounds like something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import AmbiguousTrack, TrackNotFound, UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import EmbeddingSpec, Index, Track
from audiosearch.models import registry
from audiosearch.search.query_vectors import QueryVectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.library.faiss.vector_index import Candidates
    from audiosearch.types import Float32, Int64, StrPath

_UNLIKE_WEIGHT = 0.5  # of what to avoid, beside 1 of what to find
_MOST_CANDIDATES = 20  # that are listed for words that name several tracks


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a query, best first."""

    rank: int  # from 1
    track: Track
    similarity: float  # cosine to the clips, in [-1, 1], whatever ranked it


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which tracks may be hits, and what puts them in order.

    Attributes
    ----------
    filters : Filters
        What hits must be.
    whiten : bool
        Rank in a space fitted to the library, where its vectors crowd less.
    min_similarity : float or None
        The least cosine of a hit.
    include_self : bool
        Let tracks that are among the clips be hits too.
    """

    filters: Filters = EVERYTHING
    whiten: bool = False
    min_similarity: float | None = None
    include_self: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a query found, and what there is to know about how.

    Attributes
    ----------
    spec : EmbeddingSpec
        Whose embeddings were compared.
    hits : list of Hit
        Best first.
    warnings : list of str
        What kept a clip from being heard to its end.
    """

    spec: EmbeddingSpec
    hits: list[Hit]
    warnings: list[str]


_BY_COSINE = SearchOptions()
_OWN_MODEL = registry.ModelRequest()


def similar(
    index: Index | StrPath,
    clips: StrPath | Iterable[StrPath] = (),
    *,
    named: Iterable[str] = (),
    unlike: Iterable[StrPath] = (),
    k: int = 10,
    ranking: SearchOptions = _BY_COSINE,
    request: registry.ModelRequest = _OWN_MODEL,
) -> SearchResult:
    """Find the tracks that sound most like one clip, or like several taken together.

    Parameters
    ----------
    index : Index, str or path-like
        An open index, or the folder of one.
    clips : str, path-like, or iterable of them
        Each is, in this order: a stored path as given, a stored path once made absolute,
        ``#ID``, a playlist, or a file of sound. Several stand for their centroid.
    named : iterable of str
        Words of artist, title, album or path, each of which names one more such track.
    unlike : iterable of str or path-like
        What hits should not sound like: as for ``clips``.
    k : int
        How many hits.
    ranking : SearchOptions
    request : Request
        The index's own model unless given.

    Raises
    ------
    UsageError
        Where there is no clip, or ``k`` is below 1.
    AmbiguousTrack
        Where words name several tracks.
    IndexNotFound, ModelMismatch, LibraryError
        Where the index cannot answer.
    TrackNotFound
        Where a clip is neither a track nor a file.
    AudioError, ModelError
        Where a clip cannot be embedded.
    """
    if k < 1:
        raise UsageError(f"{k} hits were asked for.", hint="Ask for one or more: -k 10.")
    if not isinstance(index, Index):
        with Index(index) as opened:
            return similar(
                opened, clips, named=named, unlike=unlike, k=k, ranking=ranking, request=request
            )
    seeds = QueryVectors(index, request)
    negatives = seeds.empty_copy()
    seeds.add_all(clips)
    for words in named:
        seeds.add_track(named_track(index, words))
    negatives.add_all(unlike)
    return answer(index, seeds, negatives, k=k, ranking=ranking)


def answer(
    index: Index,
    seeds: QueryVectors,
    negatives: QueryVectors,
    *,
    k: int,
    ranking: SearchOptions = _BY_COSINE,
) -> SearchResult:
    """Find the tracks that sound most like seeds, and not like others.

    Raises
    ------
    UsageError
        Where there is no seed.
    LibraryError
        Where the index cannot answer.
    """
    (found,) = answers(index, [Query(index, seeds, negatives, k=k, ranking=ranking)])
    return found


class Query:
    """What is searched for, and among what: ready to be compared.

    Parameters
    ----------
    index : Index
    seeds, negatives : QueryVectors
        What hits sound like, and what they do not.
    k : int
        How many hits.
    ranking : SearchOptions

    Raises
    ------
    UsageError
        Where there is no seed.
    LibraryError
        Where there are too few tracks to whiten.
    """

    def __init__(
        self,
        index: Index,
        seeds: QueryVectors,
        negatives: QueryVectors,
        *,
        k: int,
        ranking: SearchOptions = _BY_COSINE,
    ) -> None:
        self.k = k
        self.vector_index = index.vector_index(whiten=ranking.whiten)
        self.center = centroid(seeds.vectors)
        self.vector = centroid(self.vector_index.transform(np.stack(seeds.vectors)))
        if negatives.vectors:
            compared = self.vector_index.transform(np.stack(negatives.vectors))
            self.vector = self.vector - _UNLIKE_WEIGHT * centroid(compared)
        self.ranks_by_cosine = not ranking.whiten and not negatives.vectors
        self.candidates = candidate_filter(index, ranking, self.center)
        exclude = [] if ranking.include_self else [*seeds.tracks, *negatives.tracks]
        self.exclude_ids = [track.id for track in exclude]
        self.warnings = seeds.warnings + negatives.warnings
        most = self.vector_index.max_k
        if most is not None and k > most:
            self.warnings.append(f"no more than {most:,} hits are found at a time")


def answers(index: Index, queries: Sequence[Query]) -> list[SearchResult]:
    """Answer queries: those that all tracks may be hits of are compared together.

    Raises
    ------
    LibraryError
        Where the index cannot answer.
    """
    nearest: dict[Query, tuple[Int64, Float32]] = {}
    for space in {query.vector_index for query in queries}:
        alike = [q for q in queries if q.vector_index is space and q.candidates is None]
        if alike:
            vectors = np.stack([query.vector for query in alike])
            found = space.search_batch(
                vectors, [q.k for q in alike], [q.exclude_ids for q in alike]
            )
            nearest.update(zip(alike, found, strict=True))
    for query in queries:
        if query.candidates is not None:
            nearest[query] = query.vector_index.search(
                query.vector, query.k, candidates=query.candidates, exclude_ids=query.exclude_ids
            )
    tracks = index.by_id([i for ids, _ in nearest.values() for i in ids.tolist()])
    return [
        SearchResult(index.spec, _hits(index, query, *nearest[query], tracks), query.warnings)
        for query in queries
    ]


def _hits(
    index: Index, query: Query, ids: Int64, products: Float32, tracks: dict[int, Track]
) -> list[Hit]:
    if not query.ranks_by_cosine:
        products = index.vector_index().vectors_of(ids) @ query.center
    cosines = np.clip(products, -1.0, 1.0)
    # A track removed meanwhile, by another process, is no answer any more.
    found = [(i, c) for i, c in zip(ids.tolist(), cosines.tolist(), strict=True) if i in tracks]
    return [Hit(rank, tracks[i], cosine) for rank, (i, cosine) in enumerate(found, start=1)]


def candidate_filter(index: Index, ranking: SearchOptions, center: Float32) -> Candidates:
    """Return the tracks that may be hits, as the space that is ranked in takes them.

    Parameters
    ----------
    index : Index
    ranking : SearchOptions
    center : ndarray of float32, shape (128,)
        What the least cosine is to.
    """
    least = ranking.min_similarity
    near = None if least is None else (center, least)
    return index.vector_indexes.candidates(ranking.filters, near=near)


def named_track(index: Index, words: str) -> Track:
    """Return the one track that words of its tags or path name.

    Raises
    ------
    TrackNotFound
        Where there is none.
    AmbiguousTrack
        Where there are several, none of which has just these words for artist and title.
    """
    found = index.search_text(words, limit=_MOST_CANDIDATES)
    if not found:
        raise TrackNotFound(
            f"No track has all of the words {words!r} in its tags or path.",
            hint="`audiosearch list` shows the tracks there are.",
        )
    exact = [track for track in found if _is_named(track, words)] or found
    contents = {track.content_hash or track.path for track in exact}
    if len(contents) == 1:
        return exact[0]
    raise AmbiguousTrack(
        f"{words!r} names several tracks.",
        hint="Add words, or name one by its #ID.",
        candidates=[
            f"#{track.id}  {' - '.join(filter(None, (track.artist, track.title))) or track.path}"
            for track in found
        ],
    )


def _is_named(track: Track, words: str) -> bool:
    """Return whether words are a track's title, or its artist and title, in any order."""
    title = sorted((track.title or "").casefold().split())
    artist = sorted((track.artist or "").casefold().split())
    return sorted(words.casefold().split()) in (title, sorted(title + artist))


def centroid(vectors: Float32 | list[Float32]) -> Float32:
    """Return the direction of the mean of unit vectors: float32 of unit length, shape (128,).

    Raises
    ------
    UsageError
        Where there are none, or they cancel each other out.
    """
    if not len(vectors):
        raise UsageError("No clip was named.", hint="Name a file to search with.")
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    length = np.linalg.norm(mean)
    if length < 1e-6:
        raise UsageError(
            "The clips cancel each other out: nothing lies between them.",
            hint="Search with one of them at a time.",
        )
    return np.asarray(mean / length, dtype=np.float32)
