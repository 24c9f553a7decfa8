"""The search for moments of the public API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING
from audiosearch.library.index import opened
from audiosearch.models import registry
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.search.clip_parts import check_part
from audiosearch.search.moments.clips import QueryClips
from audiosearch.search.moments.moment_query import MomentQuery, Within, check_numbers
from audiosearch.search.moments.moment_search import MomentSearch
from audiosearch.search.options import DEFAULT_OPTIONS, SearchOptions, TimeRange
from audiosearch.search.part_frames import stretch_reader
from audiosearch.search.query import SearchResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.types import StrPath


def similar_moments(  # noqa: PLR0913  (the options of the command)
    index: Index | StrPath,
    clips: StrPath | Iterable[StrPath] = (),
    *,
    named: Iterable[str] = (),
    unlike: Iterable[StrPath] = (),
    k: int = defaults.HITS,
    per_track: int | None = None,
    part: TimeRange | None = None,
    within: StrPath | None = None,
    options: SearchOptions = DEFAULT_OPTIONS,
    request: registry.ModelRequest = registry.AUTO_REQUEST,
) -> SearchResult:
    """Find the moments in tracks that sound most like a clip.

    They are stretches as long as the clip. Order counts: the patches of a stretch are compared with
    those of the clip one by one. The best ones are then compared once more by their sound itself;
    those that hold the same recording as the clip come first. Stretches that overlap are one hit.

    With several clips, a stretch should sound like each of them somewhere in it. Without clips, the
    hits are the stretches in which the sounds of the filters are heard, best score first. The other
    filters are conditions on the tracks.

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
    per_track : int, optional
        Largest number of hits in a track, at least 1. Default: 3, or with ``within`` as many as
        ``k``.
    part : TimeRange, optional
        The part of the only clip to search with. Default: all of it, or 60 s in the middle of a
        longer one, which a warning names.
    within : str or path-like, optional
        Find moments only in this track or audio file. It needn't be in the index.
    options : SearchOptions
        Filters and ranking.
    request : ModelRequest
        Embedding model. Default: the model of the index. A different one is an error.

    Returns
    -------
    SearchResult
        Hits with ``start``, ``end`` and ``match``, best first, and warnings.

    Raises
    ------
    UsageError
        If there is neither a clip nor a sound, or a number or option is invalid.
    AmbiguousTrack
        If words match several tracks.
    IndexNotFound, ModelMismatch
        If the index can't be searched.
    LibraryError
        If the index has no moments, or the clip is longer than every track.
    TrackNotFound
        If a clip is neither a track nor a file.
    AudioError, ModelError
        If a clip can't be embedded, or has no such part.

    See Also
    --------
    audiosearch.search.similar.similar : Finds whole tracks.
    """
    if per_track is None:
        per_track = defaults.MOMENTS_PER_TRACK if within is None else k
    check_numbers(k, per_track, options)
    names = check_part(part, clips, named := list(named))
    with opened(index) as open_index:
        track = None if within is None else open_index.resolve(os.fspath(within))
        moments = None if track is None else open_index.moments_of(track)
        is_embedded = within is not None and moments is None
        if is_embedded and options.filters != EVERYTHING:
            missing = (
                "add the file with `audiosearch add`"
                if track is None
                else "add its moments with `audiosearch refresh --moments`"
            )
            raise UsageError(
                f"{within} is not a track with moments, so filters can't select stretches of it.",
                hint=f"Leave out the filters, or {missing}.",
            )
        hop = PATCH_HOP_SECONDS if is_embedded else open_index.require_moments()
        seeds = QueryClips(open_index, request, hop=hop, part=part)
        negatives = seeds.empty_copy()
        seeds.add_all(names, named=named)
        negatives.add_all(unlike)
        place = None
        if is_embedded and within is not None:
            place = seeds.embedded_file(os.fspath(within), track)
        elif track is not None:
            place = Within(track)
        query = MomentQuery(seeds.clips, negatives.clips, k, per_track, options, place)
        result = MomentSearch(open_index, query, stretch_reader(open_index)).run()
    return SearchResult(
        result.spec, result.hits, [*seeds.warnings, *negatives.warnings, *result.warnings]
    )
