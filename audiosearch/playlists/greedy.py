"""Greedy selection: the next track is always the best-scoring one that passes the rules.

The strategies "similar" and "drift" use it with different scores.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audiosearch.errors import UsageError
from audiosearch.playlists.builder import Playlist, PlaylistBuilder
from audiosearch.playlists.candidate_pool import CandidatePool
from audiosearch.playlists.kept import kept
from audiosearch.playlists.main_artists import main_artists
from audiosearch.playlists.openings import Openings
from audiosearch.playlists.rules import EXCLUDED
from audiosearch.search.listing import tracks_of_ids
from audiosearch.search.query import SearchOptions, candidate_filter, centroid, search_direction
from audiosearch.search.same_recording import KnownPrints, known_copies
from audiosearch.search.whitening_choice import is_whitening_better

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.playlists.request import PlaylistOptions, PlaylistRequest
    from audiosearch.search.query_vectors import QueryVectors
    from audiosearch.types import Float32

    #: ndarray of float, shape (n_candidates,)
    CandidateScores = np.ndarray[Any, np.dtype[np.floating[Any]]]

_MIN_CANDIDATES = 400  # number of nearest tracks to choose from, at least
_CANDIDATES_PER_TRACK = 16  # and at least this many for each requested track
_GROWTH = 10  # factor for the number of candidates, if too few of them pass the rules
_BATCH = 32  # candidates that are read at a time
_NOISE_SCALE = 0.3  # noise of a varied playlist, in standard deviations of the candidates' cosines


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
    seed_cosines : ndarray of float, shape (n_candidates,)
        Cosines to the seeds, plus noise for a varied playlist. With tracks to avoid, less a share
        of the cosines to these.
    """

    def __init__(
        self,
        pool: CandidatePool,
        options: PlaylistOptions,
        *,
        builder: PlaylistBuilder,
        centers: tuple[Float32, Float32],
        rng: np.random.Generator,
        preceding: Float32 | None = None,
    ) -> None:
        self.options, self.builder = options, builder
        self.center, center = centers
        self._pool = pool
        self._cosines = self.seed_cosines = pool.vectors @ center
        if options.vary:
            scale = _NOISE_SCALE * self._cosines.std()
            self.seed_cosines = self._cosines + scale * rng.gumbel(size=len(self._cosines))
        self._chosen: list[int] = []  # positions
        self._first_cosines = self._cosines  # to the track before the first choice
        self._max_cosines = np.full(len(pool.ids), -1.0)
        if preceding is not None:
            cosines = pool.vectors @ preceding.T
            self._first_cosines, self._max_cosines = cosines[:, -1], cosines.max(axis=1)
        self._n_compared = 0  # chosen candidates that ``_max_cosines`` takes account of

    def choose(self, position: int) -> None:
        """Add a candidate to the chosen ones."""
        self._chosen.append(position)
        self.__dict__.pop("last_cosines", None)

    @cached_property
    def embedding_cosines(self) -> Float32:
        """Cosines of the candidates' embeddings, not whitened, to ``center``."""
        return self._pool.embeddings @ self.center

    @cached_property
    def last_cosines(self) -> Float32:
        """Cosines to the track chosen last; before the first choice, to the one before it.

        If no track precedes it, these are the cosines to the seeds.
        """
        return self._cosines_to(self._chosen[-1]) if self._chosen else self._first_cosines

    @property
    def max_cosines(self) -> CandidateScores:
        """Largest cosine to a preceding track, or one chosen after the seeds; else -1."""
        for position in self._chosen[self._n_compared :]:
            is_last = position == self._chosen[-1]
            cosines = self.last_cosines if is_last else self._cosines_to(position)
            self._max_cosines = np.maximum(self._max_cosines, cosines)
        self._n_compared = len(self._chosen)
        return self._max_cosines

    def _cosines_to(self, position: int) -> Float32:
        cosines: Float32 = self._pool.vectors @ self._pool.vectors[position]
        return cosines


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
            hint="Leave out --to, or use the strategy path.",
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
        self._plain_center = centroid(seeds.vectors, seeds.weights)
        unlike = [index.vector(track) for track in tracks_of_ids(index, request.unlike_ids)]
        self._center = search_direction(
            self._vector_index, seeds.vectors, unlike, weights=seeds.weights
        )
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
            kept(index, main_artists),
            [] if self._seeds else [*seeds.tracks, *chain.from_iterable(copies.values())],
            prints=KnownPrints(index),
        )
        for track in tracks_of_ids(index, request.preceding_ids):
            self._start.precede(track, index.vector(track))
        self._preceding = None
        if self._start.vectors:
            self._preceding = self._vector_index.transform(np.stack(self._start.vectors))
        for track in self._seeds:
            if not self._is_full(self._start):
                self._start.add(track, index.vector(track))

    def playlist(self) -> Playlist:
        """Return the playlist, chosen from the smallest pool that is large enough."""
        n_candidates = max(_MIN_CANDIDATES, _CANDIDATES_PER_TRACK * self._options.n_tracks)
        while True:
            builder = self._start.copy()
            ids, _ = self._vector_index.search(
                self._center, n_candidates, candidates=self._candidates
            )
            is_complete = len(ids) < n_candidates  # there are no more tracks
            openings = Openings(self._index, builder, ids)
            if is_complete or self._may_be_enough(builder, openings):
                self._fill(builder, openings, has_notes=is_complete)
            elif self._options.vary:
                self._rng.gumbel(size=len(openings.ids))  # so that the next pool gets other noise
            if self._is_full(builder) or is_complete:
                return Playlist(
                    builder.own_tracks, [*self._notes_on_seeds(), *self._notes(builder)]
                )
            n_candidates *= _GROWTH

    def _is_full(self, builder: PlaylistBuilder) -> bool:
        if self._options.seconds is not None:
            return builder.seconds >= self._options.seconds
        return len(builder.own_tracks) >= self._options.n_tracks

    def _may_be_enough(self, builder: PlaylistBuilder, openings: Openings) -> bool:
        """Return False if the limits make it impossible to fill the playlist from a pool."""
        n_missing = self._options.n_tracks - len(builder.own_tracks)
        return self._options.seconds is not None or openings.max_tracks(n_missing) >= n_missing

    def _fill(self, builder: PlaylistBuilder, openings: Openings, *, has_notes: bool) -> None:
        pool = CandidatePool(self._index, openings.ids, self._vector_index, self._plain_index)
        centers = self._plain_center, self._center
        selection = Selection(
            pool,
            self._options,
            builder=builder,
            centers=centers,
            rng=self._rng,
            preceding=self._preceding,
        )
        while not self._is_full(builder):
            scores = self._score(selection)
            choice = self._choice(builder, pool, openings, scores)
            best = None if choice is None else choice[0]
            if has_notes:
                openings.note_passed_over(scores, best)
            if choice is None:
                return
            best, track, embedding = choice
            builder.add(track, embedding)
            openings.close(best)
            openings.update()
            selection.choose(best)

    @staticmethod
    def _choice(
        builder: PlaylistBuilder, pool: CandidatePool, openings: Openings, scores: CandidateScores
    ) -> tuple[int, Track, Float32] | None:
        """Return the best-scoring candidate that passes all rules: position, track, embedding."""
        while True:
            best = openings.best(scores)
            if best is None:
                return None
            if not pool.has(best):
                pool.load([best, *openings.next_best(scores, _BATCH)])
            track, embedding = pool.candidate(best)
            if track is not None and not builder.rejects(track, embedding):
                return best, track, embedding
            openings.close(best)

    def _notes_on_seeds(self) -> list[str]:
        n_excluded = self._n_excluded_seeds
        return [f"seeds left out by {EXCLUDED}: {n_excluded}"] if n_excluded else []

    def _notes(self, builder: PlaylistBuilder) -> list[str]:
        notes = builder.length_notes(self._options, self._end_of_tracks(builder))
        n_seeds = len(self._start.own_tracks)
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
