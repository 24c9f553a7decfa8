"""Routes that find tracks by words, ids and filters, and that suggest words."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import Index, Track
from audiosearch.library.suggestions import FIELDS, Suggestion, ranked
from audiosearch.search.listing import page_of_tracks, tracks_of_ids
from audiosearch.search.sample import sample_ids
from audiosearch.search.sounds import sounds as heard_sounds
from audiosearch.web.interface import schemas
from audiosearch.web.interface.filter_fields import filter_fields
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    Shared,
    new_router,
)

router = new_router()

_Sort = Literal["relevance", "title", "artist", "album", "year", "seconds", "id"]
_NAMELESS = tuple(field for field in FIELDS if field != "title")  # most titles occur once


async def sort_key(
    sort: Annotated[
        _Sort | None,
        Query(description="Order of the tracks. Default: relevance with words, else id."),
    ] = None,
    descending: Annotated[
        bool, Query(description="Reverse the order. Tracks without the value stay at the end.")
    ] = False,
) -> str | None:
    """Return the sort key of `page_of_tracks`; None for the relevance.

    Raises
    ------
    UsageError
        If the order by relevance is to be reversed.
    """
    if sort in (None, "relevance"):
        if sort and descending:
            raise UsageError(
                "The order by relevance can't be reversed.", hint="Leave out descending."
            )
        return "-id" if descending else None
    return f"-{sort}" if descending else sort


@router.get("/tracks", responses=problems(409, 422))
async def tracks(  # noqa: PLR0913  (the parameters of the address)
    shared: Shared,
    request: Request,
    *,
    track_ids: Annotated[
        list[schemas.TrackId],
        Query(
            alias="id",
            max_length=defaults.MAX_TRACKS_PER_PAGE,
            description="Return these tracks, in this order, without those that don't exist.",
        ),
    ] = [],  # noqa: B006
    words: Annotated[
        str,
        Query(
            max_length=defaults.MAX_WORDS_LENGTH,
            description="Words in tags or path, or sounds that are heard.",
        ),
    ] = "",
    offset: Annotated[int, Query(ge=0, le=2**62, description="Number of tracks to skip.")] = 0,
    limit: Annotated[
        int, Query(ge=1, le=defaults.MAX_TRACKS_PER_PAGE, description="Number of tracks.")
    ] = defaults.TRACKS_PER_PAGE,
    sort: Annotated[str | None, Depends(sort_key)] = None,
    filters: Annotated[Filters, Depends(filter_fields(Query))] = EVERYTHING,
) -> schemas.Tracks:
    """List the tracks that match words and filters.

    Each word is in the tags or the path of a track, or is a sound that is heard in it. Tracks that
    have all words in their texts come first. Without words and filters, all tracks are listed.
    """
    words = words.replace("\0", " ")
    is_selection = bool(words.strip()) or filters != EVERYTHING or sort is not None

    def named(index: Index) -> tuple[list[Track], int]:
        found = tracks_of_ids(index, track_ids)
        return found, len(found)

    find = partial(
        page_of_tracks,
        words=words,
        filters=filters,
        sort=sort,
        page=slice(offset, offset + limit),
        has_sounds=True,
    )
    if track_ids:
        if is_selection:
            raise UsageError(
                "Ids of tracks can't be combined with words, filters or an order.",
                hint="Leave out id, or everything else.",
            )
        batch, total = await shared.index.run(named)
    elif is_selection:
        batch, total = await shared.index.run_long(find, request)
    else:
        batch, total = await shared.index.run(find)
    return schemas.Tracks(tracks=[schemas.Track.of(track) for track in batch], total=total)


@router.get("/suggestions", responses=problems(409, 422))
async def suggestions(
    shared: Shared,
    request: Request,
    words: Annotated[
        str,
        Query(
            max_length=defaults.MAX_WORDS_LENGTH,
            description="Words, of which the last ones may be incomplete.",
        ),
    ] = "",
    field: Annotated[
        list[schemas.SuggestionField],
        Query(max_length=len(FIELDS), description="Fields to suggest values of. Default: all."),
    ] = [],  # noqa: B006
    limit: Annotated[
        int, Query(ge=1, le=defaults.MAX_SUGGESTIONS, description="Number of suggestions.")
    ] = defaults.SUGGESTIONS,
) -> schemas.Suggestions:
    """Suggest values of tags, sounds and folders of the library for words being typed.

    Without words, the values of the most tracks are returned, but titles only if asked for.
    """
    words = words.replace("\0", " ")
    fields = field or (FIELDS if words.strip() else _NAMELESS)

    def suggest(index: Index) -> list[Suggestion]:
        return ranked(index.suggestions.suggestions(words, fields), words, limit)

    found = await shared.index.run_long(suggest, request)
    described = [schemas.Suggestion.model_validate(one._asdict()) for one in found]
    return schemas.Suggestions(suggestions=described)


@router.post("/tracks/sample", responses=problems(404, 408, 409, 422))
async def sample(shared: Shared, request: Request, params: schemas.SampleParams) -> schemas.Sample:
    """Return some of many tracks, which sound as differently as all of them.

    The same tracks always give the same sample. Ids of tracks that don't exist are left out.
    """

    def draw(index: Index) -> list[Track]:
        return tracks_of_ids(index, sample_ids(index, params.tracks, params.n))

    found = await shared.index.run_long(draw, request)
    return schemas.Sample(tracks=[schemas.Track.of(track) for track in found])


@router.get("/sounds", responses=problems(409, 422))
async def sounds(
    shared: Shared,
    request: Request,
    limit: Annotated[
        int | None,
        Query(
            ge=1,
            le=defaults.MAX_TRACKS_PER_PAGE,
            description="Most sounds to return. Default: all.",
        ),
    ] = None,
    filters: Annotated[Filters, Depends(filter_fields(Query))] = EVERYTHING,
) -> schemas.HeardSounds:
    """List the sounds that are heard in the tracks, those of the most tracks first."""
    found = await shared.index.run_long(
        partial(heard_sounds, filters=filters, limit=limit), request
    )
    return schemas.HeardSounds(sounds=[schemas.HeardSound(**asdict(sound)) for sound in found])
