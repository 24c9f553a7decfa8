"""Requests with files, for which the disk may be too full."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.exceptions import HTTPException

from audiosearch.errors import StorageFull
from audiosearch.web.routes import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response

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
