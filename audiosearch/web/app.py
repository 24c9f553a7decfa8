"""The FastAPI application that serves an index."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from audiosearch import __version__
from audiosearch.errors import (
    AudioError,
    AudiosearchError,
    IndexUnwritable,
    LibraryError,
    PlaylistNotFound,
    StorageFull,
    TrackNotFound,
    Unreachable,
    UsageError,
)
from audiosearch.library.backend import display_location
from audiosearch.models import registry
from audiosearch.web.errors import RequestError, error_response
from audiosearch.web.interface.field_names import request_fields, with_field_names
from audiosearch.web.limits import Limits
from audiosearch.web.routes import (
    clips,
    finding,
    pages,
    playlists,
    sound_map,
    status,
    tracks,
    uploads,
)
from audiosearch.web.routes.shared import Services
from audiosearch.web.services.covers import Covers
from audiosearch.web.services.embedding_service import EmbeddingService
from audiosearch.web.services.index_executor import IndexExecutor
from audiosearch.web.services.maps import Maps
from audiosearch.web.services.moments import MomentService
from audiosearch.web.services.playback import Playback
from audiosearch.web.services.queries import run_queries
from audiosearch.web.services.uploads import Uploads
from audiosearch.web.services.waveforms import Waveforms
from audiosearch.web.transport.compression import CompressionMiddleware
from audiosearch.web.transport.security import LOOPBACK, SecurityMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from audiosearch.types import StrPath

__all__ = ["Limits", "create_app"]

log = logging.getLogger(__name__)

_STATUSES = (
    *(
        (TrackNotFound, 404),
        (PlaylistNotFound, 404),
        (UsageError, 400),
        (Unreachable, 503),
        (AudioError, 422),
    ),
    *((LibraryError, 409), (StorageFull, 507), (AudiosearchError, 503)),
)


def create_app(
    location: StrPath,
    *,
    api_key: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
    limits: Limits | None = None,
) -> FastAPI:
    """Create the application that serves an index.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.
    api_key : str, optional
        Key that every request must send.
    hosts : frozenset of str or None
        Accepted host names. None accepts any, which requires an API key.
    limits : Limits, optional

    Raises
    ------
    UsageError
        If any host name is accepted without an API key.
    LibraryError
        If the index doesn't exist or can't be opened.
    """
    if hosts is None and not api_key:
        raise UsageError(
            "Accepting any host name requires an API key.", hint="Set api_key or hosts."
        )
    limits = limits or Limits()
    executor = IndexExecutor(location, limits)
    spec = executor.spec
    find_model = partial(registry.by_digest, spec.model, spec.weights_digest)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        embedding = EmbeddingService(find_model, spec.excerpt_seconds, limits=limits)
        error = embedding.model_error()
        if error is not None:
            log.warning("Clips can't be embedded until this is solved: %s %s", error, error.hint)
        playback, covers = Playback(limits), Covers(limits)
        waveforms = Waveforms(executor, limits)
        uploads = Uploads(embedding, limits, on_drop=lambda upload: playback.forget(upload.id))
        moments = MomentService(executor, embedding, uploads)
        app.state.services = Services(
            executor,
            embedding,
            playback,
            covers,
            Maps(location, executor),
            executor.batched(run_queries),
            moments,
            uploads,
            waveforms,
        )
        try:
            yield
        finally:
            embedding.close()
            uploads.close()
            playback.close()
            covers.close()
            waveforms.close()
            executor.close()
            moments.close()

    app = FastAPI(
        title="audiosearch",
        version=__version__,
        docs_url=None,  # both load scripts from other sites
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.location = display_location(location)
    for routes in (status, finding, clips, uploads, tracks, playlists, sound_map, pages):
        app.include_router(routes.router)
    app.add_exception_handler(AudiosearchError, _on_audiosearch_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_middleware(CompressionMiddleware)
    app.add_middleware(SecurityMiddleware, hosts=hosts, api_key=api_key, limits=limits)
    return app


async def _on_audiosearch_error(request: Request, error: Exception) -> Response:
    """Respond with an error's sentence and hint, in terms of fields.

    The location of the index is left out.
    """
    if isinstance(error, IndexUnwritable):  # it may name any folder above the index
        sentence = "The index served here can't be opened or written."
        return error_response(409, sentence, "Check the permissions and the disk of its folder.")
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    fields, location = request_fields(request.app.openapi()), request.app.state.location
    sentence = str(error).replace(location, "served here")
    hint = with_field_names(getattr(error, "hint", "").replace(location, "INDEX"), fields)
    return error_response(status, sentence, hint)


async def _on_bug(_: Request, __: Exception) -> Response:
    return error_response(500, "The server has a bug.", "Its terminal shows details.")


async def _on_http_error(_: Request, error: Exception) -> Response:
    if isinstance(error, RequestError):
        return error.response()
    error = cast("HTTPException", error)
    verb = "lists the paths" if error.status_code in {404, 405} else "describes the requests"
    sentence = f"{error.detail.rstrip('.')}."
    return error_response(
        error.status_code, sentence, f"/api/openapi.json {verb}.", headers=error.headers
    )


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    """Respond with the problem of the first invalid field."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    if first.get("type") == "json_invalid":  # its place isn't a field but a position
        return error_response(
            422, "The request isn't valid JSON.", "/api/openapi.json describes it."
        )
    field = ".".join(str(part) for part in first.get("loc", ())[1:]) or "the request"
    message = f"{field}: {first.get('msg', 'invalid value')}."
    return error_response(422, message, "/api/openapi.json describes the fields.")
