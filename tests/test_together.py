"""Concurrent requests: each gets its own response, and none waits for the map."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from test_web import upload

from audiosearch import Index, similar
from audiosearch.errors import UsageError
from audiosearch.web.services.index_executor import IndexExecutor


def test_requests_do_not_wait_for_the_map(served, monkeypatch):
    from audiosearch.web.services import maps

    is_free, n_made = threading.Event(), []
    make = maps.Maps._make
    monkeypatch.setattr(
        maps.Maps, "_make", lambda self: (n_made.append(1), is_free.wait(30), make(self))[2]
    )

    async def request_maps():
        executor = IndexExecutor(served.folder / "index")
        maps_of_index = maps.Maps(served.folder / "index", executor)
        pending = [asyncio.ensure_future(maps_of_index.current()) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert await executor.run(lambda index: index.totals().tracks) == 15
        is_free.set()
        results = await asyncio.gather(*pending)
        results.append(await maps_of_index.current())
        executor.close()
        return results

    first, *others = asyncio.run(request_maps())
    assert all(other is first for other in others)
    assert len(n_made) == 1


def test_each_of_many_concurrent_requests_gets_its_own_response(served):
    clip = upload(served.clip("hiss.flac"))
    ids = sorted(served.ids.values())
    with Index(served.folder / "index") as index:
        expected = {i: similar(index, f"#{i}", k=i).hits for i in ids}

    def send(number):
        with httpx.Client(base_url=f"{served.url}/api", timeout=120) as client:
            if number % 2:
                return client.post("/query", files=clip, data={"k": 1})
            i = ids[number // 2 % len(ids)]
            return client.post("/query", data={"track": [i], "k": i})

    memory = psutil.Process(served.pid).memory_info
    send(1)
    before = memory().rss
    with ThreadPoolExecutor(200) as pool:
        responses = list(pool.map(send, range(400)))
    assert {response.status_code for response in responses} == {200}
    ids_of_hits = [
        [hit["track"]["id"] for hit in response.json()["hits"]] for response in responses
    ]
    hisses = {served.ids[f"hiss{n}.flac"] for n in range(4)}
    assert all(set(hits) <= hisses for hits in ids_of_hits[1::2])
    for number, hits in enumerate(ids_of_hits[::2]):
        assert hits == [hit.track.id for hit in expected[ids[number % len(ids)]]]
    assert memory().rss - before < 100e6


class TestBatched:
    """Requests that wait for the index are answered by one call."""

    @pytest.fixture
    def executor(self, served):
        executor = IndexExecutor(served.folder / "index")
        yield executor
        executor.close()

    @staticmethod
    async def blocked(executor):
        """Keep the index busy until the returned event is set."""
        is_free, is_busy = threading.Event(), threading.Event()
        waiting = asyncio.ensure_future(executor.run(lambda _: is_busy.set() or is_free.wait()))
        await asyncio.to_thread(is_busy.wait)
        return is_free, waiting

    def test_each_request_gets_its_own_result_or_error(self, executor):
        sizes = []

        def doubled(_, numbers):
            sizes.append(len(numbers))
            return [
                UsageError("odd", hint="Ask even.") if number % 2 else 2 * number
                for number in numbers
            ]

        async def send():
            request = executor.batched(doubled)
            is_free, waiting = await self.blocked(executor)
            requests = [asyncio.ensure_future(request(number)) for number in range(40)]
            cancelled = asyncio.ensure_future(request(100))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            await asyncio.sleep(0)  # let the cancellation reach the executor
            is_free.set()
            await waiting
            return await asyncio.gather(*requests, return_exceptions=True)

        results = asyncio.run(send())
        assert results[::2] == [2 * number for number in range(0, 40, 2)]
        assert all(isinstance(result, UsageError) for result in results[1::2])
        assert sizes == [32, 8]

    def test_a_bug_fails_all_requests_of_a_batch_and_no_later_one(self, executor):
        def failing(_, numbers):
            if 1 in numbers:
                raise ZeroDivisionError
            return numbers

        async def send():
            request = executor.batched(failing)
            is_free, waiting = await self.blocked(executor)
            requests = [asyncio.ensure_future(request(number)) for number in range(2)]
            await asyncio.sleep(0)
            is_free.set()
            await waiting
            return await asyncio.gather(*requests, return_exceptions=True), await request(5)

        (first, second), after = asyncio.run(send())
        assert isinstance(first, ZeroDivisionError)
        assert isinstance(second, ZeroDivisionError)
        assert after == 5
