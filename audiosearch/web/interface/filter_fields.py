"""Filters as fields of a form or parameters of an address: ``only.genre``, ``unless.sound``.

And the options of a search, parts of clips and moments as fields of a form.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Form

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.search.options import SearchOptions, TimeRange
from audiosearch.web.interface.schemas import FilterParams

_GROUPS = {"only": "Keep only these tracks", "unless": "Leave these tracks out"}


def filter_fields(kind: Callable[..., Any]) -> Callable[..., Awaitable[Filters]]:
    """Return a FastAPI dependency that reads the fields of `FilterParams`, and returns the filters.

    Parameters
    ----------
    kind : callable
        ``fastapi.Form`` or ``fastapi.Query``.
    """

    async def read_filters(**values: Any) -> Filters:  # FastAPI runs others in a thread
        if not any(values.values()):
            return EVERYTHING
        only, unless = (
            FilterParams(**{name: values[f"{group}_{name}"] for name in FilterParams.model_fields})
            for group in _GROUPS
        )
        return only.filters(unless)

    parameters = [
        inspect.Parameter(
            f"{group}_{name}",
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[
                field.rebuild_annotation(),
                kind(alias=f"{group}.{name}", description=f"{meaning}: {field.description}"),
            ],
        )
        for group, meaning in _GROUPS.items()
        for name, field in FilterParams.model_fields.items()
    ]
    read_filters.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return read_filters


async def clip_part(
    start: Annotated[
        float | None,
        Form(
            alias="from",
            ge=0,
            allow_inf_nan=False,
            description="Use the only clip from this time on, in seconds.",
        ),
    ] = None,
    end: Annotated[
        float | None,
        Form(
            alias="to",
            gt=0,
            allow_inf_nan=False,
            description="Use the only clip up to this time, in seconds.",
        ),
    ] = None,
) -> TimeRange | None:
    """Return the part of a clip in the fields of a form; None for all of it."""
    return None if start is None and end is None else TimeRange(start or 0.0, end)


async def moments_per_track(
    moments: Annotated[
        bool, Form(description="Find stretches of tracks, as long as the clip.")
    ] = False,
    per_track: Annotated[
        int | None,
        Form(
            ge=1,
            le=defaults.MAX_HITS,
            description=f"Most moments in one track. Default: {defaults.MOMENTS_PER_TRACK}.",
        ),
    ] = None,
) -> int | None:
    """Return the largest number of moments in a track; None if whole tracks are asked for.

    Raises
    ------
    UsageError
        If a number is given, but no moments are asked for.
    """
    if moments:
        return per_track or defaults.MOMENTS_PER_TRACK
    if per_track is not None:
        raise UsageError("per_track needs moments.", hint="Add moments=true, or leave it out.")
    return None


async def search_options(
    filters: Annotated[Filters, Depends(filter_fields(Form))],
    whiten: Annotated[bool, Form(description="Rank by whitened vectors.")] = defaults.WHITEN_QUERY,
    sound_weight: Annotated[
        float | None, Form(description="Weight of the score of only.sound, 0 to 1.")
    ] = None,
) -> SearchOptions:
    """Return the options in the fields of a form: a FastAPI dependency.

    Raises
    ------
    UsageError
        If the filters are invalid, or the weight is.
    """
    return SearchOptions(filters=filters, whiten=whiten, sound_weight=sound_weight)
