"""The index, as several requests at once may ask it: in turn, on a thread of its own."""

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

A = TypeVar("A")
T = TypeVar("T")

_MOST_TOGETHER = 32  # questions: those who asked first need not wait for very many others


class IndexExecutor:
    """An index that is opened once, on the one thread that uses it.

    Parameters
    ----------
    location : str or path-like
        The index.

    Attributes
    ----------
    spec : EmbeddingSpec
        Whose embeddings it holds.
    name : str
        Tells it from others, but not where it lies.

    Raises
    ------
    LibraryError
        Where there is none, or it cannot be opened.
    """

    def __init__(self, location: StrPath) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._index = self._thread.submit(Index, location).result()
        self.spec = self._index.spec
        self.name = blake3(os.fsencode(self._index.location)).hexdigest(length=8)

    async def ask(self, question: Callable[[Index], T]) -> T:
        """Put a question to the index when those before it are answered."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, question, self._index)

    def together(
        self, answers: Callable[[Index, list[A]], list[T | AudiosearchError]]
    ) -> Callable[[A], Awaitable[T]]:
        """Return what puts questions of a kind to the index: those that wait are put as one.

        Parameters
        ----------
        answers : callable
            Answers some at once, in their order, each of them or with why there is no answer.
        """
        waiting: deque[tuple[A, Future[T]]] = deque()

        def answer_some(index: Index) -> None:
            first = [waiting.popleft() for _ in range(min(len(waiting), _MOST_TOGETHER))]
            some = [one for one in first if one[1].set_running_or_notify_cancel()]
            if not some:  # they were answered along with those before them, or nobody waits
                return
            try:
                found = answers(index, [question for question, _ in some])
            except BaseException as exc:
                for _, future in some:
                    future.set_exception(exc)
                raise
            for (_, future), answer in zip(some, found, strict=True):
                if isinstance(answer, AudiosearchError):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

        async def ask(question: A) -> T:
            future: Future[T] = Future()
            waiting.append((question, future))
            self._thread.submit(answer_some, self._index)
            return await asyncio.wrap_future(future)

        return ask

    def close(self) -> None:
        """Close the index, once what it was asked is answered."""
        self._thread.submit(self._index.close).result()
        self._thread.shutdown()
