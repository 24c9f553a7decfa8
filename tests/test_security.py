"""What one request may take, by the guard alone."""

import asyncio
import time

import pytest

from audiosearch.errors import UsageError
from audiosearch.web import create_app
from audiosearch.web.security import Limits, SecurityMiddleware, error_response

TEN_BYTES = Limits(other_bytes=10, upload_seconds=1.0)


class TestLimits:
    @staticmethod
    def answered(limits, chunks, headers=()):
        async def app(scope, receive, send):
            try:
                while (await receive()).get("more_body"):
                    pass
            except Exception as exc:  # noqa: BLE001  (as FastAPI does)
                response = error_response(exc.status_code, exc.detail, exc.hint)
            else:
                response = error_response(200, "all of it", "")
            await response(scope, receive, send)

        async def receive():
            delay, body = chunks.pop(0)
            await asyncio.sleep(delay)
            return {"type": "http.request", "body": body, "more_body": bool(chunks)}

        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/embed", "headers": list(headers)}
        guard = SecurityMiddleware(app, hosts=None, api_key=None, limits=limits)
        started = time.monotonic()
        asyncio.run(guard(scope, receive, send))
        return sent[0]["status"], time.monotonic() - started

    def test_what_is_within_them_passes(self):
        assert self.answered(TEN_BYTES, [(0, b"12345"), (0, b"67890")])[0] == 200

    def test_what_says_it_is_too_large_is_not_even_read(self):
        headers = [(b"content-length", b"11")]
        assert self.answered(TEN_BYTES, [(9, b"")], headers)[0] == 413

    def test_what_turns_out_too_large_is_broken_off(self):
        chunks = [(0, b"12345678"), (0, b"9012"), (9, b"")]
        assert self.answered(TEN_BYTES, chunks)[0] == 413

    def test_what_takes_too_long_is_broken_off(self):
        chunks = [(0.05, b"1")] * 3 + [(60, b"")]
        status, seconds = self.answered(Limits(other_bytes=10, upload_seconds=0.2), chunks)
        assert status == 408
        assert seconds < 10


def test_nobody_is_served_to_all_without_a_key(served):
    with pytest.raises(UsageError, match="requires an API key"):
        create_app(served.folder / "index", hosts=None)
