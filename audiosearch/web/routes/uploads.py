"""Routes of uploads that are kept: a clip is sent once, and searched with by its id."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Path, Query, Request, Response

from audiosearch import defaults
from audiosearch.web.interface import schemas
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    AUDIO,
    CopyFormat,
    RangeHeader,
    Services,
    Shared,
    UploadedFile,
    name_of,
    new_router,
)
from audiosearch.web.services.track_files import TrackFileResponse
from audiosearch.web.services.uploads import Upload
from audiosearch.web.transport.clients import unless_left

router = new_router()

UploadId = Annotated[schemas.UploadId, Path(description="Id of an upload that is kept.")]


@router.post("/uploads", responses=problems(408, 409, 422, 507))
async def keep_upload(
    shared: Shared,
    request: Request,
    file: UploadedFile,
    name: Annotated[
        str,
        Query(
            max_length=defaults.MAX_UPLOAD_NAME_LENGTH,
            description="Name to show. Default: that of the file.",
        ),
    ] = "",
) -> schemas.Upload:
    """Embed a file and keep it for an hour, so that queries can name it by its id."""
    adding = shared.uploads.add(file.file, name_of(file, name))
    return _described(shared, await unless_left(request.receive, adding))


@router.get("/uploads/{upload_id}", responses=problems(404, 422))
async def kept_upload(shared: Shared, upload_id: UploadId) -> schemas.Upload:
    """Return a kept upload. It is then kept for another hour."""
    return _described(shared, shared.uploads.get(upload_id))


@router.delete(
    "/uploads/{upload_id}",
    status_code=204,
    response_description="It is deleted.",
    responses=problems(404, 408, 422),
)
async def remove_upload(shared: Shared, upload_id: UploadId) -> None:
    """Delete a kept upload."""
    shared.uploads.remove(upload_id)


@router.get("/uploads/{upload_id}/audio", response_class=Response, responses=AUDIO)
async def upload_audio(
    shared: Shared,
    request: Request,
    upload_id: UploadId,
    _: RangeHeader = "",
    copy: CopyFormat = None,
) -> TrackFileResponse:
    """Return a kept upload's audio, or the part that a Range header requests."""
    upload = shared.uploads.get(upload_id)
    opening = shared.playback.playable_file(
        upload.open(), upload.label, key=upload.id, is_copy_needed=copy is not None
    )
    opened, kind = await unless_left(request.receive, opening)
    if not shared.uploads.has(upload):  # deleted while the copy was made
        shared.playback.forget(upload.id)
    return TrackFileResponse(opened, kind, request.headers)


def _described(shared: Services, upload: Upload) -> schemas.Upload:
    left = shared.uploads.expiry(upload) - asyncio.get_running_loop().time()
    outline = schemas.Waveform.of(upload.embedding.seconds, upload.waveform)
    return schemas.Upload(
        id=upload.id, name=upload.name, expires=round(left), **outline.model_dump()
    )
