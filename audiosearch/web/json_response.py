"""JSON responses in which control characters and bidi characters are escaped."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from audiosearch.escapes import json_text


class EscapedJSONResponse(JSONResponse):
    """JSON response that can be printed on a terminal: see `json_text`."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_text(content, separators=(",", ":")).encode()
