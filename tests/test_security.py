"""Limits of a request: `SecurityMiddleware` alone, without the application."""

import asyncio
import gc
import time

import pytest

from audiosearch.errors import UsageError
from audiosearch.web import create_app
from audiosearch.web.errors import RequestError, error_response
from audiosearch.web.limits import Limits
from audiosearch.web.transport.clients import unless_left
from audiosearch.web.transport.security import SecurityMiddleware

TEN_BYTES = Limits(other_bytes=10, upload_seconds=1.0)


class TestLimits:
    """Size and time limits of a request body."""

    @staticmethod
    def response(limits, chunks, headers=()):
        """Return the status of the response and the seconds until it was sent."""

        async def app(scope, receive, send):
            try:
                while (await receive()).get("more_body"):
                    pass
            except Exception as exc:  # noqa: BLE001  (as FastAPI does)
                reply = error_response(exc.status_code, exc.detail, exc.hint)
            else:
                reply = error_response(200, "all of it", "")
            await reply(scope, receive, send)

        async def receive():
            delay, body = chunks.pop(0)
            await asyncio.sleep(delay)
            return {"type": "http.request", "body": body, "more_body": bool(chunks)}

        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/embed", "headers": list(headers)}
        middleware = SecurityMiddleware(app, hosts=None, api_key=None, limits=limits)
        started = time.monotonic()
        asyncio.run(middleware(scope, receive, send))
        return sent[0]["status"], time.monotonic() - started

    def test_a_body_within_the_limits_is_passed_on(self):
        assert self.response(TEN_BYTES, [(0, b"12345"), (0, b"67890")])[0] == 200

    def test_a_body_that_declares_too_large_a_size_is_not_read(self):
        headers = [(b"content-length", b"11")]
        assert self.response(TEN_BYTES, [(9, b"")], headers)[0] == 413

    def test_a_body_that_turns_out_too_large_is_rejected(self):
        chunks = [(0, b"12345678"), (0, b"9012"), (9, b"")]
        assert self.response(TEN_BYTES, chunks)[0] == 413

    def test_a_body_that_arrives_too_slowly_is_rejected(self):
        chunks = [(0.05, b"1")] * 3 + [(60, b"")]
        status, seconds = self.response(Limits(other_bytes=10, upload_seconds=0.2), chunks)
        assert status == 408
        assert seconds < 10


class TestTogether:
    """Requests that a middleware handles at the same time."""

    def test_bodies_beyond_the_total_are_rejected_until_others_are_done(self):
        limits = Limits(other_bytes=2**20, total_bytes=300_000)
        sent = []

        async def app(scope, receive, send):
            try:
                while (await receive()).get("more_body"):
                    pass
                await asyncio.sleep(0.1)
                sent.append((200, None))
            except RequestError as exc:
                sent.append((exc.status_code, exc.headers))

        async def receive():
            return {"type": "http.request", "body": bytes(200_000)}

        async def send(message):
            pass

        async def ask(middleware, number):
            scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
            await asyncio.gather(*[middleware(scope, receive, send) for _ in range(number)])

        async def ask_twice():
            middleware = SecurityMiddleware(app, hosts=None, api_key=None, limits=limits)
            await ask(middleware, 3)
            await ask(middleware, 2)

        asyncio.run(ask_twice())
        assert sent.count((200, None)) == 4
        assert sent.count((503, {"Retry-After": "10"})) == 1


def test_accepting_any_host_name_requires_an_api_key(served):
    with pytest.raises(UsageError, match="requires an API key"):
        create_app(served.folder / "index", hosts=None)


def test_a_head_request_ends_after_its_headers():
    async def app(scope, receive, send):
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": "/", "headers": []}
    middleware = SecurityMiddleware(app, hosts=None, api_key=None, limits=Limits())
    asyncio.run(middleware(scope, None, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert not sent[-1].get("body")


def test_an_error_of_work_is_not_reported_once_the_client_has_left():
    async def left():
        return {"type": "http.disconnect"}

    async def work():
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError

    async def reports():
        reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reported.append(report))
        with pytest.raises(RequestError, match="has left"):
            await unless_left(left, work())
        gc.collect()
        return reported

    assert asyncio.run(reports()) == []
