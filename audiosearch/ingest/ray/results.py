"""Results of files that a Ray cluster embeds: the driver's main loop."""

from __future__ import annotations

import contextlib
import logging
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING

from audiosearch.embedding.result import EmbeddingResult
from audiosearch.errors import AudioError, AudiosearchError
from audiosearch.ingest.ray.task_queue import MAX_LOSSES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from audiosearch.ingest.ray.actor import FileTask
    from audiosearch.ingest.ray.task_queue import TaskQueue
    from audiosearch.ingest.ray.worker_pool import Worker, WorkerPool

#: The run ends after this time, in seconds, without any started worker.
TIMEOUT_SECONDS = 60.0

_MAX_FAILED_STARTS = 3

log = logging.getLogger(__name__)


class RayResults:
    """Files that a Ray cluster embeds; implements `audiosearch.embedding.reader.EmbeddingResults`.

    Parameters
    ----------
    queue : TaskQueue
        The files.
    pool : WorkerPool
        Pool of workers. They are started when iteration begins, and stopped when it ends.
    task : callable
        Returns the task for a path.
    n_workers : int
        Number of workers to start.
    timeout_seconds : float
        The run ends after this time without any started worker.

    Raises
    ------
    AudiosearchError
        While iterating, if a worker can't start, or none starts in time.
    """

    def __init__(
        self,
        queue: TaskQueue,
        pool: WorkerPool,
        task: Callable[[str], FileTask],
        *,
        n_workers: int,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._queue = queue
        self._pool = pool
        self._task = task
        self._n_workers = n_workers
        self._timeout_seconds = timeout_seconds
        self._n_failed_starts = 0  # in a row
        self._lost_audio_seconds = 0.0  # embedded by workers that were lost
        self._failure: AudiosearchError | None = None
        self._no_worker_since = monotonic()

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio that went through the networks so far."""
        return self._lost_audio_seconds + sum(w.audio_seconds for w in self._pool.workers)

    def __iter__(self) -> Generator[list[EmbeddingResult], None, None]:
        """Embed the files."""
        self._no_worker_since = monotonic()
        with contextlib.ExitStack() as stack:
            stack.callback(self._pool.stop_all)
            for _ in range(self._n_workers):
                self._pool.start()
            while not self._queue.is_done:
                results = self._next_results()
                if results:
                    yield results
                if self._failure is not None:
                    raise self._failure

    def _next_results(self) -> list[EmbeddingResult]:
        """Wait up to a second for results, and return them."""
        results: list[EmbeddingResult] = []
        for worker, polled in self._pool.poll_results(timeout_seconds=1.0):
            if isinstance(polled, Exception):
                results += self._replace(worker, polled)
                continue
            if not worker.has_started:
                self._n_failed_starts = 0
            worker.has_started, worker.is_polled = True, False
            worker.audio_seconds = polled.audio_seconds
            self._failure = self._failure or polled.error
            results += self._queue.complete(worker, polled.results)
        self._poll_workers()
        return results

    def _poll_workers(self) -> None:
        """Assign files to the workers, and poll those that have files."""
        started = [worker for worker in self._pool.workers if worker.has_started]
        for worker in started:
            if not worker.is_polled:
                paths = self._queue.assign(worker, n_workers=self._n_workers)
                if paths or self._queue.n_assigned(worker):
                    self._pool.submit_and_poll(worker, [self._task(path) for path in paths])
        if started:
            self._no_worker_since = monotonic()
        elif self._pool.is_lost:
            raise AudiosearchError(
                "The Ray cluster no longer answers.",
                hint="Files added so far are kept; once the cluster runs again, run the same "
                "command to continue.",
            )
        elif monotonic() - self._no_worker_since > self._timeout_seconds:
            raise AudiosearchError(
                f"No CPU of the Ray cluster became free within {self._timeout_seconds:.0f} s.",
                hint="Run `ray status` to see what it is doing. Files added so far are kept; run "
                "the same command again to continue.",
            )

    def _replace(self, worker: Worker, error: Exception) -> list[EmbeddingResult]:
        """Requeue the files of a lost worker and start another one; return files given up."""
        n_files = self._queue.n_assigned(worker)
        self._lost_audio_seconds += worker.audio_seconds
        self._pool.release(worker)
        self._n_failed_starts = 0 if worker.has_started else self._n_failed_starts + 1
        if n_files:
            log.warning("A worker was lost; other workers take over its %s files.", n_files)
        if self._n_failed_starts < _MAX_FAILED_STARTS:
            self._pool.start()
        elif not self._pool.workers:  # while other workers run, a bad node must not end the run
            raise _no_start(error) from error
        return [
            EmbeddingResult(path, error=_given_up(path)) for path in self._queue.requeue(worker)
        ]


def _given_up(path: str) -> AudioError:
    return AudioError(
        path,
        f"{MAX_LOSSES} workers were lost while embedding it",
        hint="Add it without --ray, or try again with --retry.",
    )


def _no_start(error: Exception) -> AudiosearchError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1].rstrip(".") if lines else type(error).__name__
    return AudiosearchError(
        f"No worker can start on the Ray cluster: {reason}.",
        hint=f"Run on every node: pip install 'audiosearch[ray]=={version('audiosearch')}'",
    )
