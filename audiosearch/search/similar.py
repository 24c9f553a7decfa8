"""The search function of the public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.library.index import opened
from audiosearch.models import registry
from audiosearch.search.clip_parts import check_part
from audiosearch.search.options import check_number_of_hits
from audiosearch.search.query import (
    DEFAULT_OPTIONS,
    SearchOptions,
    SearchResult,
    make_query,
    search_batch,
)
from audiosearch.search.query_vectors import QueryVectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.search.options import TimeRange
    from audiosearch.types import StrPath


def similar(  # noqa: PLR0913  (the options of the command)
    index: Index | StrPath,
    clips: StrPath | Iterable[StrPath] = (),
    *,
    named: Iterable[str] = (),
    unlike: Iterable[StrPath] = (),
    k: int = defaults.HITS,
    part: TimeRange | None = None,
    options: SearchOptions = DEFAULT_OPTIONS,
    request: registry.ModelRequest = registry.AUTO_REQUEST,
) -> SearchResult:
    """Find the tracks that sound most like a clip, or like the centroid of several clips.

    Without clips, hits are ranked by the highest score of the sounds in the filters.

    Parameters
    ----------
    index : Index, str or path-like
        Open index, or the location of one.
    clips : str, path-like, or iterable of them
        Each is the path or ``#ID`` of a track, a playlist file, or any audio file.
    named : iterable of str
        More clips. Each text stands for the one track with these words in its artist, title,
        album or path.
    unlike : iterable of str or path-like
        Clips that hits should not sound like, in the same form as ``clips``.
    k : int
        Number of hits, at least 1.
    part : TimeRange, optional
        The part of the only clip to search with. That of a track is read from its file.
    options : SearchOptions
        Filters and ranking.
    request : ModelRequest
        Embedding model. Default: the model of the index. A different one is an error.

    Returns
    -------
    SearchResult
        Hits, best first, and warnings.

    Raises
    ------
    UsageError
        If there is neither a clip nor a sound, ``k`` is below 1, or the part is invalid.
    AmbiguousTrack
        If words match several tracks.
    IndexNotFound, ModelMismatch, LibraryError
        If the index can't be searched.
    TrackNotFound
        If a clip is neither a track nor a file.
    AudioError, ModelError
        If a clip can't be embedded, or has no such part.
    """
    check_number_of_hits(k)
    clips = check_part(part, clips, named := list(named))
    with opened(index) as open_index:
        seeds = QueryVectors(open_index, request, part=part)
        negatives = seeds.empty_copy()
        seeds.add_all(clips, named=named)
        negatives.add_all(unlike)
        query = make_query(open_index, seeds, negatives, k=k, options=options)
        (result,) = search_batch(open_index, [query])
    return result
