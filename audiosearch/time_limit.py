"""A time limit for a piece of work. Long loops check it and stop when it is over."""

from __future__ import annotations

import contextlib
import math
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from audiosearch.errors import TookTooLong

if TYPE_CHECKING:
    from collections.abc import Iterator


class TimeLimit:
    """Time that a piece of work may take, from now on. Another thread may cancel the work.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._is_canceled = False

    def cancel(self) -> None:
        """Stop the work at its next check."""
        self._is_canceled = True

    @property
    def is_over(self) -> bool:
        """Whether the work should stop."""
        return self._is_canceled or time.monotonic() > self._deadline

    @property
    def seconds_left(self) -> float:
        """Time until the work should stop; 0 if it is over."""
        return 0.0 if self._is_canceled else max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Raise an error if the work should stop.

        Raises
        ------
        TookTooLong
        """
        if self.is_over:
            raise TookTooLong(
                f"This takes longer than {self._seconds:g} seconds.",
                hint="Ask for fewer tracks, or with fewer conditions.",
            )


_current: ContextVar[TimeLimit | None] = ContextVar("time_limit", default=None)


@contextlib.contextmanager
def limited(limit: TimeLimit | None) -> Iterator[None]:
    """Let checks inside the block, on this thread, obey a time limit; with None, obey no limit.

    Work that later requests need, such as updating a FAISS index, is done without a limit.
    Otherwise, it would start again with each request and never end.
    """
    token = _current.set(limit)
    try:
        yield
    finally:
        _current.reset(token)


def is_over() -> bool:
    """Return whether the current work should stop."""
    limit = _current.get()
    return limit is not None and limit.is_over


def seconds_left() -> float:
    """Return the time until the current work should stop; infinity without a limit."""
    limit = _current.get()
    return math.inf if limit is None else limit.seconds_left


def check() -> None:
    """Raise a `TookTooLong` if the current work should stop. Without a limit, do nothing."""
    limit = _current.get()
    if limit is not None:
        limit.check()
