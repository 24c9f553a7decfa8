"""Clients that open connections and then stall keep nobody out, and cost little."""

import contextlib
import itertools
import logging
import resource
import subprocess
import sys
import time

import httpx
import psutil
import pytest
from rawhttp import ask, chunked, connect, message
from served import serving, wait_until

from audiosearch.web.transport.server import OncePerMinute

GET = message(b"GET /api/health")
#: What a client sends before it stalls.
STALLS = {
    "nothing": b"",
    "unfinished headers": GET[:-2] + b"X: ",
    "an unfinished body": message(b"POST /api/playlist", b"Content-Length: 9"),
    "requests without reading": message(b"GET /") * 2_000,
}


def assert_answered(url):
    """A client that sends a request gets its response, at once or when it tries again."""
    wait_until(lambda: httpx.get(f"{url}/api/health", timeout=10).status_code == 200, 10)


@contextlib.contextmanager
def stalled_connections(url, number, sent):
    """Connections on which a client sends the start of a request, and then waits."""
    with contextlib.ExitStack() as connections:
        opened = [connections.enter_context(connect(url)) for _ in range(number)]
        for connection in opened:
            connection.setblocking(False)
            with contextlib.suppress(OSError):  # closed by the server, or full
                connection.send(sent)
        yield opened


@pytest.fixture(scope="module")
def narrow(served):
    with serving(served.folder, served.ids, n_files=256) as server:
        assert_answered(server.url)
        yield server


class TestManyConnections:
    """A server that may open 256 files."""

    @pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in STALLS.items()])
    def test_stalled_connections_keep_nobody_out(self, narrow, sent):
        process = psutil.Process(narrow.pid)
        memory = process.memory_info().rss
        with stalled_connections(narrow.url, 400, sent):
            for _ in range(3):
                assert_answered(narrow.url)
            assert process.num_fds() < 128
            assert process.memory_info().rss - memory < 30e6
        wait_until(lambda: process.num_fds() < 20)
        assert narrow.said == []

    def test_requests_that_are_being_answered_are_not_closed_for_new_ones(self, narrow):
        request = message(b"GET /api/map", b"Connection: close")  # the first one takes seconds
        with stalled_connections(narrow.url, 64, request) as connections:
            time.sleep(0.5)
            refused = ask(narrow.url, GET)
            assert refused.status == 503
            assert b"retry-after: 1" in refused.headers
            assert refused.problem()[0] == "The server has too many connections."
            for connection in connections:
                connection.settimeout(60)
                assert connection.recv(2**16).startswith(b"HTTP/1.1 200 ")

    def test_a_server_without_free_descriptors_says_so_once_and_recovers(self, narrow):
        process = psutil.Process(narrow.pid)
        wait_until(lambda: process.num_fds() < 20)  # without connections of the test before
        limits = resource.prlimit(narrow.pid, resource.RLIMIT_NOFILE)
        n_free = process.num_fds()
        resource.prlimit(narrow.pid, resource.RLIMIT_NOFILE, (n_free, limits[1]))
        with stalled_connections(narrow.url, 30, b""):
            wait_until(lambda: narrow.said != [])
            time_used = sum(process.cpu_times()[:2])
            time.sleep(1.5)
            assert sum(process.cpu_times()[:2]) - time_used < 0.5
        resource.prlimit(narrow.pid, resource.RLIMIT_NOFILE, limits)
        assert_answered(narrow.url)
        assert "socket.accept() out of system resource" in narrow.said[0]
        assert len(narrow.said) < 10


#: A server with short limits. Its responses have as many bytes as their path says.
SHORT = """
import socket
from audiosearch.web.limits import Limits
from audiosearch.web.transport.security import SecurityMiddleware
from audiosearch.web.transport.server import run

async def app(scope, receive, send):
    if scope["type"] == "http":
        length = int(scope["path"].strip("/"))
        headers = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * length})

limits = Limits(header_seconds=0.5, unread_seconds=1.5)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
run(SecurityMiddleware(app, hosts=None, api_key=None, limits=limits), listener, limits)
"""


