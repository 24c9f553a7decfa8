"""Routes that bound the parts of requests, and escape the names in JSON responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from audiosearch import defaults
from audiosearch.escapes import escaped_json
from audiosearch.web.security import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response

_MAX_FIELDS = 1_000  # of a form
_MAX_FIELD_BYTES = 4 * 2**10  # fields hold numbers; files are apart
_MAX_KEYS = 100  # of a JSON object


class Route(APIRoute):
    """A route that reads a `BoundedRequest`, and escapes the JSON that FastAPI returns."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that handles a request."""
        handle = super().get_route_handler()

        async def handle_and_escape(request: Request) -> Response:
            response = await handle(BoundedRequest(request.scope, request.receive))
            if response.media_type == JSONResponse.media_type:
                _escape(response)
            return response

        return handle_and_escape


def _escape(response: Response) -> None:
    """Escape the JSON of a response."""
    body = bytes(response.body)
    if not body.isascii() or b"\x7f" in body:  # JSON itself escapes all other controls in ASCII
        response.body = escaped_json(body.decode()).encode()
        response.headers["Content-Length"] = str(len(response.body))


class BoundedRequest(Request):
    """A request whose forms and JSON objects have a bounded number of parts.

    The errors of parts cost much more time and memory than their bytes do.
    """

    def form(self, **_: Any) -> Any:
        """Parse the body as a form."""
        return super().form(
            max_files=defaults.MAX_QUERY_FILES,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )

    async def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(await self.body(), object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MAX_KEYS:
        sentence = f"A JSON object has more than {_MAX_KEYS} fields."
        raise RequestError(422, sentence, "/api/openapi.json describes the fields.")
    return dict(pairs)
