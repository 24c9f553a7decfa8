"""Requests with files: the disk may be full, and their work is canceled if the client leaves."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.exceptions import HTTPException

from audiosearch.errors import StorageFull
from audiosearch.web.routes import Route
from audiosearch.web.security import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive

T = TypeVar("T")

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class UploadRoute(Route):
    """Route of requests with files, which may fill the disk."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that handles a request."""
        handle = super().get_route_handler()

        async def handle_upload(request: Request) -> Response:
            try:
                return await handle(request)
            except (HTTPException, OSError) as exc:
                cause = exc if isinstance(exc, OSError) else exc.__cause__  # FastAPI's is a 400
                if isinstance(cause, OSError) and cause.errno in _FULL:
                    raise StorageFull(
                        "The server's disk for temporary files is full.",
                        hint="Free space in its TMPDIR, then send the file again.",
                    ) from exc
                raise

        return handle_upload


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work for a client, and cancel the work if the client leaves.

    Parameters
    ----------
    receive : callable
        The `receive` of a request whose body has been read.
    work : coroutine

    Raises
    ------
    RequestError
        If the client has left. Nobody receives this response.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RequestError(499, "The client has left.", "Send the request again.")
        return task.result()
    finally:
        leaving.cancel()
        task.cancel()
        await asyncio.wait([task, leaving])


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
