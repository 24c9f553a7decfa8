"""Greedy selection: the next track is always the best-scoring one that passes the rules.

The strategies "similar" and "drift" use it with different scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audiosearch.errors import UsageError
from audiosearch.playlists.builder import Playlist, PlaylistBuilder
from audiosearch.playlists.main_artists import MainArtists
from audiosearch.search.query import SearchOptions, candidate_filter, centroid
from audiosearch.search.same_recording import KnownPrints, known_copies
from audiosearch.search.whitening_choice import is_whitening_better

if TYPE_CHECKING:
    from audiosearch.library.backend import Candidates, VectorIndex
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.playlists.request import PlaylistOptions, PlaylistRequest
    from audiosearch.search.query_vectors import QueryVectors
    from audiosearch.types import Float32, Int64

    #: ndarray of float, shape (n_candidates,)
    CandidateScores = np.ndarray[Any, np.dtype[np.floating[Any]]]

_MIN_CANDIDATES = 400  # number of nearest tracks to choose from, at least
_CANDIDATES_PER_TRACK = 16  # and at least this many for each requested track
_GROWTH = 10  # factor for the number of candidates, if too few of them pass the rules
_NOISE_SCALE = 0.3  # noise of a varied playlist, in standard deviations of the candidates' cosines


@dataclass(slots=True)
class Selection:
    """State of a greedy selection: the candidates, and the tracks chosen so far.

    Candidates are compared by plain or by whitened vectors, as the playlist's options say.

    Attributes
    ----------
    options : PlaylistOptions
    builder : PlaylistBuilder
        Tracks chosen so far.
    center : ndarray of float32, shape (dimension,)
        Centroid of the seeds' embeddings, not whitened, of unit length.
    embedding_cosines : ndarray of float32, shape (n_candidates,)
        Cosines of the candidates' embeddings, not whitened, to ``center``.
    seed_cosines : ndarray of float, shape (n_candidates,)
        Cosines to the seeds, plus noise for a varied playlist.
    last_cosines : ndarray of float32, shape (n_candidates,)
        Cosines to the track chosen last; to the seeds before the first choice.
    max_cosines : ndarray of float, shape (n_candidates,)
        Largest cosine to a track chosen after the seeds; -1 if there is none.
    """

    options: PlaylistOptions
    builder: PlaylistBuilder
    center: Float32
    embedding_cosines: Float32
    seed_cosines: CandidateScores
    last_cosines: Float32
    max_cosines: CandidateScores


class Score(Protocol):
    """A function that scores candidates."""

    def __call__(self, selection: Selection) -> CandidateScores:
        """Return a score for each candidate, shape (n_candidates,). The largest score is best."""


def select(index: Index, seeds: QueryVectors, request: PlaylistRequest, score: Score) -> Playlist:
    """Fill a playlist with the tracks that score best.

    Parameters
    ----------
    index : Index
    seeds : QueryVectors
        Clips to start from.
    request : PlaylistRequest
    score : callable
        Function that scores the candidates. It is called before each choice.

    Raises
    ------
    UsageError
        If there is no seed, or the request has a destination.
    LibraryError
        If the index is empty, or too small to whiten.
    """
    if request.destination is not None:
        raise UsageError(
            f"A playlist of the strategy {request.strategy_name} doesn't lead to a track.",
            hint="Leave out the destination, or use the strategy path.",
        )
    return _GreedySelection(index, seeds, request, score).playlist()


def add_diversity(scores: CandidateScores, selection: Selection) -> CandidateScores:
    """Lower the scores of candidates that are similar to a chosen track.

    References
    ----------
    .. [1] Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering
       documents and producing summaries", SIGIR 1998.
    """
    diversity = selection.options.diversity
    if not diversity or not selection.builder.tracks:
        return scores
    return (1 - diversity) * scores - diversity * selection.max_cosines


class _GreedySelection:
    """Chooses tracks from a pool of those nearest to the seeds, and enlarges the pool if needed."""

    def __init__(
        self, index: Index, seeds: QueryVectors, request: PlaylistRequest, score: Score
    ) -> None:
        self._index, self._options, self._score = index, request.options, score
        whiten = request.options.whiten
        if whiten is None:
            whiten = is_whitening_better(index)
        self._vector_index = index.vector_index(whiten=whiten)
        self._plain_index = index.vector_index()
        if not self._vector_index.n_tracks:
            index.require_tracks()
        self._plain_center = centroid(seeds.vectors)
        self._center = centroid(self._vector_index.transform(np.stack(seeds.vectors)))
        search_options = SearchOptions(request.filters, whiten)
        self._candidates = candidate_filter(index, search_options, self._plain_center)
        self._rng = np.random.default_rng(self._options.random_seed)
        excluded_paths = request.constraints.excluded_paths
        copies = known_copies(index, seeds.tracks)
        wanted = _without_copies(seeds.tracks, copies) if self._options.keep_seeds else []
        self._seeds = [track for track in wanted if track.path not in excluded_paths]
        self._n_excluded_seeds = len(wanted) - len(self._seeds)
        self._start = PlaylistBuilder(
            request.constraints,
            MainArtists(index.storage.artists),
            [] if self._seeds else [*seeds.tracks, *chain.from_iterable(copies.values())],
            prints=KnownPrints(index),
        )
        for track in self._seeds:
            if not self._is_full(self._start):
                self._start.add(track, index.vector(track))

    def playlist(self) -> Playlist:
        """Return the playlist, chosen from the smallest pool that is large enough."""
        n_candidates = max(_MIN_CANDIDATES, _CANDIDATES_PER_TRACK * self._options.n_tracks)
        while True:
            builder = self._start.copy()
            pool = _Pool(
                self._index, self._vector_index, self._center, n_candidates, self._candidates
            )
            self._fill(builder, pool)
            if self._is_full(builder) or pool.is_complete:
                return Playlist(builder.tracks, [*self._notes_on_seeds(), *self._notes(builder)])
            n_candidates *= _GROWTH

    def _is_full(self, builder: PlaylistBuilder) -> bool:
        if self._options.seconds is not None:
            return builder.seconds >= self._options.seconds
        return len(builder.tracks) >= self._options.n_tracks

    def _fill(self, builder: PlaylistBuilder, pool: _Pool) -> None:
        embeddings = self._plain_index.vectors_of(pool.ids)
        selection = self._selection(builder, pool, embeddings)
        is_open = np.ones(len(pool.tracks), dtype=bool)
        while not self._is_full(builder) and is_open.any():
            scores = self._score(selection)
            best = int(np.argmax(np.where(is_open, scores, -np.inf)))
            is_open[best] = False
            if builder.rejects(pool.tracks[best], embeddings[best]):
                continue
            builder.add(pool.tracks[best], embeddings[best])
            selection.last_cosines = pool.vectors @ pool.vectors[best]
            selection.max_cosines = np.maximum(selection.max_cosines, selection.last_cosines)
            if builder.deferred:
                is_open[[pool.positions[i] for i in builder.deferred if i in pool.positions]] = True
                builder.deferred.clear()

    def _selection(self, builder: PlaylistBuilder, pool: _Pool, embeddings: Float32) -> Selection:
        cosines = pool.vectors @ self._center
        noisy: CandidateScores = cosines
        if self._options.vary:
            scale = _NOISE_SCALE * cosines.std()
            noisy = cosines + scale * self._rng.gumbel(size=len(cosines))
        return Selection(
            options=self._options,
            builder=builder,
            center=self._plain_center,
            embedding_cosines=embeddings @ self._plain_center,
            seed_cosines=noisy,
            last_cosines=cosines,
            max_cosines=np.full(len(pool.tracks), -1.0),
        )

    def _notes_on_seeds(self) -> list[str]:
        n_excluded = self._n_excluded_seeds
        return [f"seeds left out by excluded playlists: {n_excluded}"] if n_excluded else []

    def _notes(self, builder: PlaylistBuilder) -> list[str]:
        notes = builder.length_notes(self._options, self._end_of_tracks(builder))
        n_seeds = len(self._start.tracks)
        if n_seeds < len(self._seeds):
            first = "seed" if n_seeds == 1 else f"{n_seeds}"
            notes.insert(0, f"the playlist has only the first {first} of {len(self._seeds)} seeds")
        return notes

    def _end_of_tracks(self, builder: PlaylistBuilder) -> str:
        if len(builder.tracks) < self._index.n_tracks and self._candidates is not None:
            return "no more tracks match the filters"
        return "the index has no more tracks"


def _without_copies(tracks: list[Track], copies: dict[int, list[Track]]) -> list[Track]:
    """Return the tracks without copies of earlier ones."""
    kept, left_out = [], set[int]()
    for track in tracks:
        if track.id not in left_out:
            kept.append(track)
            left_out |= {track.id, *(copy.id for copy in copies[track.id])}
    return kept


class _Pool:
    """Candidates: the tracks nearest to the seeds, with their plain or whitened vectors."""

    def __init__(
        self,
        index: Index,
        vector_index: VectorIndex[Candidates],
        center: Float32,
        n_tracks: int,
        candidates: Candidates | None,
    ) -> None:
        ids, _ = vector_index.search(center, n_tracks, candidates=candidates)
        self.is_complete = len(ids) < n_tracks  # there are no more tracks
        tracks = index.by_id(ids.tolist())
        self.ids: Int64 = np.array([i for i in ids.tolist() if i in tracks], dtype=np.int64)
        self.tracks = [tracks[i] for i in self.ids.tolist()]
        self.positions = {i: position for position, i in enumerate(self.ids.tolist())}
        self.vectors = vector_index.vectors_of(self.ids)
