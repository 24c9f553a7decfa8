"""Decode stretches of many files to log-mel frames, in several processes at once."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import OrderedDict, defaultdict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import time_limit
from audiosearch.audio.file_stat import size_and_mtime
from audiosearch.audio.local_file import open_local
from audiosearch.audio.opened_file import check_regular
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.decoder_worker import StretchEnd
from audiosearch.errors import AudioError
from audiosearch.models.front_end import N_BANDS
from audiosearch.paths import is_url
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.types import Float32

#: Bytes of frames that are kept, so that the same stretches needn't be decoded again.
CACHE_BYTES = 64 << 20

_WAIT_SECONDS = 0.2  # between checks of the time limit


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a file.

    Attributes
    ----------
    path : str
    start : float
        In seconds from the start of the file.
    seconds : float or None
        Length; None: up to the end of the file.
    real_path : str
        Path without symbolic links that the file must have; empty for any.
    size_and_mtime : tuple of (int, int) or None
        Size in bytes and modification time in ns that the file must have. None: any; then the
        frames are not kept.
    is_middle : bool
        Whether it lies in the middle of the file, and `start` is ignored. It is all of a file that
        isn't longer. For `StretchReader.stream` only.
    """

    path: str
    start: float = 0.0
    seconds: float | None = None
    real_path: str = ""
    size_and_mtime: tuple[int, int] | None = None
    is_middle: bool = False

    @property
    def file(self) -> tuple[str, str, tuple[int, int] | None]:
        """The file, and the conditions on it."""
        return self.path, self.real_path, self.size_and_mtime

    def is_same_file(self) -> bool:
        """Return whether the file meets the conditions now."""
        try:
            check_regular(self.path, real_path=self.real_path)
            return size_and_mtime(self.path) == self.size_and_mtime
        except (OSError, AudioError):
            return False


