"""One index shared by many requests, used on a thread of its own."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from blake3 import blake3

from audiosearch.errors import AudiosearchError
from audiosearch.library.index import Index

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from audiosearch.types import StrPath

R = TypeVar("R")
T = TypeVar("T")

_MAX_BATCH = 32  # requests; a larger batch would delay the first ones


class IndexExecutor:
    """An index that is opened once and used on one thread.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.

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

    def __init__(self, location: StrPath) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._index = self._thread.submit(Index, location).result()
        self.spec = self._index.spec
        self.name = blake3(os.fsencode(self._index.location)).hexdigest(length=8)

    async def run(self, function: Callable[[Index], T]) -> T:
        """Call a function with the index once earlier calls are done, and return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function, self._index)

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
        waiting: deque[tuple[R, Future[T]]] = deque()

        def answer_batch(index: Index) -> None:
            oldest = [waiting.popleft() for _ in range(min(len(waiting), _MAX_BATCH))]
            batch = [one for one in oldest if one[1].set_running_or_notify_cancel()]
            if not batch:  # an earlier batch answered them, or they were cancelled
                return
            try:
                results = run_batch(index, [request for request, _ in batch])
            except BaseException as exc:
                for _, future in batch:
                    future.set_exception(exc)
                raise
            for (_, future), result in zip(batch, results, strict=True):
                if isinstance(result, AudiosearchError):
                    future.set_exception(result)
                else:
                    future.set_result(result)

        async def answer(request: R) -> T:
            future: Future[T] = Future()
            waiting.append((request, future))
            self._thread.submit(answer_batch, self._index)
            return await asyncio.wrap_future(future)

        return answer

    def close(self) -> None:
        """Finish the waiting calls, then close the index."""
        self._thread.submit(self._index.close).result()
        self._thread.shutdown()
