"""The sounds that are heard in the tracks of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import opened

if TYPE_CHECKING:
    from audiosearch.library.heard_sounds import HeardSound
    from audiosearch.library.index import Index
    from audiosearch.types import StrPath


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
    with opened(index) as open_index:
        open_index.require_sounds()
        heard = open_index.sounds.heard(filters)
    return sorted(heard, key=lambda row: (-row.tracks, -row.score, row.name))[:limit]
