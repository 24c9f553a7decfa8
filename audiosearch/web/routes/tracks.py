"""Routes of single tracks: tags, audio, cover image and waveform."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import (
    Query,
    Request,
    Response,
)

from audiosearch.audio.cover import media_type
from audiosearch.errors import AudioError, TrackNotFound
from audiosearch.web.errors import error_response
from audiosearch.web.interface import schemas
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    AUDIO,
    CopyFormat,
    RangeHeader,
    Shared,
    TrackId,
    new_router,
)
from audiosearch.web.services.queries import stored_tracks
from audiosearch.web.services.track_files import TrackFileResponse
from audiosearch.web.transport.clients import unless_left

_CACHED = {"Cache-Control": "private, max-age=3600"}

Missing = Annotated[
    Literal["ok"] | None, Query(description="ok: answer 204 if there is nothing to send.")
]

router = new_router()


@router.get("/tracks/{track_id}", responses=problems(404, 409, 422))
async def track(shared: Shared, track_id: TrackId) -> schemas.Track:
    """Return a track."""
    (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
    return schemas.Track.of(track)


@router.get("/tracks/{track_id}/audio", response_class=Response, responses=AUDIO)
async def audio(
    shared: Shared,
    request: Request,
    track_id: TrackId,
    _: RangeHeader = "",
    copy: CopyFormat = None,
) -> TrackFileResponse:
    """Return a track's audio, or the part that a Range header requests."""
    (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
    opening = shared.playback.playable(track, is_copy_needed=copy is not None)
    file, kind = await unless_left(request.receive, opening)
    return TrackFileResponse(file, kind, request.headers)


@router.get(
    "/tracks/{track_id}/cover",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}}, "description": "An image."},
        204: {"description": "There is no image, and missing=ok."},
        **problems(404, 409, 422),
    },
)
async def cover(shared: Shared, track_id: TrackId, missing: Missing = None) -> Response:
    """Return the cover image in a track's file."""
    try:
        (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
        image = await shared.covers.cover(track)
    except (TrackNotFound, AudioError):
        if missing is None:
            raise
        return Response(status_code=204)
    if image is not None:
        return Response(image, media_type=media_type(image), headers=_CACHED)
    if missing is not None:
        return Response(status_code=204, headers=_CACHED)
    sentence = f"Track #{track_id} has no cover image."
    return error_response(404, sentence, "Add one to the tags of its file.", headers=_CACHED)


@router.get(
    "/tracks/{track_id}/waveform",
    response_model=schemas.Waveform,
    responses={
        200: {"description": "The outline: 800 numbers from 0 to 1."},
        204: {"description": "The file can't be read, and missing=ok."},
        **problems(404, 409, 422),
    },
)
async def waveform(
    shared: Shared, request: Request, track_id: TrackId, missing: Missing = None
) -> Response:
    """Return the outline of a track's sound, as players draw it."""
    try:
        (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
        content = await unless_left(request.receive, shared.waveforms.waveform(track))
    except (TrackNotFound, AudioError):
        if missing is None:
            raise
        return Response(status_code=204)
    described = schemas.Waveform.of(track.seconds, content)
    return Response(described.model_dump_json(), media_type="application/json", headers=_CACHED)
