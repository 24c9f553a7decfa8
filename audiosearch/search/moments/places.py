"""Stretches of tracks that a query finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.search.moments.alignment import mean_alignment
from audiosearch.search.moments.clip import OFFSET_SECONDS
from audiosearch.search.moments.sounds_over_time import allowed_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from audiosearch.library.track import Track
    from audiosearch.models.moments import PatchSounds
    from audiosearch.search.moments.alignment import Run
    from audiosearch.search.moments.clip import Clip
    from audiosearch.search.options import SearchOptions
    from audiosearch.types import Bool, Float32, Float64, Int64

_NEGATIVE_WEIGHT = 0.5  # weight of clips that stretches should not sound like
_PEAK_REACH = 2  # starts on both sides of a peak, by which a comparison of spectrograms shifts
_MAX_PEAKS = 200  # of a run of patches


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a track.

    Attributes
    ----------
    track_id : int
    start, end : float
        In seconds from the start of the track.
    rank_value : float
        Higher is better.
    similarity : float or None
        Mean cosine along the alignment of the clips, in [-1, 1]; None without a clip.
    sound_score : float or None
        Highest score of the sounds that the query asks for, in [0, 1].
    match : float or None
        See `audiosearch.search.query.Hit`.
    is_same_recording : bool
        See `audiosearch.search.query.Hit`.
    """

    track_id: int
    start: float
    end: float
    rank_value: float
    similarity: float | None = None
    sound_score: float | None = None
    match: float | None = None
    is_same_recording: bool = False

    def overlaps(self, other: Place) -> bool:
        """Return whether the stretch and another one of the same track overlap."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The clips with which stretches of tracks are compared, and the options.

    Attributes
    ----------
    clips, negatives : sequence of Clip
    options : SearchOptions
    """

    clips: Sequence[Clip]
    negatives: Sequence[Clip]
    options: SearchOptions

    @property
    def seconds(self) -> float:
        """Length of a stretch: that of the longest clip."""
        return max(clip.seconds for clip in self.clips)

    @property
    def all_clips(self) -> Sequence[Clip]:
        """The clips of both kinds."""
        return (*self.clips, *self.negatives)

    def places(
        self, run: Run, track: Track, *, sounds: PatchSounds | None, at: Sequence[float] = ()
    ) -> list[Place]:
        """Return the stretches in a run of patches that are more similar than their neighbors.

        Parameters
        ----------
        run : Run
        track : Track
        sounds : PatchSounds or None
            The sounds in all patches of the track.
        at : sequence of float
            Return only the stretches nearest to these starts in seconds, if they qualify.
        """
        similarities = mean_alignment(run, self.clips, self.seconds)
        values = self._values(run, similarities)
        starts = _starts_within(track, run.starts, self.seconds)
        is_hit = np.isfinite(similarities)
        if self.options.min_similarity is not None:
            is_hit &= similarities >= self.options.min_similarity
        for start, end in self.own_stretches(track):
            is_hit &= (starts + self.seconds <= start) | (starts >= end)
        if at:
            nearest = [int(np.argmin(np.abs(starts - start))) for start in at]
            peaks = [i for i in nearest if is_hit[i]]
        else:
            peaks = _peaks(np.where(is_hit, values, -np.inf))
        found = [
            _placed(track, starts[i], self.seconds, (values[i], similarities[i])) for i in peaks
        ]
        return self._with_sounds(found, sounds, run.hop)

    def realigned(self, places: Sequence[Place], run: Run, track: Track) -> list[Place]:
        """Return places in a run of patches with the similarities at their starts.

        Those that are not similar enough there are left out.

        Parameters
        ----------
        places : sequence of Place
            In any position, and not only at starts of the run.
        run : Run
        track : Track
        """
        similarities = mean_alignment(run, self.clips, self.seconds)
        starts = _starts_within(track, run.starts, self.seconds)
        is_possible = np.isfinite(similarities)
        if not is_possible.any():  # another process has replaced the track
            return []
        distances = np.abs(starts[is_possible] - [[place.start] for place in places])
        is_nearest = distances == distances.min(axis=1, keepdims=True)
        highest = np.where(is_nearest, similarities[is_possible], -np.inf).max(axis=1)
        lowest = self.options.min_similarity
        return [
            replace(place, similarity=min(float(value), 1.0))
            for place, value in zip(places, highest, strict=True)
            if lowest is None or value >= lowest
        ]

    def own_stretches(self, track: Track) -> list[tuple[float, float]]:
        """Return the spans of the clips in a track, unless they may be hits themselves."""
        return [
            clip.span
            for clip in (() if self.options.include_self else self.all_clips)
            if is_same_file(clip, track)
        ]

    def _values(self, run: Run, similarities: Float32) -> Float32:
        """Return the values that rank the stretches, given their similarities: (n_starts,)."""
        if not self.negatives:
            return similarities
        aligned = mean_alignment(run, self.negatives, self.seconds)
        aligned[~np.isfinite(aligned)] = 0
        return np.asarray(similarities - np.float32(_NEGATIVE_WEIGHT) * aligned)

    def _with_sounds(
        self, places: list[Place], sounds: PatchSounds | None, hop: float
    ) -> list[Place]:
        """Leave out stretches without the sounds asked for; mix their scores into the ranking."""
        filters, weight = self.options.filters, self.options.sound_weight
        if not filters.names_sounds:
            return places
        if sounds is None:
            return [] if filters.sound else places
        scores, is_clean = allowed_scores(sounds, filters)
        kept = []
        for place in places:
            patches = _patches_in(place, hop, len(scores))
            score = float(scores[patches].max(initial=0))
            if is_clean[patches].all() and (score or not filters.sound):
                kept.append(_weighted(place, score, weight))
        return kept


