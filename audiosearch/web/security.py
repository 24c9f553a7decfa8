"""Access checks and size and time limits of requests."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Host names by which browsers on this machine reach the server.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_COOKIE = "audiosearch"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request.

    Attributes
    ----------
    upload_bytes : int
        Size of a request body with files.
    other_bytes : int
        Size of a request body without files.
    upload_seconds : float
        Time until the whole body has arrived.
    embedding_seconds : float
        Time to decode and embed one file.
    index_seconds : float
        Time for the work on the index, and for waiting for it.
    waiting_short, waiting_long : int
        Number of requests that wait for each thread of short work on the index, such as queries,
        and of long work, such as playlists.
    """

    upload_bytes: int = 64 * 2**20
    other_bytes: int = 2**20
    upload_seconds: float = 60.0
    embedding_seconds: float = 60.0
    index_seconds: float = 30.0
    waiting_short: int = 1_000
    waiting_long: int = 32


class RequestError(HTTPException):
    """A rejected request, with a sentence and a hint."""

    def __init__(
        self, status: int, sentence: str, hint: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, sentence, headers)
        self.hint = hint


class SecurityMiddleware:
    """Middleware that checks the host name, the origin, the API key and the size of requests.

    Checking the host name stops DNS rebinding, where a page on another site uses a domain name
    that resolves to this machine.

    Parameters
    ----------
    app : callable
        Application that handles the accepted requests.
    hosts : frozenset of str or None
        Accepted host names. None accepts any, which is only safe with an API key.
    api_key : str or None
        Key that every request must send as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``.
    limits : Limits
    """

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str] | None, api_key: str | None, limits: Limits
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._api_key = api_key
        self._limits = limits
        self._session_token = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        response = self._rejection(scope) or self._start_session(scope)
        if response is not None:
            await response(scope, receive, send_with_headers)
            return
        limited_receive = self._limit_body(receive, self._max_bytes(Headers(scope=scope)))
        if scope["method"] == "HEAD":  # handled like GET; the server sends no body
            scope = {**scope, "method": "GET"}
        await self._app(scope, limited_receive, send_with_headers)

    def _rejection(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _host_name(host) not in self._hosts:
            return error_response(421, "The host name is not accepted.", "Use 127.0.0.1.")
        if _is_cross_site(headers):
            return error_response(
                403, "Requests from other sites are rejected.", "Open the server's own page."
            )
        is_open = self._api_key is None or _is_open(scope["path"])
        if not is_open and not self._has_key(headers):
            return error_response(
                401, "The API key is missing or wrong.", "Send it as X-API-Key: KEY."
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_bytes(headers):
            return error_response(413, *_too_large(self._max_bytes(headers)))
        return None

    def _max_bytes(self, headers: Headers) -> int:
        """Return the size limit of a request body."""
        is_upload = headers.get("content-type", "").startswith("multipart/form-data")
        return self._limits.upload_bytes if is_upload else self._limits.other_bytes

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (bearer if scheme.lower() == "bearer" else "")
        if secrets.compare_digest(key.encode(), (self._api_key or "").encode()):
            return True
        cookie = cookie_parser(headers.get("cookie", "")).get(_COOKIE, "")
        return secrets.compare_digest(cookie.encode(), self._session_token.encode())

    def _start_session(self, scope: Scope) -> Response | None:
        """Answer a login with a session cookie, which media players and frames send too."""
        if (scope["method"], scope["path"]) != ("POST", "/api/session"):
            return None
        response = Response(status_code=204)
        response.set_cookie(_COOKIE, self._session_token, httponly=True, samesite="strict")
        return response

    def _limit_body(self, receive: Receive, max_bytes: int) -> Receive:
        """Wrap `receive` so that a body that is too large or too slow raises `RequestError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.upload_seconds
        n_bytes = 0
        is_complete = False

        async def receive_within_limits() -> Message:
            nonlocal n_bytes, is_complete
            if is_complete:  # later messages only tell about a disconnect
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), deadline - loop.time())
            except (TimeoutError, asyncio.TimeoutError) as exc:
                sentence, hint = "The upload takes too long.", "Send a shorter file."
                raise RequestError(408, sentence, hint) from exc
            n_bytes += len(message.get("body", b""))
            if n_bytes > max_bytes:
                raise RequestError(413, *_too_large(max_bytes))
            is_complete = not message.get("more_body", False)
            return message

        return receive_within_limits


def _too_large(max_bytes: int) -> tuple[str, str]:
    return (
        f"The request is larger than {max_bytes / 2**20:.3g} MB.",
        "Send a smaller file or an excerpt.",
    )


def _is_cross_site(headers: Headers) -> bool:
    """Return whether a page of another site sent a request. Following a link is allowed."""
    is_navigation = headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not is_navigation:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # such as "[::1"
        return None


def _is_open(path: str) -> bool:
    """Return whether a path needs no key: the page itself, which holds no data."""
    return path == "/" or path.startswith("/page/")


def error_response(
    status: int, sentence: str, hint: str, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a JSON response with an error sentence and a hint."""
    return JSONResponse({"error": sentence, "hint": hint}, status, headers)
