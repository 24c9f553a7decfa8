"""Tracks in an order to listen to: around seeds, drifting from them, or on a path between them."""

from __future__ import annotations

import itertools
from collections import Counter
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import LibraryError, UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import Index
from audiosearch.library.whitening import LEAST_TRACKS
from audiosearch.search import Ranking, Seeds, allowed_ids, centroid, named_track

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.library.index import Track
    from audiosearch.library.vectors import VectorSearch
    from audiosearch.models.registry import Request
    from audiosearch.params import Float32, Int64, StrPath

    Scores = np.ndarray[Any, np.dtype[np.floating[Any]]]  # a candidate each

_LEAST_POOL = 400  # candidates that are looked at first
_POOL_GROWTH = 10
_SAME_COSINE, _SAME_SECONDS = 0.999, 0.01  # of two recordings that are one

_SONG_SECONDS = 240.0  # where no length is known

_STEP_WEIGHT = 0.5  # of being near the track before, beside being near the seeds, when drifting
_N_FIRST, _DRIFT_FLOOR = 5, 0.93  # later tracks keep so much of the first five's cosine
_VARIATION = 0.3  # of the pool's spread, by which scores vary

_BEAM = 48  # paths that are followed at a time
_PER_POINT = 40  # tracks that are tried at each point of a path
_PACE_WEIGHT = 0.05  # of keeping the pace, beside even steps


@dataclass(frozen=True, slots=True)
class Shape:
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


@dataclass(frozen=True, slots=True)
class Caps:
    """What may not come too often, or again.

    Attributes
    ----------
    per_artist, per_album : int or None
        At most so many tracks.
    artist_gap : int
        At least so many tracks between two of the same artist.
    recent : frozenset of str
        Paths that may not come at all.
    """

    per_artist: int | None = None
    per_album: int | None = None
    artist_gap: int = 0
    recent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a playlist is to sound like.

    Attributes
    ----------
    seeds : tuple of str
        Clips, as of `audiosearch.search.similar`.
    named : tuple of str
        Words, each of which names one more track.
    waypoints : tuple of str
        Where a path leads from the seed: paths, #IDs or words of tracks, in order.
    filters : Filters
        What the tracks must be.
    whiten : bool or None
        Choose in a space fitted to the library; unless said, where it is large enough.
    """

    seeds: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    waypoints: tuple[str, ...] = ()
    filters: Filters = EVERYTHING
    whiten: bool | None = None


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tracks in order, and what kept them from being what was asked for."""

    tracks: list[Track]
    notes: list[str] = field(default_factory=list)
    name: str = "Playlist"


def playlist(
    directory: StrPath, wishes: Wishes, shape: Shape, caps: Caps, request: Request
) -> Playlist:
    """Return the playlist that was asked for.

    Raises
    ------
    UsageError, TrackNotFound, AudioError
        Where the seeds or the shape make no sense.
    IndexNotFound, LibraryError, ModelError
        Where the index cannot answer.
    """
    with Index(directory) as index:
        seeds = Seeds(index, request)
        seeds.add_all(wishes.seeds)
        for words in wishes.named:
            seeds.add_track(named_track(index, words))
        if wishes.waypoints:
            found = _path_from(index, seeds, wishes, shape, caps)
        else:
            whiten = wishes.whiten
            if whiten is None:
                whiten = index.totals().tracks >= LEAST_TRACKS
            ranking = Ranking(filters=wishes.filters, whiten=whiten)
            found = around(index, seeds, shape, caps, ranking)
        notes = [*seeds.warnings, *found.notes]
        return replace(found, name=_name(seeds.tracks), notes=notes)


def _name(seeds: Sequence[Track]) -> str:
    if not seeds:
        return "Sounds like a clip"
    tags = " - ".join(filter(None, (seeds[0].artist, seeds[0].title)))
    return f"Like {tags or PurePath(seeds[0].path).stem}"


