"""Requests as bytes, sent to a server without an HTTP client that would correct them."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

HOST = b"Host: 127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """The first response to bytes; `status` is 0 if there was none."""

    status: int
    headers: bytes
    body: bytes

    def problem(self):
        """The sentence and the hint of an error."""
        content = json.loads(self.body)
        return content["error"], content["hint"]


def message(start: bytes, *headers: bytes, host: bytes = HOST, body: bytes = b"") -> bytes:
    """A request with the given first line, as `b"GET /"`, and headers."""
    lines = [start if b" HTTP/" in start else start + b" HTTP/1.1", host, *headers]
    return b"\r\n".join([*filter(None, lines), b"", body])


def post(path: bytes, body: bytes, kind: bytes = b"application/json", *headers: bytes) -> bytes:
    """A POST request with a body of a content type."""
    length = b"Content-Length: %d" % len(body)
    return message(b"POST " + path, b"Content-Type: " + kind, length, *headers, body=body)


def chunked(path: bytes, body: bytes, *, kind: bytes = b"application/json") -> bytes:
    """A POST request with an already encoded chunked body."""
    coding = b"Transfer-Encoding: chunked"
    return message(b"POST " + path, b"Content-Type: " + kind, coding, body=body)


def connect(url: str, timeout: float = 20.0) -> socket.socket:
    """A connection to the server at a URL."""
    return socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout)


def ask(url: str, request: bytes, timeout: float = 20.0) -> Answer:
    """Send bytes, and return the answer once it is complete or the server closes the connection."""
    with connect(url, timeout) as connection:
        received = b""
        try:
            connection.sendall(request)
            while not _is_complete(received, request) and (data := connection.recv(2**16)):
                received += data
        except (ConnectionError, TimeoutError):  # an answer may have come before
            pass
    return _parsed(received)


def _parsed(received: bytes) -> Answer:
    received = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    headers, _, body = received.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.1 (\d+) ", headers)
    length = re.search(rb"(?i)content-length: (\d+)", headers)
    end = int(length[1]) if length else None
    return Answer(int(status[1]) if status else 0, headers.lower(), body[:end])


def _is_complete(received: bytes, request: bytes) -> bool:
    answer = _parsed(received)
    if not answer.status or b"\r\n\r\n" not in received:
        return False
    is_empty = answer.status == 204 or request.startswith(b"HEAD ")
    is_whole = b"content-length: %d\r\n" % len(answer.body) in answer.headers + b"\r\n"
    return is_empty or is_whole