def merged(
    places: Iterable[Place], k: int, *, per_track: int, is_new: Callable[[int], bool]
) -> list[Place]:
    """Return the first k of ranked places: one of those that overlap, and few of each track.

    Parameters
    ----------
    places : iterable of Place
        Best first.
    k : int
    per_track : int
        Largest number of places in a track.
    is_new : callable
        Receives the id of each track of which no place has been returned yet. If it returns False,
        no place in that track is.
    """
    by_track: dict[int, list[Place]] = {}
    found: list[Place] = []
    for place in places:
        others = by_track.get(place.track_id, [])
        if len(others) >= per_track or any(map(place.overlaps, others)):
            continue
        if not others and not is_new(place.track_id):
            continue
        by_track.setdefault(place.track_id, []).append(place)
        found.append(place)
        if len(found) == k:
            break
    return found


def ranked(places: Iterable[Place]) -> list[Place]:
    """Return places by their value, best first; equal ones by track and start."""
    return sorted(places, key=lambda place: (-place.rank_value, place.track_id, place.start))


def is_same_file(clip: Clip, track: Track) -> bool:
    """Return whether a clip comes from the file of a track."""
    if clip.track is not None:
        return clip.track.id == track.id and clip.track.path == track.path
    return not track.id and clip.path == track.real_path


def _starts_within(track: Track, steps: Int64, seconds: float) -> Float64:
    """Return the starts of stretches of a length, moved so that these lie within their track."""
    latest = max(0.0, track.seconds - seconds) if track.seconds else np.inf
    starts: Float64 = np.clip(steps * np.float64(OFFSET_SECONDS), 0.0, latest)
    return starts


def _placed(track: Track, start: float, seconds: float, values: tuple[float, float]) -> Place:
    start = float(start)
    end = min(start + seconds, track.seconds or np.inf)
    value, similarity = map(float, values)
    return Place(track.id, start, end, value, min(similarity, 1.0))


def _weighted(place: Place, score: float, weight: float | None) -> Place:
    if weight is None or place.similarity is None:
        return place
    value = (1 - weight) * place.rank_value + weight * score
    return replace(place, rank_value=value, sound_score=score)


def _patches_in(place: Place, hop: float, n_patches: int) -> slice:
    """Return the patches whose middle lies in a stretch, but at least one."""
    first = int(np.ceil((place.start - PATCH_HOP_SECONDS / 2) / hop))
    first = min(max(0, first), n_patches - 1)
    end = int(np.ceil((place.end - PATCH_HOP_SECONDS / 2) / hop))
    return slice(first, max(first + 1, end))


def _peaks(values: Float32) -> list[int]:
    """Return the positions of finite values that no neighbor exceeds, the highest ones first."""
    filled = np.pad(values, _PEAK_REACH, constant_values=-np.inf)
    highest = sliding_window_view(filled, 2 * _PEAK_REACH + 1).max(axis=1)
    is_peak: Bool = (values >= highest) & np.isfinite(values)
    positions = np.flatnonzero(is_peak)
    best = positions[np.argsort(-values[positions], kind="stable")]
    return [int(i) for i in best[:_MAX_PEAKS]]
