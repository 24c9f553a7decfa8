"""The FastAPI application that serves an index."""

from __future__ import annotations

from contextlib import asynccontextmanager
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
    StorageFull,
    TrackNotFound,
    Unreachable,
    UsageError,
)
from audiosearch.library.backend import display_location
from audiosearch.models import registry
from audiosearch.web import api, pages
from audiosearch.web.covers import Covers
from audiosearch.web.embedding_service import EmbeddingService
from audiosearch.web.errors import RequestError, error_response
from audiosearch.web.index_executor import IndexExecutor
from audiosearch.web.limits import Limits
from audiosearch.web.maps import Maps
from audiosearch.web.moments import MomentService
from audiosearch.web.playback import Playback
from audiosearch.web.queries import run_queries
from audiosearch.web.security import LOOPBACK, SecurityMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from audiosearch.types import StrPath

__all__ = ["Limits", "create_app"]

_STATUSES = (
    *((TrackNotFound, 404), (UsageError, 400), (Unreachable, 503), (AudioError, 422)),
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
    ModelError
        If the index's model is not on this machine.
    """
    if hosts is None and not api_key:
        raise UsageError(
            "Accepting any host name requires an API key.", hint="Set api_key or hosts."
        )
    limits = limits or Limits()
    executor = IndexExecutor(location, limits)
    try:
        spec = executor.spec
        model = registry.by_digest(spec.model, spec.weights_digest)
    except BaseException:
        executor.close()
        raise

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        embedding = EmbeddingService(model, spec.excerpt_seconds, limits=limits)
        playback, covers = Playback(limits), Covers(limits)
        moments = MomentService(executor, embedding)
        app.state.services = api.Services(
            executor,
            embedding,
            playback,
            covers,
            Maps(location, executor),
            executor.batched(run_queries),
            moments,
        )
        try:
            yield
        finally:
            embedding.close()
            playback.close()
            covers.close()
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
    app.include_router(api.router)
    app.include_router(pages.router)
    app.add_exception_handler(AudiosearchError, _on_audiosearch_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_middleware(SecurityMiddleware, hosts=hosts, api_key=api_key, limits=limits)
    return app


async def _on_audiosearch_error(request: Request, error: Exception) -> Response:
    """Respond with an error's sentence and hint, without the location of the index."""
    if isinstance(error, IndexUnwritable):  # it may name any folder above the index
        sentence = "The index served here can't be opened or written."
        return error_response(409, sentence, "Check the permissions and the disk of its folder.")
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    sentence = str(error).replace(request.app.state.location, "served here")
    return error_response(status, sentence, getattr(error, "hint", ""))


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
    field = ".".join(str(part) for part in first.get("loc", ())[1:]) or "the request"
    message = f"{field}: {first.get('msg', 'invalid value')}."
    return error_response(422, message, "/api/openapi.json describes the fields.")
