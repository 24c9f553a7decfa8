"""Statuses of errors, and what they mean: for the description of the HTTP interface."""

from __future__ import annotations

from typing import Any

from audiosearch.web.interface.schemas import Problem

_MEANINGS = {
    400: "The fields contradict each other, or the request is not HTTP.",
    401: "The key is missing or wrong.",
    403: "A page of another web site sent the request.",
    404: "The track, upload or saved playlist doesn't exist, its file is missing, or the file has "
    "no cover image.",
    408: "The request takes too long to arrive.",
    409: "The index can't answer: it is empty, gone, has another model now, or lacks what is asked "
    "for.",
    413: "The request is too large, or has a body although its path takes none.",
    416: "The Range header asks for a part outside the file.",
    421: "The request names a host that the server doesn't accept.",
    422: "A field or the audio file is invalid.",
    431: "The address and headers of the request are too large.",
    503: "The server has too much to do, or the work takes too long, or it lacks something, such "
    "as the model's weights or a package.",
    507: "The server's disk for temporary files is full.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of error responses, as FastAPI takes them."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in statuses}


#: Statuses that every request may get.
COMMON = problems(400, 401, 403, 413, 421, 431, 503)
