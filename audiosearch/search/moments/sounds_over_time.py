"""The stretches of tracks in which sounds are heard."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audiosearch import time_limit
from audiosearch.errors import LibraryError
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.models.sound import SILENCE
from audiosearch.models.tagger import sound_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from audiosearch.library.filters import Filters
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.models.moments import PatchSounds
    from audiosearch.types import Bool, Float32


class SoundStretch(NamedTuple):
    """A stretch of a track in which a sound is heard.

    Attributes
    ----------
    start, end : float
        In seconds from the start of the track.
    name : str
        Name of the sound: one of AudioSet's classes.
    score : float
        Its highest score in the stretch, in [0, 1].
    """

    start: float
    end: float
    name: str
    score: float


class HeardMoment(NamedTuple):
    """A stretch of a track in which at least one of several sounds is heard.

    Attributes
    ----------
    track : Track
    start, end : float
        In seconds from the start of the track.
    score : float
        Highest score of one of the sounds in the stretch, in [0, 1].
    """

    track: Track
    start: float
    end: float
    score: float


def sounds_over_time(index: Index, track: Track) -> list[SoundStretch]:
    """Return the stretches of a track in which each sound is heard.

    Patches in which the same sound is heard, and which touch or overlap, are one stretch.

    Returns
    -------
    list of SoundStretch
        The earlier start first; of those that start together, the higher score first.

    Raises
    ------
    LibraryError
        If the index or the track has no moments, or the sounds in them are unknown.
    """
    hop = index.require_moments()
    moments = index.moments_of(track)
    if moments is None:
        raise LibraryError(
            f"{track.path} has no moments.", hint="Add them with `audiosearch refresh --moments`."
        )
    if moments.sounds is None:
        raise LibraryError(
            f"The sounds over time of {track.path} are unknown.",
            hint="Find them with `audiosearch refresh --sounds`.",
        )
    stretches = [
        SoundStretch(start, end, sound_names()[number], score)
        for number in np.unique(moments.sounds.classes).tolist()
        for start, end, score in _stretches(moments.sounds.highest([number]), track, hop)
    ]
    return sorted(stretches, key=lambda stretch: (stretch.start, -stretch.score, stretch.name))


def heard_moments(
    index: Index, filters: Filters, *, ids: Collection[int] | None = None
) -> list[HeardMoment]:
    """Return the stretches of tracks in which the sounds of filters are heard, best score first.

    Patches in which any of them is heard, and which touch or overlap, are one stretch. It is left
    out where a sound of ``filters.exclude`` is heard. The other filters are conditions on the
    tracks.

    Parameters
    ----------
    index : Index
    filters : Filters
        They name at least one sound.
    ids : collection of int, optional
        Ids of the tracks to find them in. Default: all tracks.

    Raises
    ------
    LibraryError
        If the index has no moments, or no track has sounds.
    """
    hop = index.require_moments()
    index.require_sounds()
    scores = dict(_heard_scores(index, filters, ids))
    tracks = index.by_id(list(scores))
    found = [
        HeardMoment(track, *stretch)
        for track_id, track in tracks.items()
        for stretch in _stretches(scores[track_id], track, hop)
    ]
    return sorted(found, key=attrgetter("score"), reverse=True)


def track_filters(filters: Filters) -> Filters:
    """Return the conditions on whole tracks that follow from conditions on their stretches.

    A sound that a stretch must have is heard in its track too. A sound that it must not have may be
    heard elsewhere in the track. Silence is a sound of a track only if nothing else is heard.
    """
    if SILENCE in filters.sound:
        filters = replace(filters, sound=())
    if filters.exclude is not None:
        filters = replace(filters, exclude=replace(filters.exclude, sound=()))
    return filters


def classes_of(names: Iterable[str]) -> list[int]:
    """Return the numbers of classes in the tagger's list, given their names."""
    numbers = {name: number for number, name in enumerate(sound_names())}
    return [numbers[name] for name in names if name in numbers]


def allowed_scores(sounds: PatchSounds, filters: Filters) -> tuple[Float32, Bool]:
    """Return the score of a filter's sounds in each patch, and whether they keep the patch.

    Returns
    -------
    scores : ndarray of float32, shape (n_patches,)
        Highest score of one of ``filters.sound``, in [0, 1]; 0 where none is heard.
    is_clean : ndarray of bool, shape (n_patches,)
        Whether none of the sounds of ``filters.exclude`` is heard.
    """
    unwanted = filters.exclude.sound if filters.exclude else ()
    scores = sounds.highest(classes_of(filters.sound))
    return scores, sounds.highest(classes_of(unwanted)) == 0


def _heard_scores(
    index: Index, filters: Filters, wanted: Collection[int] | None
) -> Iterator[tuple[int, Float32]]:
    """Yield the id of each track that may have moments, and the score of each of its patches.

    The score is negative where an excluded sound is heard.
    """
    ids = index.storage.ids(track_filters(filters)).tolist()
    if wanted is not None:
        ids = [i for i in ids if i in wanted]
    for track_id, moments in index.moments.of(ids):
        time_limit.check()
        if moments.sounds is not None:
            scores, is_clean = allowed_scores(moments.sounds, filters)
            if (scores * is_clean).any():
                yield track_id, np.where(is_clean, scores, np.float32(-1))


def _stretches(scores: Float32, track: Track, hop: float) -> Iterator[tuple[float, float, float]]:
    """Yield start and end in seconds and highest score of each run of patches with a score.

    A run goes on as long as the next patch with a score starts before the last one ends, or there,
    and no patch between them has a negative score.
    """
    starts = np.flatnonzero(scores > 0)
    if not len(starts):
        return
    step = round(PATCH_HOP_SECONDS / hop)  # from a patch to the next one that doesn't overlap it
    n_excluded = np.cumsum(scores < 0)[starts]
    is_end = (np.diff(starts) > step) | (np.diff(n_excluded) > 0)
    for run in np.split(starts, np.flatnonzero(is_end) + 1):
        end = float(run[-1]) * hop + PATCH_HOP_SECONDS
        yield float(run[0]) * hop, min(end, track.seconds or end), float(scores[run].max())
