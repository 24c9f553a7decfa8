"""JSON responses whose names can't act on a terminal: see `escaped_json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from audiosearch.escapes import escaped_json, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response


class EscapedJSONResponse(JSONResponse):
    """JSON response of a Python object."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_text(content, separators=(",", ":")).encode()


class EscapedRoute(APIRoute):
    """Route that escapes the JSON which FastAPI makes of a return value, faster than `json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        handle = super().get_route_handler()

        async def handle_and_escape(request: Request) -> Response:
            response = await handle(request)
            if response.media_type == JSONResponse.media_type:
                response.body = escaped_json(bytes(response.body).decode()).encode()
                response.headers["Content-Length"] = str(len(response.body))
            return response

        return handle_and_escape
