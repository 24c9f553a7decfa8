"""The driver: hands files to listeners, and takes what became of them."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.embedding.pipeline import EmbeddingResult
from audiosearch.embedding.reader import Reader
from audiosearch.errors import AudioError, AudiosearchError
from audiosearch.ingest.ray.actor import EmbeddingActor, JobSpec, Task
from audiosearch.ingest.ray.probe import is_gone
from audiosearch.ingest.ray.task_queue import MOST_LOSSES, TaskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.audio.remote import InputFiles
    from audiosearch.ingest.ray.actor import Answer
    from audiosearch.models.registry import Model

#: So long may no worker be there before it is given up.
PATIENCE_SECONDS = 60.0

_MOST_FAILED_STARTS = 3
_CLOSING_SECONDS = 2.0
_HASH_LENGTH = 32

log = logging.getLogger(__name__)


class RayReader(Reader):
    """Reads local files, which each node must see at the same path, and URLs, on a cluster.

    Parameters
    ----------
    sources : InputFiles
        What is known of the URLs.
    n_workers : int
        How many read at a time, where the cluster has so many CPUs.
    patience_seconds : float
        How long there may be no worker at all.
    """

    def __init__(
        self, sources: InputFiles, *, n_workers: int, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        super().__init__(n_jobs=n_workers)
        self._sources = sources
        self._n_workers = n_workers
        self._patience_seconds = patience_seconds

    def readings(
        self,
        paths: Sequence[str],
        model: Model,
        *,
        excerpt_seconds: float | None,
        known: AbstractSet[str],
    ) -> RayResults:
        """Return files on their way to being read; those of ``known`` contents are not embedded."""
        import ray

        pool = WorkerPool(
            JobSpec(
                version("audiosearch"),
                model.name,
                model.weights_digest,
                ray.put(model.path.read_bytes()),
                excerpt_seconds,
            ),
            known,
        )
        return RayResults(
            TaskQueue(paths),
            pool,
            self._task,
            n_workers=max(1, min(self._n_workers, len(paths))),
            patience_seconds=self._patience_seconds,
        )

    def _task(self, path: str) -> Task:
        return Task(path, self._sources.listed.get(path))

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Return a file's size in bytes and its time of change in ns, or what stands for it."""
        return self._sources.size_and_time(path)

    def size_and_time_when_failed(self, error: AudioError) -> tuple[int, int] | None:
        """Return by what a file that failed is known not to have changed."""
        return self._sources.size_and_time_when_failed(error)


@dataclass(eq=False, slots=True)
class Worker:
    """A actor, as the driver sees it.

    Attributes
    ----------
    actor : ActorHandle
    has_begun : bool
        Whether it may be given files: one that is yet to find a CPU may wait for ever.
    owes_answer : bool
    audio_seconds : float
    """

    actor: Any
    has_begun: bool = False
    owes_answer: bool = True
    audio_seconds: float = 0.0


class WorkerPool:
    """Listeners, and the answers that they owe.

    Parameters
    ----------
    work : JobSpec
    known : set of str
        Content hashes of what need not be embedded.
    """

    def __init__(self, work: JobSpec, known: AbstractSet[str]) -> None:
        import ray

        hashes = sorted(h.encode() for h in known if len(h) == _HASH_LENGTH and h.isascii())
        self._ray = ray
        self._work = work
        self._known = ray.put(np.array(hashes, dtype=f"S{_HASH_LENGTH}"))
        self._actor_class = ray.remote(num_cpus=1, max_restarts=0)(EmbeddingActor)
        self._owed: dict[Any, Worker] = {}
        self._head = None if _is_by_client() else ray.get_runtime_context().gcs_address
        self.workers: list[Worker] = []

    @property
    def is_lost(self) -> bool:
        """Whether the cluster itself is gone."""
        return self._head is not None and is_gone(self._head)

    def start(self) -> None:
        """Ask for one more actor; it is heard from once the cluster has a CPU for it."""
        actor: Any = self._actor_class.options(scheduling_strategy="SPREAD").remote()
        worker = Worker(actor)
        self.workers.append(worker)
        self._owed[actor.begin.remote(self._work, self._known)] = worker

    def ask(self, worker: Worker, tasks: list[Task]) -> None:
        """Give a actor files to read, and ask what it has done."""
        worker.owes_answer = True
        self._owed[worker.actor.submit_and_poll.remote(tasks)] = worker

    def answers(self, timeout_seconds: float) -> list[tuple[Worker, Answer | Exception]]:
        """Wait for an answer, and return all there are; an error is of a actor that is lost."""
        owed = list(self._owed)
        found, _ = self._ray.wait(owed, num_returns=1, timeout=timeout_seconds)
        if found:
            found, _ = self._ray.wait(owed, num_returns=len(owed), timeout=0)
        return [(self._owed.pop(answer), self._received(answer)) for answer in found]

    def _received(self, answer: Any) -> Answer | Exception:
        from ray.exceptions import RayError, RayTaskError

        try:
            received: Answer = self._ray.get(answer)
        except RayTaskError:  # a bug
            raise
        except RayError as exc:
            return exc
        return received

    def release(self, worker: Worker) -> None:
        """End a actor, whatever it is at."""
        self._owed = {answer: owing for answer, owing in self._owed.items() if owing is not worker}
        self.workers.remove(worker)
        self._ray.kill(worker.actor)

    def stop_all(self) -> None:
        """End all listeners."""
        if not self._ray.is_initialized() or self.is_lost:  # of which Ray says nothing for a minute
            return
        begun = [worker.actor.close.remote() for worker in self.workers if worker.has_begun]
        if begun:
            self._ray.wait(begun, num_returns=len(begun), timeout=_CLOSING_SECONDS)
        for worker in list(self.workers):
            self.release(worker)


