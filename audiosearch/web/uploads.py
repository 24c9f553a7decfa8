"""Requests with files: bounded while they are received, and canceled if the client leaves."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from audiosearch.errors import StorageFull
from audiosearch.web.security import RequestError, busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from starlette.responses import Response
    from starlette.types import Message, Receive

T = TypeVar("T")

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class HeldUploads:
    """Bytes of all uploads that the server has received and not yet answered.

    Parameters
    ----------
    max_bytes : int
    """

    def __init__(self, max_bytes: int) -> None:
        self._left_bytes = max_bytes

    async def count(
        self, request: Request, handle: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Handle a request whose body counts until it is answered.

        Raises
        ------
        RequestError
            If all uploads together become too large.
        """
        n_bytes = 0

        async def receive() -> Message:
            nonlocal n_bytes
            message = await request.receive()
            n_more = len(message.get("body", b""))
            n_bytes += n_more
            self._left_bytes -= n_more
            if n_more and self._left_bytes < 0:
                raise busy()
            return message

        try:
            return await handle(Request(request.scope, receive))
        finally:
            self._left_bytes += n_bytes


class UploadRoute(APIRoute):
    """Route of requests with files, which count toward the bytes that the server holds."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that handles a request."""
        handle = super().get_route_handler()

        async def handle_upload(request: Request) -> Response:
            held: HeldUploads = request.app.state.services.held_uploads
            try:
                return await held.count(request, handle)
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
