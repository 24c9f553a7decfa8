"""Calls that read from a disk, with a time limit.

The disk of a network folder that is gone may never answer, and a call that waits for it can't be
stopped, not even by Ctrl-C. So it runs in a thread of its own, which is abandoned after the time
limit. The number of such threads is limited: at most two calls wait for files in one folder, and
eight for files on one disk. Calls for other disks are not affected.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import queue
import re
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from audiosearch.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

#: Time limit of a call, in seconds. Disks that sleep need several seconds to wake up.
LIMIT_SECONDS: Final = 10.0

_MAX_CALLS = {"file": 1, "folder": 2, "disk": 8}  # that run at a time
_MOUNTS = "/proc/self/mounts"
_MOUNTS_SECONDS = 5.0  # for which the list of mounted disks is kept
_BATCH_FILES = 500

_Place = tuple[str, str]  # "file", "folder" or "disk", and its path


@dataclass(eq=False, slots=True)
class _Call:
    places: list[_Place]
    function: Callable[[], Any]
    future: Future[Any]
    started: float = 0.0


class Disks:
    """Threads that wait for disks.

    Parameters
    ----------
    limit_seconds : float
        Time limit of a call, including the time that it waits for others.
    """

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._limit_seconds = limit_seconds
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._running: list[_Call] = []
        self._ready: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._n_idle = 0
        self._mounts: tuple[float, list[str]] = (-_MOUNTS_SECONDS, [])

    def call(self, path: str, function: Callable[[], T]) -> T:
        """Call a function that reads a file, and return its result.

        Parameters
        ----------
        path : str
            Absolute path of the file.
        function : callable
            Function without arguments.

        Raises
        ------
        Unreachable
            If the disk doesn't answer within the time limit, or hasn't answered earlier calls yet.
        """
        future = self._submit(path, function)
        try:
            return future.result(self._limit_seconds)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise _no_answer(path) from None

    async def call_async(self, path: str, function: Callable[[], T]) -> T:
        """Call a function like `call`, for use with asyncio."""
        import asyncio

        future = asyncio.wrap_future(self._submit(path, function))
        try:
            return await asyncio.wait_for(future, self._limit_seconds)
        except (TimeoutError, asyncio.TimeoutError):
            raise _no_answer(path) from None

    def map(self, function: Callable[[str], T], paths: Iterable[str]) -> Iterator[T]:
        """Yield the results of a function for many files, with the time limit for 500 at a time.

        Raises
        ------
        Unreachable
            If a disk doesn't answer. The error names the file.
        """
        remaining = iter(paths)
        while batch := list(itertools.islice(remaining, _BATCH_FILES)):
            results: list[T] = []
            try:
                self.call(batch[0], partial(results.extend, map(function, batch)))
            except Unreachable as exc:
                raise exc.at(batch[len(results)]) from None
            yield from results

    def _submit(self, path: str, function: Callable[[], T]) -> Future[T]:
        with self._lock:
            call = _Call(self._places(path), function, Future())
            self._refuse_if_late(path, call)
            self._waiting.append(call)
            self._start_waiting()
        return call.future

    def _places(self, path: str) -> list[_Place]:
        read, mounts = self._mounts
        if time.monotonic() - read > _MOUNTS_SECONDS:
            mounts = _mount_points()
            self._mounts = (time.monotonic(), mounts)
        disk = next((mount for mount in mounts if path.startswith(mount)), "")
        return [("file", path), ("folder", os.path.dirname(path)), ("disk", disk)]

    def _refuse_if_late(self, path: str, call: _Call) -> None:
        oldest = time.monotonic() - self._limit_seconds
        late = Counter(
            place for other in self._running if other.started < oldest for place in other.places
        )
        if any(late[place] >= _MAX_CALLS[place[0]] for place in call.places):
            raise _no_answer(path)

    def _start_waiting(self) -> None:
        running = Counter(place for call in self._running for place in call.places)
        for call in list(self._waiting):
            if any(running[place] >= _MAX_CALLS[place[0]] for place in call.places):
                continue
            self._waiting.remove(call)
            if not call.future.set_running_or_notify_cancel():  # nobody waits for it any more
                continue
            running.update(call.places)
            self._running.append(call)
            call.started = time.monotonic()
            if self._n_idle:
                self._n_idle -= 1
                self._ready.put(call)
            else:
                threading.Thread(target=self._work, args=[call], daemon=True).start()

    def _work(self, call: _Call) -> None:
        while True:
            try:
                call.future.set_result(call.function())
            except BaseException as exc:  # noqa: BLE001  (raised again where the result is read)
                call.future.set_exception(exc)
            with self._lock:
                self._running.remove(call)
                self._n_idle += 1
                self._start_waiting()
            del call  # with its result, which may be an open file
            call = self._ready.get()


#: Threads of this process.
DISKS = Disks()


def mounts() -> dict[str, str]:
    """Return the type of the file system in each folder in which a disk is mounted.

    The longest paths come first. Empty on other systems than Linux.
    """
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            fields = [line.split(" ") for line in file]
    except OSError:
        return {}
    found = {
        re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), path): kind
        for _, path, kind, *_ in fields
    }
    return dict(sorted(found.items(), key=lambda mount: len(mount[0]), reverse=True))


def mounted_disks() -> list[str]:
    """Return the folders in which disks are mounted, the longest paths first, without ``/``.

    Folders in which the system would mount a disk when it is used don't count.
    """
    return [path for path, kind in mounts().items() if path != os.sep and kind != "autofs"]


def disks_of(paths: Iterable[str]) -> set[str]:
    """Return the folders in which the disks of files are mounted, without ``/``.

    Parameters
    ----------
    paths : iterable of str
        Absolute paths without symbolic links.
    """
    disks = mounted_disks()
    folders = {os.path.join(os.path.dirname(path), "") for path in paths}
    holders = (
        next((disk for disk in disks if folder.startswith(os.path.join(disk, ""))), None)
        for folder in folders
    )
    return set(filter(None, holders))


def _mount_points() -> list[str]:
    """Return the folders in which disks are mounted, the longest paths first.

    Without any, all files count as files of one disk.
    """
    return [os.path.join(path, "") for path in mounts()]


def _no_answer(path: str) -> Unreachable:
    return Unreachable(
        path,
        f"its disk doesn't answer within {LIMIT_SECONDS:g} s",
        hint="Check that the disk or network folder is connected.",
    )
