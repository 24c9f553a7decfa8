"""Lists of the tracks in an index: selected by words and filters, and sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.track import fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.search.moments.sounds_over_time import HeardMoment

#: Sort keys by name. A missing value is None or "".
SORT_KEYS: dict[str, Callable[[Track], str | float | None]] = {
    "id": lambda track: track.id,
    "path": lambda track: track.path,
    "title": lambda track: fold(track.title),
    "artist": lambda track: fold(track.artist),
    "album": lambda track: fold(track.album),
    "year": lambda track: track.year,
    "seconds": lambda track: track.seconds or None,
}


def list_tracks(
    index: Index,
    words: str = "",
    *,
    filters: Filters = EVERYTHING,
    sort: str | None = None,
    limit: int | None = None,
) -> list[Track]:
    """Return the tracks that match words and filters.

    Parameters
    ----------
    index : Index
    words : str
        Words that tracks must have in their tags or path. Each also matches longer words that
        begin with it.
    filters : Filters
        Conditions that tracks must meet.
    sort : str, optional
        One of `SORT_KEYS`. A minus sign before it reverses the order. Tracks without the value
        come last in both orders, and equal tracks in the order of their ids. Case doesn't matter.
        Default: the best match of the words first; without words, by id.
    limit : int, optional
        Largest number of tracks.

    Raises
    ------
    UsageError
        If there is no such sort key.
    LibraryError
        If the filters name sounds, and no track has any.
    """
    key = _sort_key(sort)
    if filters.names_sounds:
        index.require_sounds()
    is_limited_early = sort is None and filters == EVERYTHING
    if words.strip():
        n_matches = limit if limit and is_limited_early else max(1, index.n_tracks)
        tracks = index.search_text(words, limit=n_matches)
        if filters != EVERYTHING:
            passing = set(index.storage.ids(filters).tolist())
            tracks = [track for track in tracks if track.id in passing]
    elif is_limited_early and limit is not None:
        tracks = index.storage.list_tracks(limit, 0)
    elif filters == EVERYTHING:
        tracks = list(index)
    else:
        ids = index.storage.ids(filters).tolist()
        tracks = list(index.storage.tracks(ids if sort else ids[:limit]))
    if sort is not None:
        tracks = _sorted(tracks, key, is_reversed=sort.startswith("-"))
    return tracks[:limit]


def list_moments(
    index: Index, words: str = "", *, filters: Filters, sort: str | None = None, limit: int | None
) -> list[HeardMoment]:
    """Return the stretches of tracks in which the sounds of filters are heard.

    Parameters
    ----------
    index : Index
    words : str
        See `list_tracks`.
    filters : Filters
        They name at least one sound.
    sort : str, optional
        See `list_tracks`; the stretches of a track are in the order of time. Default: the best
        score first.
    limit : int or None
        Largest number of stretches.

    Raises
    ------
    UsageError
        If there is no such sort key.
    LibraryError
        If the index has no moments, or no track has sounds.
    """
    from audiosearch.search.moments.sounds_over_time import heard_moments, track_filters

    index.require_moments()
    order: dict[int, int] | None = None
    if words.strip() or sort is not None:
        tracks = list_tracks(index, words, filters=track_filters(filters), sort=sort)
        order = {track.id: position for position, track in enumerate(tracks)}
    moments = heard_moments(index, filters, ids=order)
    if order is not None and sort is not None:
        moments.sort(key=lambda moment: (order[moment.track.id], moment.start))
    return moments[:limit]


def _sort_key(sort: str | None) -> Callable[[Track], str | float | None]:
    name = (sort or "id").removeprefix("-")
    if name not in SORT_KEYS:
        raise UsageError(
            f"Tracks can't be sorted by {name}.",
            hint=f"Use {', '.join(SORT_KEYS)}, or one of them with a minus sign, like -year.",
        )
    return SORT_KEYS[name]


def _sorted(
    tracks: list[Track], key: Callable[[Track], str | float | None], *, is_reversed: bool
) -> list[Track]:
    by_id = sorted(tracks, key=lambda track: track.id)
    missing = [track for track in by_id if key(track) in (None, "")]
    known = [track for track in by_id if key(track) not in (None, "")]
    return sorted(known, key=key, reverse=is_reversed) + missing  # type: ignore[arg-type]
