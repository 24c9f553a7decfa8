"""Many requests at once: each has its own answer, and none waits for the slowest."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from test_web import upload

from audiosearch import Index, similar
from audiosearch.errors import UsageError
from audiosearch.web.index_executor import IndexExecutor


def test_questions_do_not_wait_for_the_map(served, monkeypatch):
    from audiosearch.web import maps

    is_free, n_made = threading.Event(), []
    made = maps.Maps._make
    monkeypatch.setattr(
        maps.Maps, "_make", lambda self: (n_made.append(1), is_free.wait(30), made(self))[2]
    )

    async def asked():
        executor = IndexExecutor(served.folder / "index")
        drawn = maps.Maps(served.folder / "index", executor)
        looking = [asyncio.ensure_future(drawn.current()) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert await executor.run(lambda index: index.totals().tracks) == 15
        is_free.set()
        found = await asyncio.gather(*looking)
        found.append(await drawn.current())
        executor.close()
        return found

    first, *others = asyncio.run(asked())
    assert all(other is first for other in others)
    assert len(n_made) == 1


def test_many_ask_at_once_and_each_has_its_own_answer(served):
    clip = upload(served.clip("hiss.flac"))
    ids = sorted(served.ids.values())
    with Index(served.folder / "index") as index:
        expected = {i: similar(index, f"#{i}", k=i).hits for i in ids}

    def asked(number):
        with httpx.Client(base_url=f"{served.url}/api", timeout=120) as client:
            if number % 2:
                return client.post("/query", files=clip, data={"k": 1})
            i = ids[number // 2 % len(ids)]
            return client.post("/query", data={"track": [i], "k": i})

    memory = psutil.Process(served.pid).memory_info
    asked(1)
    before = memory().rss
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(asked, range(400)))
    assert {answer.status_code for answer in answers} == {200}
    found = [[hit["track"]["id"] for hit in answer.json()["hits"]] for answer in answers]
    hisses = {served.ids[f"hiss{n}.flac"] for n in range(4)}
    assert all(set(hits) <= hisses for hits in found[1::2])
    for number, hits in enumerate(found[::2]):
        assert hits == [hit.track.id for hit in expected[ids[number % len(ids)]]]
    assert memory().rss - before < 100e6


class TestTogether:
    """Questions that wait for the index are put to it as one."""

    @pytest.fixture
    def executor(self, served):
        found = IndexExecutor(served.folder / "index")
        yield found
        found.close()

    @staticmethod
    async def blocked(executor):
        """Keep the index busy until what is returned is set."""
        is_free, is_busy = threading.Event(), threading.Event()
        waiting = asyncio.ensure_future(executor.run(lambda _: is_busy.set() or is_free.wait()))
        await asyncio.to_thread(is_busy.wait)
        return is_free, waiting

    def test_each_has_its_own_answer_or_error(self, executor):
        sizes = []

        def doubled(_, numbers):
            sizes.append(len(numbers))
            return [
                UsageError("odd", hint="Ask even.") if number % 2 else 2 * number
                for number in numbers
            ]

        async def asked():
            ask = executor.batched(doubled)
            is_free, waiting = await self.blocked(executor)
            questions = [asyncio.ensure_future(ask(number)) for number in range(40)]
            given_up = asyncio.ensure_future(ask(100))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.wait([given_up])
            await asyncio.sleep(0)  # until whoever would answer it is told
            is_free.set()
            await waiting
            return await asyncio.gather(*questions, return_exceptions=True)

        found = asyncio.run(asked())
        assert found[::2] == [2 * number for number in range(0, 40, 2)]
        assert all(isinstance(answer, UsageError) for answer in found[1::2])
        assert sizes == [32, 8]

    def test_a_mistake_is_told_to_all_who_wait_and_to_nobody_else(self, executor):
        def failing(_, numbers):
            if 1 in numbers:
                raise ZeroDivisionError
            return numbers

        async def asked():
            ask = executor.batched(failing)
            is_free, waiting = await self.blocked(executor)
            questions = [asyncio.ensure_future(ask(number)) for number in range(2)]
            await asyncio.sleep(0)
            is_free.set()
            await waiting
            return await asyncio.gather(*questions, return_exceptions=True), await ask(5)

        (first, second), after = asyncio.run(asked())
        assert isinstance(first, ZeroDivisionError)
        assert isinstance(second, ZeroDivisionError)
        assert after == 5
