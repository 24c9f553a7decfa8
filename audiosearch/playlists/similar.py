"""Playlists around seeds, or drifting from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError, UsageError
from audiosearch.playlists.builder import Constraints, Playlist, PlaylistBuilder
from audiosearch.search.similar import SearchOptions, candidate_filter, centroid

if TYPE_CHECKING:
    from audiosearch.library.backend import Candidates, VectorIndex
    from audiosearch.library.index import Index
    from audiosearch.search.query_vectors import QueryVectors
    from audiosearch.types import Float32, Int64

    Scores = np.ndarray[Any, np.dtype[np.floating[Any]]]  # a candidate each

_LEAST_POOL = 400  # candidates that are looked at first
_POOL_GROWTH = 10

_STEP_WEIGHT = 0.5  # of being near the track before, beside being near the seeds, when drifting
_N_FIRST, _DRIFT_FLOOR = 5, 0.93  # later tracks keep so much of the first five's cosine
_VARIATION = 0.3  # of the pool's spread, by which scores vary


@dataclass(frozen=True, slots=True)
class PlaylistOptions:
    """What a playlist is to be.

    Attributes
    ----------
    n_tracks : int
        How many, the seeds that are kept included.
    drift : bool
        Let each track be near the last, without wandering off the seeds.
    diversity : float
        From 0, the nearest, to 1, each as unlike those before as can be.
    seconds : float or None
        Its length, in place of a number of tracks.
    keep_seeds : bool
        Begin with those seeds that are tracks.
    vary : bool
        Let chance take part, so that it differs each time,
    random_seed : int or None
        ... but for the same number.
    """

    n_tracks: int = 25
    drift: bool = False
    diversity: float = 0.0
    seconds: float | None = None
    keep_seeds: bool = False
    vary: bool = False
    random_seed: int | None = None

    def __post_init__(self) -> None:
        """Check that it makes sense."""
        if self.n_tracks < 1:
            raise UsageError(f"{self.n_tracks} tracks were asked for.", hint="Ask for one or more.")
        if not 0.0 <= self.diversity <= 1.0:
            raise UsageError(
                f"There is no diversity of {self.diversity:g}.", hint="It goes from 0 to 1."
            )
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError("A playlist has some length.", hint="Ask for one such as 60m.")


def around(
    index: Index,
    seeds: QueryVectors,
    shape: PlaylistOptions,
    caps: Constraints,
    ranking: SearchOptions,
) -> Playlist:
    """Return tracks that sound like seeds.

    Raises
    ------
    UsageError
        Where there is no seed.
    LibraryError
        Where the index is empty, or too small to whiten.
    """
    return _Around(index, seeds, shape, caps, ranking).playlist()


class _Around:
    """A playlist around seeds, or drifting from them."""

    def __init__(
        self,
        index: Index,
        seeds: QueryVectors,
        shape: PlaylistOptions,
        caps: Constraints,
        ranking: SearchOptions,
    ) -> None:
        self._index, self._shape = index, shape
        self._space, self._plain = index.vector_index(whiten=ranking.whiten), index.vector_index()
        if not self._space.n_tracks:
            raise LibraryError("The index is empty.", hint="`audiosearch add FOLDER` fills it.")
        self._plain_center = centroid(seeds.vectors)
        self._center = centroid(self._space.transform(np.stack(seeds.vectors)))
        self._allowed = candidate_filter(index, ranking, self._plain_center)
        self._chosen = PlaylistBuilder(caps, [] if shape.keep_seeds else seeds.tracks)
        self._rng = np.random.default_rng(shape.random_seed)
        self._n_seeds = len(seeds.tracks) if shape.keep_seeds else 0
        if shape.keep_seeds:
            for track in seeds.tracks[: shape.n_tracks]:
                self._chosen.add(track, index.vector(track))

    def playlist(self) -> Playlist:
        """Choose the tracks, out of ever more candidates where few of them fit."""
        size = max(_LEAST_POOL, 16 * self._shape.n_tracks)
        while True:
            chosen = self._chosen.copy()
            pool = _Pool(self._index, self._space, self._center, size, self._allowed)
            self._fill(chosen, pool)
            if self._is_full(chosen) or pool.is_all:
                return Playlist(chosen.tracks, self._notes(chosen))
            size *= _POOL_GROWTH

    def _is_full(self, chosen: PlaylistBuilder) -> bool:
        if self._shape.seconds is not None:
            return chosen.seconds >= self._shape.seconds
        return len(chosen.tracks) >= self._shape.n_tracks

    def _fill(self, chosen: PlaylistBuilder, pool: _Pool) -> None:
        near = pool.vectors @ self._center
        if self._shape.vary:
            near = near + _VARIATION * near.std() * self._rng.gumbel(size=len(near))
        plain = self._plain.vectors_of(pool.ids)
        cosines = plain @ self._plain_center
        is_open = np.ones(len(pool.tracks), dtype=bool)
        nearest_chosen = np.full(len(pool.tracks), -1.0)
        last = self._center
        while not self._is_full(chosen) and is_open.any():
            scores = self._scores(near, nearest_chosen, pool.vectors @ last, len(chosen.tracks))
            if self._shape.drift:
                scores = self._held(scores, cosines, chosen)
            place = int(np.argmax(np.where(is_open, scores, -np.inf)))
            is_open[place] = False
            if not chosen.rejects(pool.tracks[place], plain[place]):
                chosen.add(pool.tracks[place], plain[place])
                last = pool.vectors[place]
                nearest_chosen = np.maximum(nearest_chosen, pool.vectors @ last)
                if chosen.waiting:  # for a gap between two of one artist
                    is_open[[pool.places[i] for i in chosen.waiting if i in pool.places]] = True
                    chosen.waiting.clear()

    def _held(self, scores: Scores, cosines: Scores, chosen: PlaylistBuilder) -> Scores:
        """Keep what drifts from wandering off: the last five stay about as near as the first.

        Where only few tracks are near, they come after the first five.
        """
        if len(chosen.tracks) < _N_FIRST:
            reach = min(2 * self._shape.n_tracks, len(cosines))
            too_near = cosines > np.partition(cosines, -reach)[-reach] / _DRIFT_FLOOR
            return np.where(too_near, scores - 10.0, scores)
        first = np.mean(np.stack(chosen.vectors[:_N_FIRST]) @ self._plain_center)
        return np.where(cosines < _DRIFT_FLOOR * first, cosines - 10.0, scores)

    def _scores(self, near: Scores, nearest_chosen: Scores, step: Scores, n_chosen: int) -> Scores:
        scores = near
        if self._shape.drift and n_chosen:
            scores = (1 - _STEP_WEIGHT) * near + _STEP_WEIGHT * step
        if self._shape.diversity and n_chosen:
            diversity = self._shape.diversity
            scores = (1 - diversity) * scores - diversity * nearest_chosen
        return scores

    def _notes(self, chosen: PlaylistBuilder) -> list[str]:
        if self._n_seeds > self._shape.n_tracks:
            return [f"{self._shape.n_tracks} of the {self._n_seeds} seeds fill it"]
        if self._is_full(chosen):
            return []
        if self._shape.seconds is not None:
            return [chosen.note(f"{self._shape.seconds / 60:.0f} minutes")]
        return [chosen.note(f"{self._shape.n_tracks}")]


class _Pool:
    """Candidates: the nearest tracks, with their vectors as they are compared."""

    def __init__(
        self,
        index: Index,
        space: VectorIndex[Candidates],
        center: Float32,
        size: int,
        candidates: Candidates | None,
    ) -> None:
        ids, _ = space.search(center, size, candidates=candidates)
        self.is_all = len(ids) < size  # that there are, or that can be found at a time
        tracks = index.by_id(ids.tolist())
        self.ids: Int64 = np.array([i for i in ids.tolist() if i in tracks], dtype=np.int64)
        self.tracks = [tracks[i] for i in self.ids.tolist()]
        self.places = {i: place for place, i in enumerate(self.ids.tolist())}
        self.vectors = space.vectors_of(self.ids)
