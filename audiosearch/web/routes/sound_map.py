"""Routes of the map."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import (
    Path,
    Response,
)
from fastapi.responses import JSONResponse

from audiosearch.web.interface import schemas
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    Shared,
    new_router,
)

MapPart = Annotated[
    Literal["points", "names", "neighbours"], Path(description="The part of the map.")
]

router = new_router()


@router.get(
    "/map",
    response_class=JSONResponse,
    responses={200: {"description": "The map."}, **problems(409)},
)
async def sound_map(shared: Shared) -> Response:
    """Return each track's position on the map, its tags and its nearest neighbors."""
    current = await shared.maps.current()
    return Response(current.json, media_type="application/json")


@router.get("/map/progress")
async def progress_of_map(shared: Shared) -> schemas.MapProgress:
    """Return how much of the map is made, while another request waits for it."""
    return schemas.MapProgress(share=shared.maps.progress)


@router.get(
    "/map/{part}",
    response_class=JSONResponse,
    response_description="The part, as lists with an item for each track.",
    responses=problems(409, 422),
)
async def part_of_map(part: MapPart, shared: Shared) -> Response:
    """Return a part of the map in a smaller form, so that it can be drawn as it arrives."""
    return Response(await shared.maps.part(part), media_type="application/json")
