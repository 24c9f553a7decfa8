"""Routes that bound the parts of requests, and escape the names in JSON responses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from audiosearch import defaults
from audiosearch.errors import StorageFull, is_disk_full
from audiosearch.escapes import escaped_json
from audiosearch.json_input import parse_json
from audiosearch.web.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response

_MAX_FIELDS = 1_000  # of a form
_MAX_FIELD_BYTES = 4 * 2**10  # fields hold numbers; files are apart
_MAX_KEYS = 100  # of a JSON object


class Route(APIRoute):
    """A route that reads a `BoundedRequest`, and escapes the JSON that FastAPI returns.

    The docstring of its function describes it. Files in requests are kept on a disk, which may be
    full.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        summary, _, description = (inspect.getdoc(endpoint) or "").partition("\n\n")
        options |= {"summary": " ".join(summary.split()), "description": description}
        result = get_type_hints(endpoint).get("return")
        if isinstance(result, type) and issubclass(result, BaseModel) and result.__doc__:
            options["response_description"] = result.__doc__.partition("\n")[0]
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that handles a request."""
        handle = super().get_route_handler()

        async def handle_and_escape(request: Request) -> Response:
            try:
                response = await handle(BoundedRequest(request.scope, request.receive))
            except (HTTPException, OSError) as exc:
                cause = exc if isinstance(exc, OSError) else exc.__cause__  # FastAPI's is a 400
                if isinstance(cause, OSError) and is_disk_full(cause):
                    raise StorageFull(
                        "The server's disk for temporary files is full.",
                        hint="Free space in its TMPDIR, then send the file again.",
                    ) from exc
                raise
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
        return parse_json(await self.body(), object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MAX_KEYS:
        sentence = f"A JSON object has more than {_MAX_KEYS} fields."
        raise RequestError(422, sentence, "/api/openapi.json describes the fields.")
    return dict(pairs)
