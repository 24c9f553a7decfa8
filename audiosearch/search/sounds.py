"""The sounds that are heard in the tracks of an index."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import Index

if TYPE_CHECKING:
    from audiosearch.library.track import Sound
    from audiosearch.types import StrPath


@dataclass(frozen=True, slots=True)
class HeardSound:
    """A sound that is heard in tracks.

    Attributes
    ----------
    name : str
        Name of the class, such as "Dog".
    tracks : int
        Number of tracks in which it is heard.
    score : float
        Highest score in any of them, in [0, 1].
    mean : float
        Mean of their mean scores, in [0, 1].
    """

    name: str
    tracks: int
    score: float
    mean: float


def sounds(
    index: Index | StrPath, *, filters: Filters = EVERYTHING, limit: int | None = None
) -> list[HeardSound]:
    """Return the sounds that are heard in tracks: those of the most tracks first.

    Of sounds that are heard in as many tracks, the one with the higher score comes first.

    Parameters
    ----------
    index : Index, str or path-like
        Open index, or the location of one.
    filters : Filters
        Conditions that the tracks must meet.
    limit : int, optional
        Largest number of sounds.

    Raises
    ------
    IndexNotFound
        If the index doesn't exist.
    LibraryError
        If no track has sounds yet.
    """
    if not isinstance(index, Index):
        with Index(index) as opened:
            return sounds(opened, filters=filters, limit=limit)
    index.require_sounds()
    ids = None if filters == EVERYTHING else index.storage.ids(filters).tolist()
    heard: dict[str, list[Sound]] = defaultdict(list)
    for _, track_sounds in index.fields(("id", "sounds"), ids):
        for sound in track_sounds:
            heard[sound.name].append(sound)
    rows = [
        HeardSound(
            name,
            len(same),
            max(sound.score for sound in same),
            fmean(sound.mean for sound in same),
        )
        for name, same in heard.items()
    ]
    return sorted(rows, key=lambda row: (-row.tracks, -row.score, row.name))[:limit]
