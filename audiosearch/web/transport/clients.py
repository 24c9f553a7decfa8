"""Work that ends early if its client leaves before the request is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from audiosearch.web.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

    from starlette.types import Receive

T = TypeVar("T")


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work for a client, and cancel the work if the client leaves.

    Parameters
    ----------
    receive : callable
        The `receive` of a request whose body has been read.
    work : coroutine

    Raises
    ------
    RequestError
        If the client has left. Nobody receives this response.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RequestError(499, "The client has left.", "Send the request again.")
        return task.result()
    finally:
        leaving.cancel()
        task.cancel()
        # Without this, asyncio would report an error of work that nobody waits for.
        await asyncio.gather(task, leaving, return_exceptions=True)


async def run_in_thread(
    threads: Executor, function: Callable[[], T], *, cancel: Callable[[], None]
) -> T:
    """Call a function on a thread, and return its result.

    Parameters
    ----------
    threads : Executor
    function : callable
    cancel : callable
        Called if this call is canceled. It makes the function end soon, which is then awaited,
        because the function uses objects of the caller until then.
    """
    done = asyncio.get_running_loop().run_in_executor(threads, function)
    # Otherwise asyncio reports an error for which nobody waits, as when the server ends.
    done.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        cancel()
        await asyncio.wait([done])
        raise


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
