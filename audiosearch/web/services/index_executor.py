"""One index shared by many requests: short ones are batched, and long ones don't hold them up."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from blake3 import blake3

from audiosearch.errors import AudiosearchError
from audiosearch.library.backend import display_location
from audiosearch.library.index_reader import IndexReader
from audiosearch.time_limit import TimeLimit, limited
from audiosearch.web.errors import unavailable
from audiosearch.web.limits import Limits
from audiosearch.web.transport.clients import unless_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from audiosearch.library.index import Index
    from audiosearch.types import StrPath

R = TypeVar("R")
T = TypeVar("T")

_MAX_BATCH = 32  # requests; a larger batch would delay the first ones
_LONG_READERS = 2  # so that one long request doesn't hold up all others


class IndexExecutor:
    """An index that is opened by a few threads, which share the mapped file of its vectors.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.
    limits : Limits, optional

    Attributes
    ----------
    spec : EmbeddingSpec
        Model and settings that produced its embeddings.
    name : str
        Stable name of the index that doesn't reveal its location.

    Raises
    ------
    LibraryError
        If the index doesn't exist or can't be opened.
    """

    def __init__(self, location: StrPath, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._short = IndexReader(location, "index")
        self._readers = [self._short]
        try:
            self.spec = self._short.submit(lambda opened: opened().spec).result()
        except BaseException:
            self.close()
            raise
        # It never waits for FAISS, whose index takes long to be brought up to date.
        self._status = IndexReader(location, "status", spec=self.spec)
        names = (f"long-{number}" for number in range(_LONG_READERS))
        self._long = [IndexReader(location, name, spec=self.spec) for name in names]
        # It may wait until another process has written.
        self._writing = IndexReader(location, "writing", spec=self.spec)
        self._readers += [self._status, *self._long, self._writing]
        self.name = blake3(os.fsencode(display_location(location))).hexdigest(length=8)

    async def run(self, function: Callable[[Index], T]) -> T:
        """Call a function with the index once earlier calls are done, and return its result.

        The call must be short: others wait for it.
        """
        return await self._run([self._short], function, self._limit())

    async def status(self, function: Callable[[Index], T]) -> T:
        """Call a function that looks up facts about the index. This waits for no other call."""
        return await self._run([self._status], function, self._limit())

    async def run_writing(self, function: Callable[[Index], T]) -> T:
        """Call a function that changes the index, once earlier changes are done."""
        return await self._run([self._writing], function, self._limit())

    async def run_long(self, function: Callable[[Index], T], request: Request) -> T:
        """Call a function that may take long. It is canceled if the client leaves."""
        limit = self._limit()
        try:
            return await unless_left(request.receive, self._run(self._long, function, limit))
        finally:
            limit.cancel()

    def _limit(self) -> TimeLimit:
        return TimeLimit(self._limits.index_seconds)

    async def _run(
        self, readers: list[IndexReader], function: Callable[[Index], T], limit: TimeLimit
    ) -> T:
        """Call a function with the index of the reader for which the fewest requests wait."""
        reader = min(readers, key=lambda reader: reader.n_waiting)

        def call(opened: Callable[[], Index]) -> T:
            limit.check()
            with limited(limit):
                return function(opened())

        return await self._counted(reader, lambda: reader.submit(call))

    async def _counted(self, reader: IndexReader, submit: Callable[[], Future[T]]) -> T:
        """Submit a call, unless too many wait already, and return its result."""
        most = self._limits.waiting_long if reader in self._long else self._limits.waiting_short
        if reader.n_waiting >= most:
            raise unavailable("Too many requests wait for the index.")
        reader.n_waiting += 1
        try:
            return await asyncio.wrap_future(submit())
        finally:
            reader.n_waiting -= 1

    def batched(
        self, run_batch: Callable[[Index, list[R]], list[T | AudiosearchError]]
    ) -> Callable[[R], Awaitable[T]]:
        """Return a coroutine function that answers requests in batches.

        Requests that arrive while the index is busy are answered together, by one call of
        ``run_batch``.

        Parameters
        ----------
        run_batch : callable
            Takes the index and requests. Returns a result or an error for each, in their order.
        """
        waiting: deque[tuple[R, Future[T], TimeLimit]] = deque()

        def answer_batch(opened: Callable[[], Index]) -> None:
            oldest = [waiting.popleft() for _ in range(min(len(waiting), _MAX_BATCH))]
            batch = [one for one in oldest if one[1].set_running_or_notify_cancel()]
            if not batch:  # an earlier batch answered them, or they were canceled
                return
            try:
                with limited(batch[-1][2]):
                    results = run_batch(opened(), [request for request, *_ in batch])
            except BaseException as exc:
                for _, future, _ in batch:
                    future.set_exception(exc)
                raise
            for (_, future, _), result in zip(batch, results, strict=True):
                if isinstance(result, AudiosearchError):
                    future.set_exception(result)
                else:
                    future.set_result(result)

        async def answer(request: R) -> T:
            future: Future[T] = Future()

            def submit() -> Future[T]:
                waiting.append((request, future, self._limit()))
                self._short.submit(answer_batch)
                return future

            return await self._counted(self._short, submit)

        return answer

    def close(self) -> None:
        """Finish the waiting calls, then close the index."""
        for reader in self._readers:
            reader.close()
