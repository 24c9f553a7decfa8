"""Routes that bound the parts of a form and the keys of a JSON object.

Their errors cost much more time and memory than their bytes do.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.routing import APIRoute

from audiosearch import defaults
from audiosearch.web.security import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response

_MAX_FIELDS = 1_000  # of a form
_MAX_FIELD_BYTES = 4 * 2**10  # fields hold numbers; files are apart
_MAX_KEYS = 100  # of a JSON object


class BoundedRoute(APIRoute):
    """A route that reads its request as a `BoundedRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that handles a request."""
        handle = super().get_route_handler()

        async def handle_bounded(request: Request) -> Response:
            return await handle(BoundedRequest(request.scope, request.receive))

        return handle_bounded


class BoundedRequest(Request):
    """A request whose forms and JSON objects have a bounded number of parts."""

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