@pytest.mark.parametrize(
    ("size", "number", "status"),
    [
        pytest.param(1, 180, 200, id="a few tiny chunks"),
        pytest.param(1, 400, 413, id="many tiny chunks"),
        pytest.param(64, 2_000, 200, id="many small chunks"),
    ],
)
def test_a_body_in_too_many_tiny_chunks_is_rejected(served, size, number, status):
    chunk = b"%x\r\n%s\r\n" % (size, b" " * size)
    content = b'{"tracks": [%d]}' % next(iter(served.ids.values()))
    body = chunk * number + b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    answer = ask(served.url, chunked(b"/api/playlist", body))
    assert answer.status == status
    if status == 413:
        assert answer.problem() == (
            "The body of the request comes in too many small chunks.",
            "Send it with a Content-Length.",
        )


@pytest.fixture(scope="module")
def short():
    with subprocess.Popen([sys.executable, "-c", SHORT], stdout=subprocess.PIPE) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


class TestStalledConnections:
    """A server whose limits are about a second."""

    @pytest.mark.parametrize(
        ("first", "piece"),
        [
            pytest.param(b"", b"", id="nothing"),
            pytest.param(GET[:-2], b"", id="unfinished headers"),
            pytest.param(GET[:-2], b"X", id="headers a byte at a time"),
            pytest.param(message(b"GET /9"), b"", id="nothing after a response"),
            pytest.param(message(b"GET /9") + GET[:9], b"X", id="slow headers after a response"),
            pytest.param(
                *(message(b"POST /9", b"Transfer-Encoding: chunked"), b"1\r\nX\r\n"),
                id="an endless body after a response",
            ),
        ],
    )
    def test_a_client_that_stalls_is_disconnected(self, short, first, piece):
        with connect(short) as connection:
            connection.sendall(first)
            connection.settimeout(0.05)
            for _ in range(200):
                with contextlib.suppress(TimeoutError):
                    try:
                        connection.send(piece)
                        if not connection.recv(2**16):
                            return
                    except ConnectionError:
                        return
            pytest.fail("the connection is still open")

    def test_unfinished_headers_are_an_error_with_a_hint(self, short):
        with connect(short) as connection:
            connection.sendall(GET[:-2])
            answer = b"".join(iter(lambda: connection.recv(2**16), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"hint":"' in answer

    def test_a_response_that_is_not_read_ends(self, short):
        with connect(short) as connection:
            connection.sendall(message(b"GET /50000000"))
            time.sleep(6)  # unread_seconds, and time for a busy machine
            assert received(connection) < 50_000_000

    def test_a_response_that_is_read_slowly_is_sent_whole(self, short):
        with connect(short) as connection:
            connection.sendall(message(b"GET /50000000"))
            n_bytes = 0
            for _ in range(7):
                time.sleep(0.5)
                n_bytes += received(connection, 2**20)
            assert n_bytes + received(connection) > 50_000_000


def received(connection, at_most=10**9):
    """Receive bytes until there are no more, and return their number."""
    n_bytes = 0
    with contextlib.suppress(ConnectionError):
        while n_bytes < at_most and (data := connection.recv(2**16)):
            n_bytes += len(data)
    return n_bytes


def test_an_error_is_logged_once_a_minute_for_each_line_that_raises_it(monkeypatch):
    log = OncePerMinute()

    def is_logged(text, error=None):
        details = (type(error), error, error.__traceback__) if error else None
        return log.filter(logging.LogRecord("x", logging.ERROR, "", 0, text, None, details))

    def raised(number):
        try:
            1 / number
        except ZeroDivisionError as exc:
            return exc

    assert [is_logged("a bug", raised(0)) for _ in range(3)] == [True, False, False]
    assert is_logged("another bug", ValueError())
    assert [is_logged(f"no descriptor\n{n}") for n in range(3)] == [True, False, False]
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert is_logged("a bug", raised(0))


@pytest.mark.long
def test_two_thousand_unfinished_requests_are_closed_and_cost_nothing(served):
    with serving(served.folder, served.ids, n_files=1_024) as server:
        assert_answered(server.url)
        process = psutil.Process(server.pid)
        before = process.as_dict(["num_fds", "memory_info", "cpu_times"])
        started = time.monotonic()
        with stalled_connections(server.url, 2_000, STALLS["unfinished headers"]):
            for _ in itertools.takewhile(
                lambda _: time.monotonic() - started < 20, itertools.count()
            ):
                assert_answered(server.url)
                time.sleep(0.5)
            assert process.num_fds() <= before["num_fds"] + 2
        assert process.memory_info().rss - before["memory_info"].rss < 20e6
        assert sum(process.cpu_times()[:2]) - sum(before["cpu_times"][:2]) < 5
        assert server.said == []
