"""A proxy before a Subsonic server that answers requests for similar songs itself."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse

from audiosearch.errors import AudiosearchError, LibraryError, MissingExtra, PlayerError
from audiosearch.players.subsonic.answers import failure
from audiosearch.players.subsonic.calls import PREFIX, Call
from audiosearch.players.subsonic.client import ServerError, SubsonicClient, SubsonicError
from audiosearch.players.subsonic.server_url import checked_server_url
from audiosearch.players.subsonic.similar_songs import SimilarSongs

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from audiosearch.types import StrPath

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 8 * 2**20  # of a request, which holds the parameters of a method
_ANSWERS_AT_ONCE = 16
_EXTENSIONS = "getOpenSubsonicExtensions"
_EXTENSION = {"name": "sonicSimilarity", "versions": [1]}


class Proxy:
    """ASGI application that passes requests below ``/rest/`` on to a Subsonic server.

    It answers the methods in `SimilarSongs.methods` itself, if the server's ``ping`` accepts the
    user, and adds them to the extensions of OpenSubsonic. It stores nothing. If a client leaves,
    its connection to the server is closed.

    Parameters
    ----------
    url : str
        URL of the server.
    location : str or path-like
        Folder or address of the index.
    artist_gap : int
        See `SimilarSongs`.

    Raises
    ------
    UsageError
        If the URL isn't that of a server.
    MissingExtra
        If httpx is not installed.
    LibraryError
        If the index doesn't exist or can't be opened.
    """

    def __init__(self, url: str, location: StrPath, *, artist_gap: int) -> None:
        try:
            from audiosearch.players.subsonic.upstream import UNREACHABLE, Upstream
        except ImportError as exc:
            raise MissingExtra("`audiosearch proxy`", "httpx", "subsonic") from exc
        self._url = checked_server_url(url)
        self._upstream, self._unreachable = Upstream(self._url), UNREACHABLE
        self._similar = SimilarSongs(location, artist_gap=artist_gap)
        self._threads = ThreadPoolExecutor(_ANSWERS_AT_ONCE, thread_name_prefix="answer")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or close everything when the server process ends."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path, query = scope["raw_path"], scope["query_string"]
        call = Call(scope["method"], path, query, list(scope["headers"]))
        body = await _body(receive)
        if body is None:
            await call.answered(failure("The request is too large."))(scope, receive, send)
            return
        answering = asyncio.ensure_future(
            self._answer(replace(call, body=body), scope, receive, send)
        )
        leaving = asyncio.ensure_future(_disconnect(receive))
        try:
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._upstream.close()
        self._threads.shutdown(cancel_futures=True)
        self._similar.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response | None = None
        if not call.is_below_rest:
            response = PlainTextResponse("This proxy of a music server only serves /rest/.\n", 404)
        elif call.http_method in {"GET", "HEAD", "POST"} and (
            call.method == _EXTENSIONS or call.method in self._similar.methods
        ):
            client = SubsonicClient(self._url, call.credentials, call.user_headers)
            try:
                response = await asyncio.wrap_future(
                    self._threads.submit(self._own_response, client, call)
                )
            finally:
                client.end()
            if response is None:  # the server's own answer to ping says why
                call = replace(call, path=PREFIX + b"ping.view")
        if response is not None:
            await response(scope, receive, send)
        else:
            await self._upstream.pass_on(call, scope, receive, send)

    def _own_response(self, client: SubsonicClient, call: Call) -> Response | None:
        """Return the answer to a method of ours; None if the server refuses the user."""
        with client:
            try:
                if call.method == _EXTENSIONS:
                    return call.answered(_extensions(client))
                accepted = client.call("ping")
            except ServerError:
                return None
            except PlayerError:
                return call.answered(failure(self._unreachable))
            try:
                content = self._similar.methods[call.method](client, call.values)
            except AudiosearchError as exc:
                content = {"status": "failed", "error": _error(exc)}
            return call.answered(accepted | content)


def _extensions(client: SubsonicClient) -> dict[str, Any]:
    """Return the server's extensions and ours. A server from before OpenSubsonic has none."""
    try:
        answer = client.call(_EXTENSIONS)
    except PlayerError:
        answer = client.call("ping")
    known = answer.get("openSubsonicExtensions") or []
    extensions = [
        item for item in known if isinstance(item, dict) and item.get("name") != _EXTENSION["name"]
    ]
    return answer | {"openSubsonic": True, "openSubsonicExtensions": [*extensions, _EXTENSION]}


def _error(error: AudiosearchError) -> dict[str, Any]:
    """Return the error of an answer. It doesn't say where the server or the index is."""
    if isinstance(error, SubsonicError):
        return {"code": error.code, "message": error.reason}
    log.warning("%s", error)
    if isinstance(error, (LibraryError, PlayerError)):
        return {"code": 0, "message": "Similar songs can't be found: see the proxy's messages."}
    return {"code": 0, "message": str(error)}


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too large."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > _MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return body


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