def _path_from(index: Index, seeds: Seeds, wishes: Wishes, shape: Shape, caps: Caps) -> Playlist:
    if len(seeds.tracks) != 1 or len(seeds.vectors) != 1:
        raise UsageError(
            "A path starts at one track of the index.", hint="Name one, or add its file first."
        )
    if shape.drift or shape.diversity or shape.vary:
        raise UsageError(
            "A path neither drifts nor varies.", hint="Leave out --drift, --diversity and --vary."
        )
    waypoints = [*seeds.tracks]
    waypoints += [index.stored(name) or named_track(index, name) for name in wishes.waypoints]
    n_tracks = shape.n_tracks
    if shape.seconds is not None:
        lengths = [track.seconds for track in waypoints if track.seconds]
        n_tracks = max(
            len(waypoints), round(shape.seconds / (np.mean(lengths) if lengths else 240))
        )
    return path(index, waypoints, n_tracks, caps, Ranking(filters=wishes.filters))


def around(index: Index, seeds: Seeds, shape: Shape, caps: Caps, ranking: Ranking) -> Playlist:
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
        self, index: Index, seeds: Seeds, shape: Shape, caps: Caps, ranking: Ranking
    ) -> None:
        self._index, self._shape = index, shape
        self._space, self._plain = index.space(whiten=ranking.whiten), index.space()
        if not len(self._space.ids):
            raise LibraryError("The index is empty.", hint="`audiosearch add FOLDER` fills it.")
        self._plain_center = centroid(seeds.vectors)
        self._center = centroid(self._space.compared(np.stack(seeds.vectors)))
        among = allowed_ids(index, self._space, ranking, self._plain_center)
        self._allowed = self._space.ids if among is None else among
        self._chosen = _Chosen(caps, [] if shape.keep_seeds else seeds.tracks)
        self._rng = np.random.default_rng(shape.random_seed)
        self._first = self._kept(seeds) if shape.keep_seeds else []

    def _kept(self, seeds: Seeds) -> list[Track]:
        for track in seeds.tracks[: self._shape.n_tracks]:
            self._chosen.add(track, self._index.vector(track))
        return [*self._chosen.tracks]

    def playlist(self) -> Playlist:
        """Choose the tracks, out of ever more candidates where few of them fit."""
        size = max(_LEAST_POOL, 16 * self._shape.n_tracks)
        while True:
            chosen = self._chosen.copy()
            pool = _Pool(self._index, self._space, self._center, size, self._allowed)
            self._fill(chosen, pool)
            if self._is_full(chosen) or size >= len(self._allowed):
                return Playlist(chosen.tracks, self._notes(chosen, len(pool.tracks)))
            size *= _POOL_GROWTH

    def _is_full(self, chosen: _Chosen) -> bool:
        if self._shape.seconds is not None:
            return chosen.seconds >= self._shape.seconds
        return len(chosen.tracks) >= self._shape.n_tracks

    def _fill(self, chosen: _Chosen, pool: _Pool) -> None:
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
            if not chosen.refuses(pool.tracks[place], plain[place]):
                chosen.add(pool.tracks[place], plain[place])
                last = pool.vectors[place]
                nearest_chosen = np.maximum(nearest_chosen, pool.vectors @ last)
                if chosen.waiting:  # for a gap between two of one artist
                    is_open[[pool.places[i] for i in chosen.waiting if i in pool.places]] = True
                    chosen.waiting.clear()

    def _held(self, scores: Scores, cosines: Scores, chosen: _Chosen) -> Scores:
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

    def _notes(self, chosen: _Chosen, n_candidates: int) -> list[str]:
        if self._is_full(chosen):
            return []
        wanted = f"{self._shape.n_tracks} tracks"
        if self._shape.seconds is not None:
            wanted = f"{self._shape.seconds / 60:.0f} minutes"
        bound = ", ".join(f"{reason} ({count})" for reason, count in chosen.refused.most_common())
        why = f"refused: {bound}" if bound else f"only {n_candidates} tracks fit the filters"
        return [f"{len(chosen.tracks)} tracks in place of {wanted}; {why}"]


class _Pool:
    """Candidates: the nearest tracks, with their vectors as they are compared."""

    def __init__(
        self, index: Index, space: VectorSearch, center: Float32, size: int, allowed: Int64
    ) -> None:
        ids, _ = space.nearest(center, size, among=allowed)
        tracks = index.by_id(ids.tolist())
        self.ids: Int64 = np.array([i for i in ids.tolist() if i in tracks], dtype=np.int64)
        self.tracks = [tracks[i] for i in self.ids.tolist()]
        self.places = {i: place for place, i in enumerate(self.ids.tolist())}
        self.vectors = space.vectors_of(self.ids)


