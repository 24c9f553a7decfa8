"""JSON responses whose names can't act on a terminal: see `audiosearch.escapes`."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from audiosearch.escapes import json_text


class EscapedJSONResponse(JSONResponse):
    """JSON response of a Python object."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_text(content, separators=(",", ":")).encode()
