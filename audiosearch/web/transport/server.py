"""The server process: a bounded number of connections, which clients can't hold without progress.

Each connection has an absolute deadline for the headers of its next request, and an end if its
client doesn't read. When there is no room for a new one, the connection that has waited longest for
its client is closed, so that clients that say nothing never keep out those that do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from audiosearch import system
from audiosearch.web.errors import RequestError, head_too_large, unavailable
from audiosearch.web.limits import Limits
from audiosearch.web.transport.security import HEADERS

if TYPE_CHECKING:
    import socket
    from collections.abc import Hashable

    from starlette.types import ASGIApp

#: Descriptors that a server asks for. It needs up to two for each connection, one for each large
#: upload, and some for the index and the decoders.
_DESCRIPTORS = 4_096
_DESCRIPTORS_PER_CONNECTION = 4
_ACCEPTED_AT_ONCE = 64  # connections; several times that may exceed the limit for a moment
_QUEUE = 2_048  # connections that the system accepts for us
_READ_BYTES = 2**16  # at a time: parsing what asyncio reads by default can take a second
_SWEEP_TICKS = 10  # ticks of uvicorn, 0.1 s each
_QUIET_SECONDS = 60.0  # between two log entries of a kind
# Parsing a chunk of a body takes as long as some kilobytes of content, however small the chunk is.
_FREE_CHUNKS = 200  # of each request; they may have any size
_MEAN_CHUNK_BYTES = 64  # that further chunks have at least


def run(app: ASGIApp, listener: socket.socket, limits: Limits | None = None) -> None:
    """Serve an application on a listening socket until SIGINT or SIGTERM."""
    if logging.lastResort is not None:  # prints what no other handler does
        logging.lastResort.addFilter(OncePerMinute())
    _Server(_Config(app, limits or Limits())).run(sockets=[listener])


def raised_descriptor_limit() -> int:
    """Raise the number of files that this process may open at once, and return it."""
    return system.raise_descriptor_limit(_DESCRIPTORS)


class OncePerMinute(logging.Filter):
    """Filter that passes one log entry of a kind a minute: of an exception at a line of code."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[Hashable, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to print a record."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError):  # a request that ends with the server
            return False
        kind = str(record.msg).partition("\n")[0] if error is None else _kind(error)
        now = time.monotonic()
        if now - self._passed.get(kind, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        self._passed[kind] = now
        return True


def _kind(error: BaseException) -> Hashable:
    """Return the type of an error, and the line that raised it."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    line = traceback and (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
    return type(error), line


class _Config(uvicorn.Config):
    """Configuration that is the same whichever optional packages of uvicorn are installed."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        descriptors = raised_descriptor_limit() // _DESCRIPTORS_PER_CONNECTION
        super().__init__(
            app,
            http=Connection,
            loop="asyncio",
            ws="none",
            backlog=min(_ACCEPTED_AT_ONCE, descriptors // 2),
            h11_max_incomplete_event_size=limits.header_bytes,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,  # don't wait for players that hold a connection open
        )
        self.limits = limits
        self.max_connections = min(limits.connections, descriptors)


class _Server(uvicorn.Server):
    """Server that ends connections without progress."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        for listener in sockets or []:  # asyncio has set the queue to what it accepts at once
            listener.listen(_QUEUE)

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections once a second, and return whether to exit."""
        if counter % _SWEEP_TICKS == 0:
            for connection in list(self.server_state.connections):
                cast("Connection", connection).end_if_stuck()
        return await super().on_tick(counter)


class _Parser(h11.Connection):
    """Parser of requests that rejects a body in many tiny chunks."""

    _n_chunks = _n_bytes = 0

    def next_event(self) -> Any:
        """Return the next part of a request.

        Raises
        ------
        RemoteProtocolError
            If it is not HTTP, or its body has too many chunks for its size.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._n_chunks = self._n_bytes = 0
        elif isinstance(event, h11.Data):
            self._n_chunks += event.chunk_start
            self._n_bytes += len(event.data)
            if self._n_chunks > _FREE_CHUNKS + self._n_bytes / _MEAN_CHUNK_BYTES:
                raise h11.RemoteProtocolError("tiny chunks", error_status_hint=413)
        return event


class Connection(H11Protocol):
    """A connection that ends if its client makes no progress."""

    def __init__(self, config: _Config, *arguments: Any, **options: Any) -> None:
        super().__init__(config, *arguments, **options)
        self.conn = _Parser(h11.SERVER, config.limits.header_bytes)
        self._limits = config.limits
        self._max_connections = config.max_connections
        #: Start of the wait for headers, and time of the last progress of the client.
        self._waiting_since = self._active_at = self.loop.time()
        self._n_unread = 0  # bytes of responses in the buffer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, in place of another one if there are too many."""
        has_room = len(self.connections) < self._max_connections or self._make_room()
        super().connection_made(transport)
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined]
        if not has_room:
            self._reject(unavailable("The server has too many connections."))

    def data_received(self, data: bytes) -> None:
        """Handle bytes of a request."""
        self._active_at = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._waiting_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, or has too long headers or too small chunks."""
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        if status == 431:
            self._reject(head_too_large(self._limits))
        elif status == 413:
            sentence = "The body of the request comes in too many small chunks."
            self._reject(RequestError(413, sentence, "Send it with a Content-Length."))
        else:
            self._reject(RequestError(400, msg, "Send a request of HTTP/1.1."))

    def end_if_stuck(self) -> None:
        """End the connection if its client has made no progress for too long."""
        now = self.loop.time()
        n_unread = self.transport.get_write_buffer_size()
        if n_unread != self._n_unread:
            self._n_unread, self._active_at = n_unread, now
        if n_unread:
            if now - self._active_at > self._limits.unread_seconds:
                self.transport.abort()
        elif not self._has_request and now - self._waiting_since > self._limits.header_seconds:
            self._end_waiting()

    def _end_waiting(self) -> None:
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            sentence = "The headers of the request take too long."
            self._reject(RequestError(408, sentence, "Send them at once."))
        else:
            self.transport.close()

    @property
    def _has_request(self) -> bool:
        """Whether a request's headers have arrived, and its response is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _may_give_way(self) -> bool:
        """Whether it waits for its client, or the client sends requests ahead of the responses."""
        return (
            not self._has_request
            or self.cycle.more_body
            or self.transport.get_write_buffer_size() > 0
            or bool(self.conn.trailing_data[0])
        )

    def _rank(self) -> tuple[bool, float]:
        """Return a key by which the connection that is closed first comes first."""
        return self._has_request, self._active_at if self._has_request else self._waiting_since

    def _make_room(self) -> bool:
        """Close the connection that may give way and has waited longest; False if none may."""
        connections = cast("set[Connection]", self.connections)
        waiting = [one for one in connections if one._may_give_way]  # noqa: SLF001
        if not waiting:
            return False
        longest = min(waiting, key=Connection._rank)
        longest.transport.abort()
        connections.discard(longest)  # it would only leave with the next turn of the loop
        return True

    def _reject(self, error: RequestError) -> None:
        """Send an error if no response has begun, and close the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # ends the request without another response
            self.cycle.message_event.set()
        response = error.response()
        response.headers.update({**HEADERS, "Connection": "close"})
        status = response.status_code
        head = h11.Response(
            status_code=status, headers=response.raw_headers, reason=STATUS_PHRASES[status]
        )
        with contextlib.suppress(h11.LocalProtocolError):  # a response has begun
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
