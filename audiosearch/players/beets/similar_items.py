"""Items of a beets library that sound like others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from beets.dbcore.query import PathQuery
from beets.util import normpath

from audiosearch.counting import counted
from audiosearch.errors import TrackNotFound
from audiosearch.players.beets.items import items_at, track_of
from audiosearch.search.query import make_query, search_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from beets.library import Item, Library

    from audiosearch.library.index import Index
    from audiosearch.search.options import SearchOptions
    from audiosearch.search.query import Hit
    from audiosearch.search.query_vectors import QueryVectors


def add_clips(
    vectors: QueryVectors, index: Index, library: Library, words: Sequence[str]
) -> str | None:
    """Add the items that match a query of beets, and files outside the library.

    Parameters
    ----------
    vectors : QueryVectors
        Vectors that they are added to.
    index : Index
    library : Library
    words : sequence of str
        Each is the path of a file outside the library, with a slash in it, or a part of the query.

    Returns
    -------
    str or None
        A warning if some of the items are not in the index.

    Raises
    ------
    TrackNotFound
        If nothing matches, or the index has none of it.
    AudioError, ModelError
        If a file can't be embedded.
    """
    files = [word for word in words if _is_outside(library, word)]
    vectors.add_all(os.path.expanduser(file) for file in files)
    query = [word for word in words if word not in files]
    if not query:
        return None
    items = list(library.items(query))
    if not items:
        raise TrackNotFound(
            f"No track in the library matches {' '.join(query)}.",
            hint="Try the query with `beet ls`. A file outside the library needs a slash: ./a.mp3.",
        )
    tracks = [track for item in items if (track := track_of(index, item))]
    for track in tracks:
        vectors.add_track(track)
    n_missing = len(items) - len(tracks)
    if n_missing == len(items):
        raise TrackNotFound(
            "The index has none of the matching tracks.",
            hint="Run `beet audiosearch` to embed the library.",
        )
    if n_missing:
        return (
            f"{n_missing} of {counted(len(items), 'matching track')} left out, because the index "
            "lacks them; run `beet audiosearch`."
        )
    return None


def similar_items(
    index: Index,
    library: Library,
    seeds: QueryVectors,
    negatives: QueryVectors,
    *,
    n_items: int,
    options: SearchOptions,
    among: Mapping[str, Item] | None = None,
) -> list[tuple[Item, float | None]]:
    """Return the items that sound most like clips, and their similarities, best first.

    Hits that are not in the library don't count.

    Parameters
    ----------
    index : Index
    library : Library
    seeds, negatives : QueryVectors
        Clips that the items should sound like, and should not sound like.
    n_items : int
        Number of items. There are fewer if fewer qualify.
    options : SearchOptions
    among : mapping, optional
        Items that may be returned, by path. Default: those of the library.
    """
    k = n_items
    while True:
        query = make_query(index, seeds, negatives, k=k, options=options)
        (result,) = search_batch(index, [query])
        items = list(_items_of(library, result.hits, among))
        if len(items) >= n_items or len(result.hits) < k:
            return items[:n_items]
        k *= 4


def _items_of(
    library: Library, hits: Sequence[Hit], among: Mapping[str, Item] | None
) -> Iterator[tuple[Item, float | None]]:
    paths = {hit.track.id: _library_path(library, hit.track.path) for hit in hits}
    items = items_at(library, list(paths.values())) if among is None else among
    for hit in hits:
        if item := items.get(paths[hit.track.id]):
            yield item, hit.similarity


def _library_path(library: Library, path: str) -> str:
    """Return the path by which a library knows a file, if its folder is a link and ``path`` isn't.

    Any other path is returned as it is.
    """
    folder = os.fsdecode(library.directory)
    real_folder = os.path.join(os.path.realpath(folder), "")
    return os.path.join(folder, path[len(real_folder) :]) if path.startswith(real_folder) else path


def _is_outside(library: Library, word: str) -> bool:
    """Return whether a word is the path of a file that is not in the library."""
    if not PathQuery.is_path_query(word):
        return False
    path = os.fsdecode(normpath(word))
    return os.path.isfile(path) and not items_at(library, [path])
