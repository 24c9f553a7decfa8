"""Requests that a proxy of a Subsonic server receives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from audiosearch.players.subsonic.answers import response

if TYPE_CHECKING:
    from starlette.responses import Response

PREFIX = b"/rest/"

#: Parameters of a method that we answer, or of the format. All others say who asks.
_NOT_CREDENTIALS = {"f", "callback", "id", "count", "startSongId", "endSongId"}
#: Headers of one connection, which don't belong to what is passed on.
_OF_CONNECTION = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer"),
    *(b"transfer-encoding", b"upgrade", b"host", b"expect"),
}
#: Headers of one request, which don't belong to other requests of the same user.
_OF_REQUEST = {
    *(b"content-length", b"content-type", b"content-encoding", b"accept-encoding"),
    *(b"range", b"if-range", b"if-none-match", b"if-modified-since"),
}

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Call:
    """A request for a method of Subsonic.

    Attributes
    ----------
    http_method : str
    path, query : bytes
        As sent, with percent signs.
    headers : list of (bytes, bytes)
        Names in lower case, and values.
    body : bytes
    """

    http_method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes = b""

    @property
    def is_below_rest(self) -> bool:
        """Whether the path leads to a method, and not out of the folder of methods."""
        parts = unquote(self.path.decode("latin-1")).replace("\\", "/").split("/")
        return self.path.startswith(PREFIX) and not {".", ".."} & set(parts)

    @property
    def method(self) -> str:
        """Name of the method."""
        return unquote(self.path.rpartition(b"/")[2].decode("latin-1")).removesuffix(".view")

    @cached_property
    def parameters(self) -> dict[str, list[str]]:
        """Parameters in the address and in a form, with all values of each."""
        texts = [self.query]
        if dict(self.headers).get(b"content-type", b"").startswith(b"application/x-www-form-url"):
            texts.append(self.body)
        joined = b"&".join(filter(None, texts)).decode("latin-1")
        return parse_qs(joined, keep_blank_values=True)

    @cached_property
    def values(self) -> dict[str, str]:
        """The first value of each parameter."""
        return {name: values[0] for name, values in self.parameters.items()}

    @property
    def credentials(self) -> dict[str, list[str]]:
        """Parameters that say who asks."""
        return {k: v for k, v in self.parameters.items() if k not in _NOT_CREDENTIALS}

    @property
    def user_headers(self) -> dict[str, str]:
        """Headers that belong to every request of the same user."""
        return {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in end_to_end(self.headers)
            if name not in _OF_REQUEST
        }

    def answered(self, answer: dict[str, Any]) -> Response:
        """Return an answer in the format that is asked for."""
        return response(answer, self.values.get("f", ""), self.values.get("callback", ""))


def end_to_end(headers: Headers) -> Headers:
    """Return headers without those that only belong to one connection."""
    named = (value for name, value in headers if name.lower() == b"connection")
    also = {name.strip().lower() for value in named for name in value.split(b",")}
    return [pair for pair in headers if pair[0].lower() not in _OF_CONNECTION | also]
