"""Finding what sounds like something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import AmbiguousTrack, TrackNotFound, UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import Identity, Index, Track
from audiosearch.models import registry
from audiosearch.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.library.spaces import Among
    from audiosearch.params import Float32, Int64, StrPath

_UNLIKE_WEIGHT = 0.5  # of what to avoid, beside 1 of what to find
_MOST_CANDIDATES = 20  # that are listed for words that name several tracks


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a query, best first."""

    rank: int  # from 1
    track: Track
    similarity: float  # cosine to the clips, in [-1, 1], whatever ranked it


@dataclass(frozen=True, slots=True)
class Ranking:
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
class Answer:
    """What a query found, and what there is to know about how.

    Attributes
    ----------
    identity : Identity
        Whose embeddings were compared.
    hits : list of Hit
        Best first.
    warnings : list of str
        What kept a clip from being heard to its end.
    """

    identity: Identity
    hits: list[Hit]
    warnings: list[str]


_BY_COSINE = Ranking()
_OWN_MODEL = registry.Request()


def similar(
    index: Index | StrPath,
    clips: StrPath | Iterable[StrPath] = (),
    *,
    named: Iterable[str] = (),
    unlike: Iterable[StrPath] = (),
    k: int = 10,
    ranking: Ranking = _BY_COSINE,
    request: registry.Request = _OWN_MODEL,
) -> Answer:
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
    ranking : Ranking
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
    seeds = Seeds(index, request)
    shunned = seeds.others()
    seeds.add_all(clips)
    for words in named:
        seeds.add_track(named_track(index, words))
    shunned.add_all(unlike)
    return answer(index, seeds, shunned, k=k, ranking=ranking)


def answer(
    index: Index, seeds: Seeds, shunned: Seeds, *, k: int, ranking: Ranking = _BY_COSINE
) -> Answer:
    """Find the tracks that sound most like seeds, and not like others.

    Raises
    ------
    UsageError
        Where there is no seed.
    LibraryError
        Where the index cannot answer.
    """
    (found,) = answers(index, [Query(index, seeds, shunned, k=k, ranking=ranking)])
    return found


class Query:
    """What is searched for, and among what: ready to be compared.

    Parameters
    ----------
    index : Index
    seeds, shunned : Seeds
        What hits sound like, and what they do not.
    k : int
        How many hits.
    ranking : Ranking

    Raises
    ------
    UsageError
        Where there is no seed.
    LibraryError
        Where there are too few tracks to whiten.
    """

    def __init__(
        self, index: Index, seeds: Seeds, shunned: Seeds, *, k: int, ranking: Ranking = _BY_COSINE
    ) -> None:
        self.k = k
        self.space = index.space(whiten=ranking.whiten)
        self.center = centroid(seeds.vectors)
        self.vector = centroid(self.space.compared(np.stack(seeds.vectors)))
        if shunned.vectors:
            compared = self.space.compared(np.stack(shunned.vectors))
            self.vector = self.vector - _UNLIKE_WEIGHT * centroid(compared)
        self.ranks_by_cosine = not ranking.whiten and not shunned.vectors
        self.among = allowed(index, ranking, self.center)
        exclude = [] if ranking.include_self else [*seeds.tracks, *shunned.tracks]
        self.without = [track.id for track in exclude]
        self.warnings = seeds.warnings + shunned.warnings
        most = self.space.most_found
        if most is not None and k > most:
            self.warnings.append(f"no more than {most:,} hits are found at a time")


def answers(index: Index, queries: Sequence[Query]) -> list[Answer]:
    """Answer queries: those that all tracks may be hits of are compared together.

    Raises
    ------
    LibraryError
        Where the index cannot answer.
    """
    nearest: dict[Query, tuple[Int64, Float32]] = {}
    for space in {query.space for query in queries}:
        alike = [q for q in queries if q.space is space and q.among is None]
        if alike:
            vectors = np.stack([query.vector for query in alike])
            found = space.nearest_to_each(vectors, [q.k for q in alike], [q.without for q in alike])
            nearest.update(zip(alike, found, strict=True))
    for query in queries:
        if query.among is not None:
            nearest[query] = query.space.nearest(
                query.vector, query.k, among=query.among, without=query.without
            )
    tracks = index.by_id([i for ids, _ in nearest.values() for i in ids.tolist()])
    return [
        Answer(index.identity, _hits(index, query, *nearest[query], tracks), query.warnings)
        for query in queries
    ]


def _hits(
    index: Index, query: Query, ids: Int64, products: Float32, tracks: dict[int, Track]
) -> list[Hit]:
    if not query.ranks_by_cosine:
        products = index.space().vectors_of(ids) @ query.center
    cosines = np.clip(products, -1.0, 1.0)
    # A track removed meanwhile, by another process, is no answer any more.
    found = [(i, c) for i, c in zip(ids.tolist(), cosines.tolist(), strict=True) if i in tracks]
    return [Hit(rank, tracks[i], cosine) for rank, (i, cosine) in enumerate(found, start=1)]


def allowed(index: Index, ranking: Ranking, center: Float32) -> Among:
    """Return the tracks that may be hits, as the space that is ranked in takes them.

    Parameters
    ----------
    index : Index
    ranking : Ranking
    center : ndarray of float32, shape (128,)
        What the least cosine is to.
    """
    least = ranking.min_similarity
    near = None if least is None else (center, least)
    return index.spaces.among(ranking.filters, near=near)


def named_track(index: Index, words: str) -> Track:
    """Return the one track that words of its tags or path name.

    Raises
    ------
    TrackNotFound
        Where there is none.
    AmbiguousTrack
        Where there are several, none of which has just these words for artist and title.
    """
    found = index.named(words, limit=_MOST_CANDIDATES)
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
