"""Access checks and size and time limits of requests."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from audiosearch.web.errors import RequestError, head_too_large, too_large, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from audiosearch.web.limits import Limits

#: Host names by which browsers on this machine reach the server.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_COOKIE = "audiosearch"

#: Requests whose body may hold files.
_UPLOADS = {("POST", "/api/embed"), ("POST", "/api/query"), ("POST", "/api/uploads")}
_OPEN_PATHS = frozenset({"/", "/docs", "/favicon.ico", "/logo.svg"})
_FREE_BYTES = 2**16  # of each body; they don't count towards the total, so short requests go on
_PIECE_BYTES = 2**16  # of a response that are handed on before the client takes them

#: Headers of every response.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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
        self._api_key = (api_key or "").encode(errors="surrogateescape")
        self._limits = limits
        self._session_token = secrets.token_urlsafe(32)
        self._held_bytes = 0  # of all request bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        max_bytes = self._max_bytes(scope)
        try:
            self._check(scope, max_bytes)
            response = self._start_session(scope)
        except RequestError as exc:
            response = exc.response()
        if response is not None:
            await response(scope, receive, send)
            return
        # Nothing else reads cookies, and Python's parser of them takes long for some texts.
        headers = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
        scope = {**scope, "headers": headers}
        if scope["method"] == "HEAD":  # handled like GET
            scope["method"], send = "GET", _without_body(send)
        if max_bytes == 0:  # it has been checked that there is no body
            await self._app(scope, receive, send)
            return
        with self._limited_body(receive, max_bytes) as limited_receive:
            await self._app(scope, limited_receive, send)

    def _check(self, scope: Scope, max_bytes: int) -> None:
        """Raise `RequestError` if a request is to be rejected before its body is read."""
        headers = Headers(scope=scope)
        head = (*headers.raw, (scope["path"].encode(), scope.get("query_string", b"")))
        # Four for the colon, the space and the line break.
        if sum(len(name) + len(value) + 4 for name, value in head) > self._limits.header_bytes:
            raise head_too_large(self._limits)
        if self._hosts is not None and _host_name(headers.get("host", "")) not in self._hosts:
            raise RequestError(421, "The host name is not accepted.", "Use 127.0.0.1.")
        if _is_cross_site(headers):
            sentence = "Requests from other sites are rejected."
            raise RequestError(403, sentence, "Open the server's own page.")
        is_open = not self._api_key or _is_open(scope["path"])
        if not is_open and not self._has_key(headers):
            sentence = "The API key is missing or wrong."
            raise RequestError(401, sentence, "Send it as X-API-Key: KEY.")
        length = headers.get("content-length", "0")
        is_empty = not length.strip("0") and "transfer-encoding" not in headers
        if max_bytes == 0 and not is_empty:
            raise RequestError(413, "The request takes no body.", "Send it without a body.")
        if length.isdecimal() and int(length) > max_bytes:
            raise too_large(max_bytes)

    def _max_bytes(self, scope: Scope) -> int:
        """Return the size limit of a request body."""
        if scope["method"] in {"GET", "HEAD"}:
            return 0
        kind = Headers(scope=scope).get("content-type", "").lower()
        may_hold_files = (scope["method"], scope["path"]) in _UPLOADS
        is_upload = may_hold_files and kind.startswith("multipart/form-data")
        return self._limits.upload_bytes if is_upload else self._limits.other_bytes

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (bearer if scheme.lower() == "bearer" else "")
        if secrets.compare_digest(key.encode(), self._api_key):
            return True
        pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
        cookie = {name: value for name, _, value in pairs}.get(_COOKIE, "")
        return secrets.compare_digest(cookie.encode(), self._session_token.encode())

    def _start_session(self, scope: Scope) -> Response | None:
        """Answer a login with a session cookie, which media players send too."""
        if (scope["method"], scope["path"]) != ("POST", "/api/session"):
            return None
        response = Response(status_code=204)
        response.set_cookie(_COOKIE, self._session_token, httponly=True, samesite="strict")
        return response

    @contextlib.contextmanager
    def _limited_body(self, receive: Receive, max_bytes: int) -> Iterator[Receive]:
        """Wrap `receive` so that a body that is too large or too slow raises `RequestError`.

        The body counts towards the total of all requests until the end of the block.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.upload_seconds
        n_bytes = n_held = 0
        is_complete = False

        async def receive_within_limits() -> Message:
            nonlocal n_bytes, n_held, is_complete
            if is_complete:  # later messages only tell about a disconnect
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), deadline - loop.time())
            except (TimeoutError, asyncio.TimeoutError) as exc:
                sentence, hint = "The upload takes too long.", "Send a shorter file."
                raise RequestError(408, sentence, hint) from exc
            n_bytes += len(message.get("body", b""))
            if n_bytes > max_bytes:
                raise too_large(max_bytes)
            n_new = max(0, n_bytes - _FREE_BYTES - n_held)
            if self._held_bytes + n_new > self._limits.total_bytes:
                raise unavailable("The server is busy with other uploads.")
            n_held += n_new
            self._held_bytes += n_new
            is_complete = not message.get("more_body", False)
            return message

        try:
            yield receive_within_limits
        finally:
            self._held_bytes -= n_held


def _with_headers(send: Send) -> Send:
    """Wrap `send` to add our headers, and to wait for the client between pieces of the body."""

    async def send_in_pieces(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        body, has_more = message.get("body", b""), message.get("more_body", False)
        if len(body) <= _PIECE_BYTES:
            await send(message)
            return
        for start in range(0, len(body), _PIECE_BYTES):
            end = start + _PIECE_BYTES
            piece = {"body": body[start:end], "more_body": has_more or end < len(body)}
            await send({**message, **piece})

    return send_in_pieces


def _without_body(send: Send) -> Send:
    """Wrap `send` to end a response after its headers, so that no file is read for it."""

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body"})

    return send_headers


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
    """Return whether a path needs no key: the page and what describes it, which hold no data."""
    return path in _OPEN_PATHS or path.startswith("/page/")