class _Chosen:
    """The tracks of a playlist so far, and whether another one may follow.

    Attributes
    ----------
    refused : Counter of str
        How often each rule kept a track out.
    waiting : list of int
        The ids of tracks that were refused only for now.
    """

    def __init__(self, caps: Caps, left_out: Iterable[Track] = ()) -> None:
        self._caps = caps
        self._left_out = {track.id for track in left_out}
        self._contents: set[str] = set()
        self._names: set[tuple[str, str]] = set()
        self._per_artist: Counter[str] = Counter()
        self._per_album: Counter[tuple[str, str]] = Counter()
        self._last_of_artist: dict[str, int] = {}
        self.tracks: list[Track] = []
        self.vectors: list[Float32] = []
        self.seconds = 0.0
        self.refused: Counter[str] = Counter()
        self.waiting: list[int] = []

    def copy(self) -> _Chosen:
        """Return one that goes on from the same tracks, its own way."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (list, dict, set)):
                setattr(other, name, copy(value))
        return other

    def add(self, track: Track, vector: Float32) -> None:
        """Append a track."""
        artist = _folded(track.artist)
        self._left_out.add(track.id)
        self._contents.add(track.content_hash)
        self._names.add((artist, _folded(track.title)))
        self._per_artist[artist] += 1
        self._per_album[artist, _folded(track.album)] += 1
        self._last_of_artist[artist] = len(self.tracks)
        self.tracks.append(track)
        self.vectors.append(vector)
        self.seconds += track.seconds

    def refuses(self, track: Track, vector: Float32) -> bool:
        """Return whether a track may not follow; the reason is counted."""
        reason = self._reason(track, vector)
        if reason is not None:
            self.refused[reason] += 1
        return reason is not None

    def _reason(self, track: Track, vector: Float32) -> str | None:
        """Return the first rule that keeps a track out."""
        rules = {
            "a seed, or there already": track.id in self._left_out,
            "in a playlist to exclude": track.path in self._caps.recent,
            "the same title by the same artist": bool(track.title and track.artist)
            and (_folded(track.artist), _folded(track.title)) in self._names,
            **self._caps_reached(track),
        }
        reason = next((reason for reason, applies in rules.items() if applies), None)
        if reason is None and self._is_there(track, vector):
            return "the same recording"
        return reason

    def _caps_reached(self, track: Track) -> dict[str, bool]:
        artist, album, caps = _folded(track.artist), _folded(track.album), self._caps
        if not artist:
            return {}
        reached = {}
        if caps.per_artist is not None:
            is_reached = self._per_artist[artist] >= caps.per_artist
            reached[f"more than {caps.per_artist} by an artist"] = is_reached
        if album and caps.per_album is not None:
            is_reached = self._per_album[artist, album] >= caps.per_album
            reached[f"more than {caps.per_album} of an album"] = is_reached
        last = self._last_of_artist.get(artist)
        is_too_soon = last is not None and len(self.tracks) - last <= caps.artist_gap
        if is_too_soon and not any(reached.values()):
            self.waiting.append(track.id)
        reached[f"fewer than {caps.artist_gap} between two of an artist"] = is_too_soon
        return reached

    def _is_there(self, track: Track, vector: Float32) -> bool:
        """Return whether the same recording is there."""
        if track.content_hash and track.content_hash in self._contents:
            return True
        if not self.vectors:
            return False
        near = np.flatnonzero(np.asarray(self.vectors) @ vector > _SAME_COSINE)
        return any(_lasts_as_long(track, self.tracks[place]) for place in near)


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def _lasts_as_long(track: Track, other: Track) -> bool:
    """Return whether two tracks may last as long, as far as that is known."""
    longest = max(track.seconds, other.seconds)
    is_known = track.seconds > 0 and other.seconds > 0
    return not is_known or abs(track.seconds - other.seconds) <= _SAME_SECONDS * longest


def path(
    index: Index, waypoints: Sequence[Track], n_tracks: int, caps: Caps, ranking: Ranking
) -> Playlist:
    """Return a path through tracks, in order, evenly paced on the sphere of their vectors.

    Raises
    ------
    UsageError
        Where there are fewer than two waypoints, or more of them than tracks.
    """
    if len(waypoints) < 2 or n_tracks < len(waypoints):
        raise UsageError(
            f"A path of {n_tracks} tracks cannot go through {len(waypoints)} of them.",
            hint="Name where it starts and where it goes, and ask for more tracks with -n.",
        )
    ends = np.stack([index.vector(track) for track in waypoints])
    counts = _between(ends, n_tracks - len(waypoints))
    space = index.space()
    allowed = allowed_ids(index, space, ranking, centroid(ends))
    chosen = _Chosen(caps)
    later = list(zip(waypoints, ends, strict=True))
    chosen.add(*later[0])
    for (start, goal), count in zip(itertools.pairwise(later), counts, strict=True):
        points = _great_circle(start[1], goal[1], count)
        leg = _Leg(index, space, allowed, [track for track, _ in later])
        chosen = leg.followed(chosen, points, goal)
        chosen.add(*goal)
    notes = []
    if len(chosen.tracks) < n_tracks:
        bound = ", ".join(reason for reason, _ in chosen.refused.most_common(3))
        notes = [f"{len(chosen.tracks)} tracks in place of {n_tracks}; refused: {bound}"]
    return Playlist(chosen.tracks, notes)


def _between(ends: Float32, n_tracks: int) -> list[int]:
    """Share tracks out among the legs between waypoints, in proportion to their angles."""
    cosines = np.clip(np.sum(ends[:-1] * ends[1:], axis=1), -1.0, 1.0)
    angles = np.arccos(cosines) + 1e-9
    marks = np.round(np.cumsum(angles) / angles.sum() * n_tracks).astype(int)
    return [int(count) for count in np.diff(marks, prepend=0)]


def _great_circle(start: Float32, goal: Float32, n_points: int) -> Float32:
    """Return so many points between two unit vectors, evenly spaced: shape (n, 128)."""
    angle = np.arccos(np.clip(float(start @ goal), -1.0, 1.0))
    shares = np.arange(1, n_points + 1)[:, np.newaxis] / (n_points + 1)
    if angle < 1e-6:
        return np.repeat(start[np.newaxis], n_points, axis=0)
    points = (np.sin((1 - shares) * angle) * start + np.sin(shares * angle) * goal) / np.sin(angle)
    return np.asarray(points, dtype=np.float32)


class _Leg:
    """The way from one waypoint to the next: a beam search for even steps at an even pace."""

    def __init__(
        self,
        index: Index,
        space: VectorSearch,
        allowed: Int64 | None,
        waypoints: Sequence[Track],
    ) -> None:
        self._index, self._space = index, space
        ids = space.ids if allowed is None else allowed
        self._allowed = np.setdiff1d(ids, [track.id for track in waypoints])

    def followed(self, chosen: _Chosen, points: Float32, goal: tuple[Track, Float32]) -> _Chosen:
        """Return what is chosen after the leg, its goal not included."""
        beam = [(0.0, chosen)]
        for number, point in enumerate(points):
            ids, near = self._space.nearest(point, _PER_POINT, among=self._allowed)
            if not len(ids):
                break
            tracks = self._index.by_id(ids.tolist())
            vectors = self._space.vectors_of(ids)
            to_goal = vectors @ goal[1] if number == len(points) - 1 else None
            ways = []
            for score, way in beam:
                steps = vectors @ way.vectors[-1]
                costs = (1 - steps) ** 2 + _PACE_WEIGHT * (1 - near)
                if to_goal is not None:
                    costs = costs + (1 - to_goal) ** 2
                ways += [(score + cost, way, place) for place, cost in enumerate(costs.tolist())]
            ways.sort(key=lambda one: one[0])
            longer = []
            for score, way, place in ways:
                track = tracks.get(int(ids[place]))
                if track is None or way.refuses(track, vectors[place]):
                    continue
                extended = way.copy()
                extended.add(track, vectors[place])
                longer.append((score, extended))
                if len(longer) == _BEAM:
                    break
            if longer:
                beam = longer
        return beam[0][1]
