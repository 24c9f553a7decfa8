"""The application that serves an index."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from audiosearch import __version__
from audiosearch.errors import (
    AudioError,
    AudiosearchError,
    LibraryError,
    TrackNotFound,
    UsageError,
)
from audiosearch.library.backend import display_location
from audiosearch.models import registry
from audiosearch.web import api, pages
from audiosearch.web.audio import Audio
from audiosearch.web.embedding_service import EmbeddingService
from audiosearch.web.index_executor import IndexExecutor
from audiosearch.web.maps import Maps
from audiosearch.web.queries import run_queries
from audiosearch.web.security import LOOPBACK, Limits, RequestError, SecurityMiddleware, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from audiosearch.types import StrPath

__all__ = ["Limits", "create_app"]

_STATUSES = (
    *((TrackNotFound, 404), (UsageError, 400), (AudioError, 422)),
    *((LibraryError, 409), (AudiosearchError, 503)),
)


def create_app(
    location: StrPath,
    *,
    api_key: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the application that serves an index.

    Parameters
    ----------
    location : str or path-like
        The index.
    api_key : str, optional
        What every request must carry.
    hosts : frozenset of str or None
        The names that the server may be called by; None for any.
    limits : Limits, optional

    Raises
    ------
    UsageError
        Where others could call it, and no key is asked for.
    LibraryError
        Where there is no such index.
    ModelError
        Where its model is not here.
    """
    if hosts is None and not api_key:
        raise UsageError(
            "Who may be called by any name needs a key.", hint="Give api_key, or hosts."
        )
    bounds = limits or Limits()
    library = IndexExecutor(location)
    try:
        spec = library.spec
        model = registry.by_digest(spec.model, spec.weights_digest)
    except BaseException:
        library.close()
        raise

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        seconds = bounds.hearing_seconds
        hearing = EmbeddingService(model, spec.excerpt_seconds, most_seconds=seconds)
        with tempfile.TemporaryDirectory(prefix="audiosearch-") as folder:
            audio = Audio(Path(folder))
            app.state.services = api.Services(
                library, hearing, audio, Maps(location, library), library.together(run_queries)
            )
            try:
                yield
            finally:
                hearing.close()
                audio.close()
                library.close()

    app = FastAPI(
        title="audiosearch",
        version=__version__,
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.location = display_location(location)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.add_exception_handler(AudiosearchError, _failed)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(Exception, _broken)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_middleware(SecurityMiddleware, hosts=hosts, api_key=api_key, limits=bounds)
    return app


async def _failed(request: Request, error: Exception) -> Response:
    """Answer with what an error says, but for where the index lies: its status by its kind."""
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    sentence = str(error).replace(request.app.state.location, "that is served")
    return refused(status, sentence, getattr(error, "hint", ""))


async def _broken(_: Request, __: Exception) -> Response:
    return refused(500, "The server made a mistake.", "Its terminal says more.")


async def _not_served(_: Request, error: Exception) -> Response:
    if isinstance(error, RequestError):
        return refused(error.status_code, error.detail, error.hint)
    status, detail = getattr(error, "status_code", 500), getattr(error, "detail", "")
    return refused(status, f"{detail}.", "/api/openapi.json describes what there is.")


async def _not_understood(_: Request, error: Exception) -> Response:
    """Answer with what is wrong with the first field that is."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    place = ".".join(str(part) for part in first.get("loc", ())[1:]) or "the request"
    message = f"{place}: {first.get('msg', 'it is not as it should be')}."
    return refused(422, message, "/api/openapi.json describes what is expected.")
