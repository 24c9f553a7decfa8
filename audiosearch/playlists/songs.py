"""The rule by which a track is a song, and not a sample, a jingle or a sound effect."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from audiosearch.library.filters import EVERYTHING, Filters, Range

if TYPE_CHECKING:
    from audiosearch.library.index import Index

#: Length of the shortest song. Interludes are shorter, but rare.
MIN_SONG_SECONDS: Final = 20.0

_SHORTER = Range(max=math.nextafter(MIN_SONG_SECONDS, 0.0))
_MIN_SHARE = 0.1  # of songs in a library of music


def is_song(seconds: float) -> bool:
    """Return whether a recording of this length is a song. 0 means unknown, which is one."""
    return not 0 < seconds < MIN_SONG_SECONDS


def songs_only(index: Index, filters: Filters = EVERYTHING) -> Filters:
    """Return filters that songs pass, and no other tracks: see `is_song`.

    Filters by length stay as they are. So do all filters if less than a tenth of the tracks are
    songs: this is a library of sounds.

    Parameters
    ----------
    index : Index
    filters : Filters
        Other conditions.
    """
    if filters.seconds:
        return filters
    exclude = filters.exclude or EVERYTHING
    exclude = replace(exclude, seconds=(*exclude.seconds, _SHORTER))
    n_songs = len(index.storage.ids(Filters(exclude=Filters(seconds=(_SHORTER,)))))
    is_music = n_songs >= _MIN_SHARE * index.n_tracks
    return replace(filters, exclude=exclude) if is_music else filters
