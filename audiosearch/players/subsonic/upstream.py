"""The server behind a proxy: requests and answers are passed on as they are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx

from audiosearch.http_client import tls_context, trusted_certificates
from audiosearch.players.subsonic.answers import failure
from audiosearch.players.subsonic.calls import end_to_end

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from audiosearch.players.subsonic.calls import Call

log = logging.getLogger(__name__)

UNREACHABLE = "The music server can't be reached."

_CONNECT_SECONDS = 10.0


class Upstream:
    """The server behind a proxy.

    Parameters
    ----------
    url : str
        URL of the server, without "/" at its end.

    Raises
    ------
    UsageError
        If the trusted certificates can't be read: see `trusted_certificates`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        certificates = trusted_certificates()
        # Each request has its own connection: one that is used again may just be closing.
        self._http = httpx.AsyncClient(
            verify=True if certificates is None else tls_context(certificates),
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def pass_on(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the server, and its answer back while it arrives.

        There is no limit of time or size. Without an answer, the client gets an error of Subsonic.
        """
        query = b"?" + call.query if call.query else b""
        try:
            request = httpx.Request(
                call.http_method,
                self._url + (call.path + query).decode("latin-1"),
                headers=end_to_end(call.headers),
                content=call.body,
            )
            answer = await self._http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            if isinstance(exc, httpx.ConnectError):
                log.warning("%s (%s)", UNREACHABLE, exc)
            await call.answered(failure(UNREACHABLE))(scope, receive, send)
            return
        try:
            await _pass_back(answer, send)
        except httpx.HTTPError:  # the connection then ends too early, which tells the client
            log.warning("The music server has broken off an answer.")
        finally:
            await answer.aclose()


async def _pass_back(answer: httpx.Response, send: Send) -> None:
    # The server of this process adds the date.
    headers = [pair for pair in end_to_end(answer.headers.raw) if pair[0].lower() != b"date"]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    async for part in answer.aiter_raw():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
