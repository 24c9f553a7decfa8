"""Lists of the tracks in an index: selected by words and filters, and sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.suggestions import folder_and_file
from audiosearch.library.track import fold
from audiosearch.models.sound_names import like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.search.moments.sounds_over_time import HeardMoment

#: For each key to sort by: the fields of `Track` that it needs, and the function that makes their
#: values comparable; None if missing. A track without a title is shown by its file's name.
SORT_KEYS: dict[str, tuple[tuple[str, ...], Callable[..., str | float | None]]] = {
    "id": (("id",), int),
    "path": (("path",), str),
    "title": (("title", "path"), lambda title, path: fold(title) or fold(folder_and_file(path)[1])),
    "artist": (("artist",), lambda artist: fold(artist) or None),
    "album": (("album",), lambda album: fold(album) or None),
    "year": (("year",), lambda year: year),
    "seconds": (("seconds",), lambda seconds: seconds or None),
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
    tracks, _ = page_of_tracks(index, words, filters=filters, sort=sort, page=slice(limit))
    return tracks


def page_of_tracks(
    index: Index,
    words: str = "",
    *,
    filters: Filters = EVERYTHING,
    sort: str | None = None,
    page: slice,
    has_sounds: bool = False,
) -> tuple[list[Track], int]:
    """Return some of the tracks that match words and filters, and the number of all.

    Parameters
    ----------
    index : Index
    words, filters, sort
        See `list_tracks`.
    page : slice
        Positions of the tracks to return. Only these tracks are read.
    has_sounds : bool
        Whether words may also be sounds that are heard in a track: see `matching_ids`.

    Raises
    ------
    UsageError, LibraryError
        As for `list_tracks`.
    """
    _check_sort_key(sort)
    if filters.names_sounds:
        index.require_sounds()
    ids: list[int] | None = None
    if words.strip():
        ids = matching_ids(index, words, has_sounds=has_sounds)
    if filters != EVERYTHING:
        passing = index.storage.ids(filters).tolist()
        known = set(passing)
        ids = passing if ids is None else [i for i in ids if i in known]
    if sort is not None:
        ids = _sorted_ids(index, ids, sort)
    if ids is None:
        n_tracks = index.n_tracks
        start, stop, _ = page.indices(n_tracks)
        return index.storage.list_tracks(max(0, stop - start), start), n_tracks
    return tracks_of_ids(index, ids[page]), len(ids)


def tracks_of_ids(index: Index, ids: Sequence[int]) -> list[Track]:
    """Return tracks in the order of their ids. Those that don't exist are left out."""
    tracks = index.by_id(ids)
    return [tracks[i] for i in ids if i in tracks]


def matching_ids(index: Index, words: str, *, has_sounds: bool) -> list[int]:
    """Return the ids of the tracks with all words, best first.

    Parameters
    ----------
    index : Index
    words : str
        Each word also matches longer words that begin with it.
    has_sounds : bool
        Whether a word may also be the name of a sound that is heard in the track, instead of being
        in its tags or path. These tracks come last, those with the best scores first.
    """
    n_tracks = max(1, index.n_tracks)

    def in_texts(words: Iterable[str]) -> list[int]:
        return index.storage.search_text(" ".join(words), n_tracks, 0)

    every = list(dict.fromkeys(fold(words).split()))
    by_text = in_texts(every)
    named = {word: like(word) for word in every if has_sounds and index.keeps_sounds}
    heard = {
        word: index.sounds.scores(Filters(sound=names)) for word, names in named.items() if names
    }
    if not any(heard.values()) or len(by_text) == n_tracks:
        return by_text
    rest = [word for word in every if word not in heard]
    matching = set(in_texts(rest)) if rest else None
    for word, scores in heard.items():
        with_word = scores.keys() | set(by_text if len(every) == 1 else in_texts([word]))
        matching = with_word if matching is None else matching & with_word
    more = (matching or set()) - set(by_text)
    best = {i: sum(scores.get(i, 0.0) for scores in heard.values()) for i in more}
    return [*by_text, *sorted(more, key=lambda i: (-best[i], i))]


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


def _check_sort_key(sort: str | None) -> None:
    name = (sort or "id").removeprefix("-")
    if name not in SORT_KEYS:
        raise UsageError(
            f"Tracks can't be sorted by {name}.",
            hint=f"Use {', '.join(SORT_KEYS)}, or one of them with a minus sign, like -year.",
        )


def _sorted_ids(index: Index, ids: Sequence[int] | None, sort: str) -> list[int]:
    """Return ids, by default of all tracks, in another order: see `list_tracks`."""
    fields, key = SORT_KEYS[sort.removeprefix("-")]
    rows = index.fields(("id", *fields), ids)  # in ascending order of id
    keys = {track_id: key(*values) for track_id, *values in rows}
    missing = [i for i, key in keys.items() if key is None]
    known = [i for i, key in keys.items() if key is not None]
    known.sort(key=lambda i: keys[i], reverse=sort.startswith("-"))  # type: ignore[arg-type,return-value]
    return [*known, *missing]
