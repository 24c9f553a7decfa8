"""Errors of requests, and the responses that report them: a sentence and a hint, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from audiosearch.escapes import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audiosearch.web.limits import Limits

_RETRY_SECONDS = 10
_MAX_SENTENCE_LENGTH = 500  # characters; errors may quote the request


class RequestError(HTTPException):
    """A rejected request, with a sentence and a hint."""

    def __init__(
        self, status: int, sentence: str, hint: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, sentence, headers)
        self.hint = hint

    def response(self) -> Response:
        """Return the response that says so."""
        return error_response(self.status_code, self.detail, self.hint, headers=self.headers)


def too_large(max_bytes: int) -> RequestError:
    """Return the error that a request's body is too large."""
    sentence = f"The request is larger than {max_bytes / 2**20:.3g} MB."
    return RequestError(413, sentence, "Send a smaller file or an excerpt.")


def head_too_large(limits: Limits) -> RequestError:
    """Return the error that a request's address and headers are too large."""
    size = limits.header_bytes // 2**10
    sentence = f"The address and headers of the request are larger than {size} KB."
    return RequestError(431, sentence, "Send a shorter address and fewer headers.")


def unavailable(sentence: str) -> RequestError:
    """Return the error that the server can't take a request now."""
    headers = {"Retry-After": str(_RETRY_SECONDS)}
    return RequestError(503, sentence, f"Try again in {_RETRY_SECONDS} seconds.", headers=headers)


def error_response(
    status: int, sentence: str, hint: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON response with an error sentence and a hint."""
    if len(sentence) > _MAX_SENTENCE_LENGTH:
        sentence = f"{sentence[:_MAX_SENTENCE_LENGTH]}…"
    return Response(
        json_text({"error": sentence, "hint": hint}, separators=(",", ":")),
        status,
        headers,
        "application/json",
    )
