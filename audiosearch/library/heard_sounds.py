"""The sounds that are heard in the tracks of an index, taken together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from audiosearch.library.filters import EVERYTHING, Filters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from audiosearch.models.sound import Sound


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


class SoundsOfTracks:
    """The sounds of tracks, read one track after another; it implements `SoundStorage`.

    Parameters
    ----------
    read : callable
        Returns the id and the sounds of each track that passes filters.
    """

    def __init__(self, read: Callable[[Filters], Iterable[tuple[int, Sequence[Sound]]]]) -> None:
        self._read = read

    def scores(self, filters: Filters) -> dict[int, float]:
        """Return the highest score of the sounds in filters, for each track that passes them."""
        return {
            track_id: max(sound.score for sound in sounds if sound.name in filters.sound)
            for track_id, sounds in self._read(filters)
        }

    def heard(self, filters: Filters = EVERYTHING) -> list[HeardSound]:
        """Return the sounds that are heard in the tracks that pass filters, in any order."""
        by_name: dict[str, list[Sound]] = defaultdict(list)
        for _, sounds in self._read(filters):
            for sound in sounds:
                by_name[sound.name].append(sound)
        return [
            HeardSound(name, len(same), max(s.score for s in same), fmean(s.mean for s in same))
            for name, same in by_name.items()
        ]
