"""The index, as several requests at once may ask it: in turn, on a thread of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from audiosearch.library.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Library:
    """An index that is opened once, on the one thread that uses it.

    Parameters
    ----------
    directory : Path
        The index.

    Attributes
    ----------
    identity : Identity
        Whose embeddings it holds.

    Raises
    ------
    LibraryError
        Where there is none, or it cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._index = self._thread.submit(Index, directory).result()
        self.identity = self._index.identity

    async def ask(self, question: Callable[[Index], T]) -> T:
        """Put a question to the index when those before it are answered."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, question, self._index)

    def close(self) -> None:
        """Close the index, once what it was asked is answered."""
        self._thread.submit(self._index.close).result()
        self._thread.shutdown()