def _is_by_client() -> bool:
    """Return whether Ray is spoken to by ray://, from where its head may not be seen."""
    from ray.util import client

    return bool(client.ray.is_connected())  # type: ignore[no-untyped-call]


class RayResults:
    """Files in, readings out, as of `audiosearch.embedding.pipeline.Pipeline`.

    Parameters
    ----------
    queue : TaskQueue
    pool : WorkerPool
    task : callable
        What to hand out for a path.
    n_workers : int
    patience_seconds : float

    Raises
    ------
    AudiosearchError
        On iterating, where a actor cannot begin, or none is there for too long.
    """

    def __init__(
        self,
        queue: TaskQueue,
        pool: WorkerPool,
        task: Callable[[str], Task],
        *,
        n_workers: int,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._queue = queue
        self._pool = pool
        self._task = task
        self._n_workers = n_workers
        self._patience_seconds = patience_seconds
        self._n_failed_starts = 0
        self._heard_before = 0.0  # by listeners that were lost
        self._failure: AudiosearchError | None = None
        self._alone_since = monotonic()

    @property
    def audio_seconds(self) -> float:
        """How much sound went through the networks so far."""
        return self._heard_before + sum(worker.audio_seconds for worker in self._pool.workers)

    def __iter__(self) -> Generator[list[EmbeddingResult], None, None]:
        """Have the files embedded."""
        self._alone_since = monotonic()
        with contextlib.ExitStack() as stack:
            stack.callback(self._pool.stop_all)
            for _ in range(self._n_workers):
                self._pool.start()
            while not self._queue.is_done:
                readings = self._next()
                if readings:
                    yield readings
                if self._failure is not None:
                    raise self._failure

    def _next(self) -> list[EmbeddingResult]:
        """Wait a little, and return what was read meanwhile."""
        readings: list[EmbeddingResult] = []
        for worker, answer in self._pool.answers(timeout_seconds=1.0):
            if isinstance(answer, Exception):
                readings += self._lost(worker, answer)
                continue
            if not worker.has_begun:
                self._n_failed_starts = 0
            worker.has_begun, worker.owes_answer = True, False
            worker.audio_seconds = answer.audio_seconds
            self._failure = self._failure or answer.error
            readings += self._queue.complete(worker, answer.readings)
        self._keep_busy()
        return readings

    def _keep_busy(self) -> None:
        """Ask whoever has files, or for whom there are some."""
        at_work = [worker for worker in self._pool.workers if worker.has_begun]
        for worker in at_work:
            if not worker.owes_answer:
                paths = self._queue.assign(worker, n_workers=self._n_workers)
                if paths or self._queue.n_held(worker):
                    self._pool.ask(worker, [self._task(path) for path in paths])
        if at_work:
            self._alone_since = monotonic()
        elif self._pool.is_lost:
            raise AudiosearchError(
                "The Ray cluster does not answer any more.",
                hint="What was added is kept; once it runs again, the same command goes on from "
                "there.",
            )
        elif monotonic() - self._alone_since > self._patience_seconds:
            raise AudiosearchError(
                f"No CPU of the Ray cluster came free within {self._patience_seconds:.0f} s.",
                hint="`ray status` shows what it is at. What was added is kept; the same command "
                "goes on from there.",
            )

    def _lost(self, worker: Worker, error: Exception) -> list[EmbeddingResult]:
        """Let others do the files of a actor; return what became of those given up."""
        n_files = self._queue.n_held(worker)
        self._heard_before += worker.audio_seconds
        self._pool.release(worker)
        self._n_failed_starts = 0 if worker.has_begun else self._n_failed_starts + 1
        if n_files:
            log.warning("A worker was lost; its files (%s) are done by others.", n_files)
        if self._n_failed_starts < _MOST_FAILED_STARTS:
            self._pool.start()
        elif not self._pool.workers:  # else one bad node would end what others go on with
            raise _no_start(error) from error
        return [
            EmbeddingResult(path, error=_given_up(path)) for path in self._queue.requeue(worker)
        ]


def _given_up(path: str) -> AudioError:
    return AudioError(
        path,
        f"{MOST_LOSSES} workers were lost while they had it",
        hint="Try it on its own, without --ray; or once more with --retry.",
    )


def _no_start(error: Exception) -> AudiosearchError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1].rstrip(".") if lines else type(error).__name__
    return AudiosearchError(
        f"No worker starts on the Ray cluster: {reason}.",
        hint=f"pip install 'audiosearch[ray]=={version('audiosearch')}' on every node.",
    )
