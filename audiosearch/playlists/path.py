"""The strategy "path": tracks that lead from a seed to a destination in even steps."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from functools import cache
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audiosearch.counting import counted
from audiosearch.errors import UsageError
from audiosearch.playlists.builder import UNKNOWN_SECONDS, Playlist, PlaylistBuilder
from audiosearch.playlists.kept import kept
from audiosearch.playlists.main_artists import MainArtists, main_artists
from audiosearch.playlists.request import Constraints
from audiosearch.search.named_track import named_track
from audiosearch.search.query import SearchOptions, candidate_filter, centroid
from audiosearch.search.same_recording import KnownPrints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.backend import Candidates
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.playlists.request import PlaylistRequest
    from audiosearch.search.query_vectors import QueryVectors
    from audiosearch.types import Float32, Int64

_BEAM_WIDTH = 48  # partial paths that are kept
_CANDIDATES_PER_POINT = 40  # number of nearest tracks to try at each point of a path
_PACE_WEIGHT = 0.05  # weight of the distances to the evenly spaced points; steps have weight 1
_MIN_ANGLE = 1e-6  # radians; if the ends are closer, no great circle is computed


def path(index: Index, seeds: QueryVectors, request: PlaylistRequest) -> Playlist:
    """Choose tracks that lead from the seed through the waypoints to the destination.

    The path follows the great circles between the embeddings of the waypoints. On these circles,
    evenly spaced points set the pace. A beam search finds a track near each point, so that no step
    is much larger than the others.

    Raises
    ------
    UsageError
        If there is no destination; if there is not exactly one seed, or it isn't a track; if a
        track occurs twice among the waypoints, or is excluded; if there are more waypoints than
        requested tracks; or if the request asks for diversity or variation.
    TrackNotFound, AmbiguousTrack
        If the destination or a waypoint doesn't name one track.
    """
    _check(seeds, request)
    names = [*request.waypoints, str(request.destination)]
    waypoints = [*seeds.tracks]
    waypoints += [index.resolve(name) or named_track(index, name) for name in names]
    _check_waypoints(waypoints, request)
    if request.options.seconds is None:
        n_tracks = max(len(waypoints), min(request.options.n_tracks, index.n_tracks))
        builder = _search(index, waypoints, n_tracks, request)
    else:
        builder = _search_by_seconds(index, waypoints, request.options.seconds, request)
    notes = builder.length_notes(request.options, "no more tracks lie near the path")
    longest = max(track.seconds or UNKNOWN_SECONDS for track in builder.tracks)
    seconds = request.options.seconds
    if seconds is not None and builder.seconds - longest >= seconds:
        notes.append("the path takes longer than requested")
    name = f"From {waypoints[0].label} to {waypoints[-1].label}"
    return Playlist(builder.tracks, notes, name)


def _check(seeds: QueryVectors, request: PlaylistRequest) -> None:
    if request.destination is None:
        raise UsageError(
            "A path needs a destination.",
            hint="Name the last track too: --to TRACK.",
        )
    if len(seeds.tracks) != 1 or len(seeds.vectors) != 1:
        raise UsageError(
            "A path needs exactly one seed, which must be a track of the index.",
            hint="Use one track, or add its file first.",
        )
    if request.options.diversity or request.options.vary:
        raise UsageError(
            "A path can't be combined with diversity or variation.",
            hint="Leave out --diversity and --vary.",
        )


def _check_waypoints(waypoints: Sequence[Track], request: PlaylistRequest) -> None:
    options = request.options
    if len({track.id for track in waypoints}) < len(waypoints):
        raise UsageError(
            "A path can't go through the same track twice.", hint="Replace one of the two."
        )
    excluded = [track for track in waypoints if track.path in request.constraints.excluded_paths]
    if excluded:
        raise UsageError(
            f"{excluded[0].label} is on the path and in an excluded playlist or among the recent "
            "plays.",
            hint="Use another track, or leave out what excludes it.",
        )
    if options.seconds is None and options.n_tracks < len(waypoints):
        raise UsageError(
            f"A path of {counted(options.n_tracks, 'track')} can't go through {len(waypoints)} "
            "tracks.",
            hint="Ask for more tracks with -n.",
        )


def _search_by_seconds(
    index: Index, waypoints: Sequence[Track], seconds: float, request: PlaylistRequest
) -> PlaylistBuilder:
    """Return the path with the fewest tracks that reaches a playing time; else the longest.

    More tracks are assumed to take longer, so the number of tracks is bisected.
    """
    most = max(len(waypoints), index.n_tracks)
    mean_seconds = mean(track.seconds or UNKNOWN_SECONDS for track in waypoints)
    n_tracks = max(len(waypoints), math.ceil(min(seconds / mean_seconds, most)))

    @cache
    def path_of(n: int) -> PlaylistBuilder:
        return _search(index, waypoints, n, request)

    def playing_time(n: int) -> float:
        return path_of(n).seconds

    while playing_time(n_tracks) < seconds and len(path_of(n_tracks).tracks) == n_tracks < most:
        n_tracks = min(2 * n_tracks, most)
    shorter = range(len(waypoints), n_tracks)
    return path_of(len(waypoints) + bisect_left(shorter, seconds, key=playing_time))


def _search(
    index: Index, waypoints: Sequence[Track], n_tracks: int, request: PlaylistRequest
) -> PlaylistBuilder:
    """Return the path. It is shorter than requested if too few tracks qualify."""
    vectors = np.stack([index.vector(track) for track in waypoints])
    counts = _tracks_per_leg(vectors, n_tracks - len(waypoints))
    options = SearchOptions(filters=request.filters)
    candidates = candidate_filter(index, options, centroid(vectors))
    artists = kept(index, main_artists)
    search = _BeamSearch(index, candidates, waypoints, vectors, artists)
    builder = PlaylistBuilder(request.constraints, artists, prints=KnownPrints(index))
    builder.add(waypoints[0], vectors[0])
    legs = itertools.pairwise(zip(waypoints, vectors, strict=True))
    for ((_, start), (goal, goal_vector)), count in zip(legs, counts, strict=True):
        points = _great_circle(start, goal_vector, count)
        builder = search.search_leg(builder, points, goal_vector)
        builder.add(goal, goal_vector)
    return builder


def _tracks_per_leg(waypoints: Float32, n_tracks: int) -> list[int]:
    """Divide tracks among the legs between waypoints, in proportion to their angles.

    Parameters
    ----------
    waypoints : ndarray of float32, shape (n_legs + 1, dimension)
        Vectors of unit length.
    n_tracks : int
    """
    cosines = np.clip(np.sum(waypoints[:-1] * waypoints[1:], axis=1), -1.0, 1.0)
    angles = np.arccos(cosines) + 1e-9  # so that their sum is never 0
    ends = np.round(np.cumsum(angles) / angles.sum() * n_tracks).astype(int)
    return [int(count) for count in np.diff(ends, prepend=0)]


def _great_circle(start: Float32, goal: Float32, n_points: int) -> Float32:
    """Return evenly spaced points between two unit vectors, without the ends.

    Parameters
    ----------
    start, goal : ndarray of float32, shape (dimension,)
        Vectors of unit length.
    n_points : int

    Returns
    -------
    ndarray of float32, shape (n_points, dimension)
        Vectors of unit length.

    References
    ----------
    .. [1] Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985: spherical linear
       interpolation.
    """
    angle = np.arccos(np.clip(float(start @ goal), -1.0, 1.0))
    shares = np.arange(1, n_points + 1)[:, np.newaxis] / (n_points + 1)
    if angle < _MIN_ANGLE:
        return np.repeat(start[np.newaxis], n_points, axis=0)
    points = (np.sin((1 - shares) * angle) * start + np.sin(shares * angle) * goal) / np.sin(angle)
    return np.asarray(points, dtype=np.float32)


class _Candidates(NamedTuple):
    """Tracks that are tried at one point of a path."""

    tracks: list[Track]  # n_candidates
    vectors: Float32  # shape (n_candidates, dimension), unit length
    distances: list[Float32]  # shape (n_candidates,), to the point and to the goal, weighted
    copies: set[int]  # ids of the candidates that are copies of waypoints


class _BeamSearch:
    """Beam search for a path with even steps at an even pace."""

    def __init__(
        self,
        index: Index,
        candidates: Candidates | None,
        waypoints: Sequence[Track],
        vectors: Float32,
        artists: MainArtists,
    ) -> None:
        self._index, self._vector_index = index, index.vector_index()
        self._candidates = candidates
        self._waypoint_ids = [track.id for track in waypoints]
        prints = KnownPrints(index)
        self._waypoints = PlaylistBuilder(Constraints(), artists, prints=prints)  # rejects copies
        for track, vector in zip(waypoints, vectors, strict=True):
            self._waypoints.add(track, vector)
        self._known: dict[int, Track] = {}  # tracks that were near earlier points, by id
        self._copies: set[int] = set()  # ids of those that are copies of waypoints

    def search_leg(
        self, builder: PlaylistBuilder, points: Float32, goal: Float32
    ) -> PlaylistBuilder:
        """Extend a path up to the next waypoint, without the waypoint itself.

        Parameters
        ----------
        builder : PlaylistBuilder
            Path so far.
        points : ndarray of float32, shape (n_points, dimension)
            Points that set the pace, in order. One track is chosen near each point.
        goal : ndarray of float32, shape (dimension,)
            Vector of the next waypoint.
        """
        beam = [(0.0, builder)]
        for number, point in enumerate(points, start=1):
            candidates = self._candidates_near(point, goal if number == len(points) else None)
            if not candidates.tracks:
                break
            # If every longer path breaks a rule, the point is skipped.
            beam = _extend(beam, candidates) or beam
        return beam[0][1]

    def _candidates_near(self, point: Float32, goal: Float32 | None) -> _Candidates:
        """Return the tracks near a point. The last one of a leg should be near the goal, too."""
        ids, cosines = self._vector_index.search(
            point,
            _CANDIDATES_PER_POINT,
            candidates=self._candidates,
            exclude_ids=self._waypoint_ids,
        )
        vectors = self._vector_index.vectors_of(ids)
        self._read(ids, vectors)
        distances = [_PACE_WEIGHT * (1 - cosines)]
        if goal is not None:
            distances.append((1 - vectors @ goal) ** 2)
        # Another process may have removed a track since the search.
        kept = np.flatnonzero([i in self._known for i in ids.tolist()])
        tracks = [self._known[i] for i in ids[kept].tolist()]
        return _Candidates(tracks, vectors[kept], [d[kept] for d in distances], self._copies)

    def _read(self, ids: Int64, vectors: Float32) -> None:
        pairs = zip(ids.tolist(), vectors, strict=True)
        new = {i: vector for i, vector in pairs if i not in self._known}
        if not new:
            return
        for i, track in self._index.by_id(list(new)).items():
            self._known[i] = track
            if self._waypoints.rejects(track, new[i]):
                self._copies.add(i)


def _extend(
    beam: list[tuple[float, PlaylistBuilder]], candidates: _Candidates
) -> list[tuple[float, PlaylistBuilder]]:
    """Return the cheapest paths that are one track longer, each with its cost, cheapest first.

    The cost of a path is the sum of its squared steps (1 - cosine), plus the weighted sum of its
    distances to the points. For the last track of a leg, the step to the goal is added.
    """
    is_new = [not all(builder.has(track) for _, builder in beam) for track in candidates.tracks]
    positions = np.flatnonzero(is_new)
    costs = []
    for cost, builder in beam:
        added = (1 - candidates.vectors @ builder.vectors[-1]) ** 2
        for distances in candidates.distances:
            added = added + distances
        costs.append(cost + added[positions].astype(np.float64))
    options = np.concatenate(costs)
    longer: list[tuple[float, PlaylistBuilder]] = []
    for option in np.argsort(options, kind="stable").tolist():
        number, column = divmod(option, len(positions))
        builder, position = beam[number][1], int(positions[column])
        track, vector = candidates.tracks[position], candidates.vectors[position]
        if builder.rejects(track, vector) or track.id in candidates.copies:
            continue
        extended = builder.copy()
        extended.add(track, vector)
        longer.append((float(options[option]), extended))
        if len(longer) == _BEAM_WIDTH:
            break
    return longer
