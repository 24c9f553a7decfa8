"""Playlists that lead from one track to another."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import UsageError
from audiosearch.playlists.builder import Constraints, Playlist, PlaylistBuilder
from audiosearch.search.similar import SearchOptions, candidate_filter, centroid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.backend import Candidates, VectorIndex
    from audiosearch.library.index import Index, Track
    from audiosearch.types import Float32

_BEAM = 48  # paths that are followed at a time
_PER_POINT = 40  # tracks that are tried at each point of a path
_PACE_WEIGHT = 0.05  # of keeping the pace, beside even steps


def path(
    index: Index,
    waypoints: Sequence[Track],
    n_tracks: int,
    caps: Constraints,
    ranking: SearchOptions,
) -> Playlist:
    """Return a path through tracks, in order, evenly paced on the sphere of their vectors.

    Raises
    ------
    UsageError
        Where there are fewer than two waypoints, one comes twice, or they are more than tracks.
    """
    if len({track.id for track in waypoints}) < len(waypoints):
        raise UsageError(
            "A path goes through each track once.", hint="Name another where one comes twice."
        )
    if len(waypoints) < 2 or n_tracks < len(waypoints):
        raise UsageError(
            f"A path of {n_tracks} tracks cannot go through {len(waypoints)} of them.",
            hint="Name where it starts and where it goes, and ask for more tracks.",
        )
    ends = np.stack([index.vector(track) for track in waypoints])
    counts = _between(ends, n_tracks - len(waypoints))
    space = index.vector_index()
    candidates = candidate_filter(index, ranking, centroid(ends))
    chosen = PlaylistBuilder(caps)
    later = list(zip(waypoints, ends, strict=True))
    chosen.add(*later[0])
    for (start, goal), count in zip(itertools.pairwise(later), counts, strict=True):
        points = _great_circle(start[1], goal[1], count)
        leg = _Leg(index, space, candidates, later)
        chosen = leg.search_leg(chosen, points, goal)
        chosen.add(*goal)
    notes = [chosen.note(f"{n_tracks}")] if len(chosen.tracks) < n_tracks else []
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
        space: VectorIndex[Candidates],
        candidates: Candidates | None,
        waypoints: Sequence[tuple[Track, Float32]],
    ) -> None:
        self._index, self._space = index, space
        self._candidates = candidates
        self._waypoints = [track.id for track, _ in waypoints]
        self._reserved = PlaylistBuilder(Constraints())  # other copies of what the path leads to
        for track, vector in waypoints:
            self._reserved.add(track, vector)

    def search_leg(
        self, chosen: PlaylistBuilder, points: Float32, goal: tuple[Track, Float32]
    ) -> PlaylistBuilder:
        """Return what is chosen after the leg, its goal not included."""
        beam = [(0.0, chosen)]
        for number, point in enumerate(points):
            ids, near = self._space.search(
                point, _PER_POINT, candidates=self._candidates, exclude_ids=self._waypoints
            )
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
                if track is None or way.rejects(track, vectors[place]):
                    continue
                if self._reserved.rejects(track, vectors[place]):
                    continue
                extended = way.copy()
                extended.add(track, vectors[place])
                longer.append((score, extended))
                if len(longer) == _BEAM:
                    break
            if longer:
                beam = longer
        return beam[0][1]
