"""Objects and parameters that routes share."""

from __future__ import annotations

import ntpath
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import (
    APIRouter,
    Depends,
    File,
    Header,
    Query,
    Request,
    Security,
    UploadFile,
)
from fastapi.security import APIKeyHeader

from audiosearch import defaults
from audiosearch.search.query import SearchResult
from audiosearch.soundmap.labels import readable
from audiosearch.web.interface import schemas
from audiosearch.web.interface.route import Route
from audiosearch.web.interface.statuses import COMMON, problems
from audiosearch.web.services.covers import Covers
from audiosearch.web.services.embedding_service import EmbeddingService
from audiosearch.web.services.index_executor import IndexExecutor
from audiosearch.web.services.maps import Maps
from audiosearch.web.services.moments import MomentService
from audiosearch.web.services.playback import Playback
from audiosearch.web.services.queries import QueryRequest
from audiosearch.web.services.uploads import Uploads
from audiosearch.web.services.waveforms import Waveforms

# `SecurityMiddleware` checks the key. This only documents it.
_KEY = Security(APIKeyHeader(name="X-API-Key", auto_error=False))

AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/*": {}}, "description": "The audio."},
    206: {"content": {"audio/*": {}}, "description": "The part of it that was asked for."},
    **problems(404, 409, 416, 422, 507),
}


def new_router() -> APIRouter:
    """Return a router of the HTTP interface."""
    return APIRouter(prefix="/api", responses=COMMON, dependencies=[_KEY], route_class=Route)


@dataclass(frozen=True, slots=True)
class Services:
    """Objects that all requests share."""

    index: IndexExecutor
    embedding: EmbeddingService
    playback: Playback
    covers: Covers
    maps: Maps
    query: Callable[[QueryRequest], Awaitable[SearchResult]]
    moments: MomentService
    uploads: Uploads
    waveforms: Waveforms


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(_services)]
UploadedFile = Annotated[UploadFile, File(description="Audio file in any format.")]
TrackId = schemas.TrackId
RangeHeader = Annotated[
    str, Header(alias="Range", description="Part of the file, such as bytes=0-999.")
]
CopyFormat = Annotated[
    Literal["mp3"] | None,
    Query(alias="format", description="mp3: a copy as mp3, even if browsers play the format."),
]


def name_of(file: UploadFile, name: str = "") -> str:
    """Return the name to show for a sent file: a given one, or else that of the file."""
    shown = readable(name or ntpath.basename(file.filename or ""))
    return shown[: defaults.MAX_UPLOAD_NAME_LENGTH]