class StretchReader:
    """Reads stretches of files with decoder processes, which are started when they are needed.

    Methods may be called by several threads at a time. Leaving a ``with`` block ends the processes.

    Parameters
    ----------
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.
    """

    def __init__(self, n_jobs: int | None = None) -> None:
        self._n_jobs = n_jobs or n_cores()
        self._lock = threading.Lock()
        self._idle: list[DecoderProcess] = []
        self._active: set[DecoderProcess] = set()
        self._kept: OrderedDict[Stretch, Float32] = OrderedDict()
        self._n_kept_bytes = 0

    def __enter__(self) -> StretchReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes. A read in progress fails."""
        with self._lock:
            processes = [*self._idle, *self._active]
            self._idle.clear()
            self._active.clear()
        for process in processes:
            process.close()

    def stream(self, stretch: Stretch) -> Iterator[Float32 | StretchEnd]:
        """Yield the frames of one stretch, array by array, and a `StretchEnd` after them.

        Of a file at a URL, only the parts that are needed are fetched, if its scheme allows this.

        Raises
        ------
        AudioError
            If the file can't be fetched or decoded, or is not the one that it must be.
        MissingExtra
            If fsspec is not installed.
        """
        yield from self._messages([stretch], _seconds_left(), set())

    def read(self, stretches: Sequence[Stretch]) -> list[Float32 | AudioError]:
        """Read stretches of files on this machine.

        Returns
        -------
        list of ndarray of float32, shape (n_frames, 64), or AudioError
            Frames of each stretch, or the reason why there are none. There are fewer frames than
            asked for if the file ends earlier.

        Raises
        ------
        TookTooLong
            If the time limit of the current work is over.
        """
        results: dict[Stretch, Float32 | AudioError] = {}
        for stretch in stretches:
            if (frames := self._from_cache(stretch)) is not None:
                results[stretch] = frames
        missing = list(dict.fromkeys(s for s in stretches if s not in results))
        for part in self._at_once(missing):
            results.update(part)
        self._keep(results)
        return [results[stretch] for stretch in stretches]

    def _at_once(self, stretches: list[Stretch]) -> Iterator[dict[Stretch, Float32 | AudioError]]:
        """Read stretches with several processes, and yield results as they are done."""
        time_limit.check()
        max_seconds = _seconds_left()
        jobs = _jobs(stretches, self._n_jobs)
        if not jobs:
            return
        executor = ThreadPoolExecutor(min(self._n_jobs, len(jobs)))
        lent: set[DecoderProcess] = set()
        waiting: set[Future[dict[Stretch, Float32 | AudioError]]] = {
            executor.submit(self._read_file, job, max_seconds, lent) for job in jobs
        }
        try:
            while waiting:
                done, waiting = wait(waiting, _WAIT_SECONDS)
                for future in done:
                    yield future.result()
                time_limit.check()
        except BaseException:
            self._kill(lent)
            raise
        finally:
            executor.shutdown(cancel_futures=True)

    def _read_file(
        self, stretches: list[Stretch], max_seconds: float | None, lent: set[DecoderProcess]
    ) -> dict[Stretch, Float32 | AudioError]:
        """Read stretches of one file. Those that follow an error have that error too."""
        results: dict[Stretch, Float32 | AudioError] = {}
        parts: list[Float32] = []
        try:
            _require_local(stretches[0].path)
            for message in self._messages(stretches, max_seconds, lent):
                if isinstance(message, StretchEnd):
                    frames = np.concatenate([np.empty((0, N_BANDS), np.float32), *parts])
                    results[stretches[len(results)]] = frames
                    parts = []
                else:
                    parts.append(message)
        except AudioError as exc:
            results.update(dict.fromkeys(stretches[len(results) :], exc))
        return results

    def _messages(
        self, stretches: list[Stretch], max_seconds: float | None, lent: set[DecoderProcess]
    ) -> Iterator[Float32 | StretchEnd]:
        path, real_path, identity = stretches[0].file
        with (
            self._process(lent) as process,
            open_local(
                path, in_parts=True, is_stopped=lambda: process not in self._active
            ) as local,
        ):
            yield from process.read_stretches(
                local.source,
                [(stretch.start, stretch.seconds) for stretch in stretches],
                fetch=local.fetch,
                max_seconds=max_seconds,
                real_path=real_path,
                size_and_mtime=identity,
                is_middle=stretches[0].is_middle,
            )

    @contextlib.contextmanager
    def _process(self, lent: set[DecoderProcess]) -> Iterator[DecoderProcess]:
        """Lend a process, which is in a set meanwhile. One that was killed is not lent again."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
        process = process or DecoderProcess()
        with self._lock:
            self._active.add(process)
            lent.add(process)
        try:
            yield process
        finally:
            with self._lock:
                is_usable = process in self._active
                self._active.discard(process)
                lent.discard(process)
                if is_usable:
                    self._idle.append(process)
            if not is_usable:
                process.close()

    def _kill(self, lent: set[DecoderProcess]) -> None:
        with self._lock:
            for process in lent:
                process.kill()
            self._active -= lent

    def _from_cache(self, stretch: Stretch) -> Float32 | None:
        with self._lock:
            frames = self._kept.get(stretch)
            if frames is None:
                return None
            self._kept.move_to_end(stretch)
        return frames if stretch.is_same_file() else None

    def _keep(self, results: dict[Stretch, Float32 | AudioError]) -> None:
        with self._lock:
            for stretch, frames in results.items():
                if stretch.size_and_mtime is None or isinstance(frames, AudioError):
                    continue
                if stretch not in self._kept:
                    self._kept[stretch] = frames
                    self._n_kept_bytes += frames.nbytes
            while self._n_kept_bytes > CACHE_BYTES:
                _, dropped = self._kept.popitem(last=False)
                self._n_kept_bytes -= dropped.nbytes


def _require_local(path: str) -> None:
    """Check that a file is on this machine: a search compares so many that fetching takes long."""
    if is_url(path):
        raise AudioError(path, "it is at a URL", hint="Download the file, and add the copy.")


def _jobs(stretches: list[Stretch], n_jobs: int) -> list[list[Stretch]]:
    """Group stretches by file, in ascending order; those of one file for several processes."""
    by_file: dict[object, list[Stretch]] = defaultdict(list)
    for stretch in sorted(stretches, key=lambda stretch: stretch.start):
        by_file[stretch.file].append(stretch)
    size = max(1, math.ceil(len(stretches) / n_jobs))
    return [
        group[first : first + size]
        for group in by_file.values()
        for first in range(0, len(group), size)
    ]


def _seconds_left() -> float | None:
    """Return the time that the current work may still take, in seconds; None without a limit."""
    seconds = time_limit.seconds_left()
    return None if math.isinf(seconds) else seconds
