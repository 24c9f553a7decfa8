"""Who may ask, for how long, and how much at a time."""

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
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What the loopback interface is called by browsers on this machine.
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
    """What one request may take.

    Attributes
    ----------
    upload_bytes : int
    other_bytes : int
        Of a request that holds no files.
    upload_seconds : float
        For sending all of it.
    hearing_seconds : float
        For decoding and embedding a file.
    """

    upload_bytes: int = 64 * 2**20
    other_bytes: int = 2**20
    upload_seconds: float = 60.0
    hearing_seconds: float = 60.0


class RequestError(HTTPException):
    """A request that is broken off, with a sentence and a hint."""

    def __init__(self, status: int, sentence: str, hint: str) -> None:
        super().__init__(status, sentence)
        self.hint = hint


class SecurityMiddleware:
    """Middleware: lets in who calls the server by its name and has its key, within limits.

    A page elsewhere whose name is made to lead here (DNS rebinding) calls by another name.

    Parameters
    ----------
    app : callable
        What is guarded.
    hosts : frozenset of str or None
        The names that the server may be called by; None for any, which a key makes safe.
    api_key : str or None
        What every request must carry, as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``.
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
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._session(scope)
        if answer is not None:
            await answer(scope, receive, send_with_headers)
            return
        bounded = self._bounded(receive, self._most_bytes(Headers(scope=scope)))
        if scope["method"] == "HEAD":  # answered as GET is; the server sends no body
            scope = {**scope, "method": "GET"}
        await self._app(scope, bounded, send_with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _host_name(host) not in self._hosts:
            return refused(421, "This server goes by another name.", "Call it as 127.0.0.1.")
        if _is_from_elsewhere(headers):
            return refused(403, "Another site's page asks.", "Ask from the server's own page.")
        is_open = self._api_key is None or _is_open(scope["path"])
        if not is_open and not self._has_key(headers):
            return refused(401, "The key is missing or wrong.", "Send it as X-API-Key: KEY.")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._most_bytes(headers):
            return refused(413, *_too_large(self._most_bytes(headers)))
        return None

    def _most_bytes(self, headers: Headers) -> int:
        """Return how large a request's body may be: files, or else a little JSON."""
        is_upload = headers.get("content-type", "").startswith("multipart/form-data")
        return self._limits.upload_bytes if is_upload else self._limits.other_bytes

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (bearer if scheme.lower() == "bearer" else "")
        if secrets.compare_digest(given.encode(), (self._api_key or "").encode()):
            return True
        cookie = cookie_parser(headers.get("cookie", "")).get(_COOKIE, "")
        return secrets.compare_digest(cookie.encode(), self._session_token.encode())

    def _session(self, scope: Scope) -> Response | None:
        """Give who has the key a cookie for it, which players and frames send along."""
        if (scope["method"], scope["path"]) != ("POST", "/api/session"):
            return None
        response = Response(status_code=204)
        response.set_cookie(_COOKIE, self._session_token, httponly=True, samesite="strict")
        return response

    def _bounded(self, receive: Receive, most_bytes: int) -> Receive:
        """Return what gives a request's body, as long as it keeps within the limits."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.upload_seconds
        n_bytes = 0
        is_whole = False

        async def bounded() -> Message:
            nonlocal n_bytes, is_whole
            if is_whole:  # what comes now is word of whether the other side is still there
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), end - loop.time())
            except (TimeoutError, asyncio.TimeoutError) as exc:
                sentence, hint = "The request takes too long to arrive.", "Send less at a time."
                raise RequestError(408, sentence, hint) from exc
            n_bytes += len(message.get("body", b""))
            if n_bytes > most_bytes:
                raise RequestError(413, *_too_large(most_bytes))
            is_whole = not message.get("more_body", False)
            return message

        return bounded


def _too_large(most_bytes: int) -> tuple[str, str]:
    return (
        f"More than {most_bytes / 2**20:.3g} MB were sent.",
        "Send less, or an excerpt.",
    )


def _is_from_elsewhere(headers: Headers) -> bool:
    """Return whether a browser says that another site's page asks, but not for a page to show."""
    is_shown = headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not is_shown:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # "[::1", say
        return None


def _is_open(path: str) -> bool:
    """Return whether something is for all: the page itself, which holds no data."""
    return path == "/" or path.startswith("/page/")


def refused(status: int, sentence: str, hint: str) -> JSONResponse:
    """Return an answer that says why there is no other."""
    return JSONResponse({"error": sentence, "hint": hint}, status)
