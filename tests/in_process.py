"""The HTTP interface of an index, without a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from audiosearch.web import create_app


class InProcess:
    """Client whose requests an application in this process answers. Paths follow ``/api``."""

    def __init__(self, portal: BlockingPortal, app: Any) -> None:
        self._portal, self._app = portal, app
        for method in ("get", "put", "post", "delete"):
            setattr(self, method, partial(self.request, method.upper()))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, and return the response."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, f"http://127.0.0.1/api{path}", **options)

        return self._portal.call(send)


@contextlib.contextmanager
def answered(index: Path) -> Iterator[InProcess]:
    """Answer requests to an index until the end of the block."""
    app = create_app(index)
    lifespan = app.router.lifespan_context(app)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(lifespan):
        yield InProcess(portal, app)
