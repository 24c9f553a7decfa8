"""Workers on a Ray cluster, as the driver sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.ingest.ray.actor import EmbeddingActor
from audiosearch.ingest.ray.probe import is_closed

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from audiosearch.ingest.ray.actor import FileTask, JobSpec, PollResult

_CLOSE_SECONDS = 2.0
_HASH_LENGTH = 32


@dataclass(eq=False, slots=True)
class Worker:
    """A worker, as the driver sees it.

    Attributes
    ----------
    actor : ActorHandle
        Handle of its `EmbeddingActor`.
    has_started : bool
        Whether it can take files. A worker that waits for a free CPU may never start.
    is_polled : bool
        Whether the driver waits for a `PollResult`.
    audio_seconds : float
        Seconds of audio it has embedded.
    """

    actor: Any
    has_started: bool = False
    is_polled: bool = True
    audio_seconds: float = 0.0


class WorkerPool:
    """Workers of a job, and their pending poll results.

    Parameters
    ----------
    job : JobSpec
    known_hashes : set of str
        Hashes of content and of audio packets that need no embedding.

    Attributes
    ----------
    workers : list of Worker
        Workers that were started and not lost.
    """

    def __init__(self, job: JobSpec, known_hashes: AbstractSet[str]) -> None:
        import ray

        hashes = sorted(h.encode() for h in known_hashes if len(h) == _HASH_LENGTH and h.isascii())
        self._ray = ray
        self._job = job
        self._known_hashes = ray.put(np.array(hashes, dtype=f"S{_HASH_LENGTH}"))
        self._actor_class = ray.remote(num_cpus=1, max_restarts=0)(EmbeddingActor)
        self._pending: dict[Any, Worker] = {}  # by reference to the PollResult
        self._head_address = None if _uses_ray_client() else ray.get_runtime_context().gcs_address
        self.workers: list[Worker] = []

    @property
    def is_lost(self) -> bool:
        """Whether the head node of the cluster no longer answers."""
        return self._head_address is not None and is_closed(self._head_address)

    def start(self) -> None:
        """Request one more worker. It starts once the cluster has a free CPU."""
        actor: Any = self._actor_class.options(scheduling_strategy="SPREAD").remote()
        worker = Worker(actor)
        self.workers.append(worker)
        self._pending[actor.begin.remote(self._job, self._known_hashes)] = worker

    def submit_and_poll(self, worker: Worker, tasks: list[FileTask]) -> None:
        """Send files to a worker, and ask for its results."""
        worker.is_polled = True
        self._pending[worker.actor.submit_and_poll.remote(tasks)] = worker

    def poll_results(self, timeout_seconds: float) -> list[tuple[Worker, PollResult | Exception]]:
        """Wait for a poll result; return all results that have arrived.

        Returns
        -------
        list of (Worker, PollResult or Exception)
            An exception means that the worker is lost. Empty after the timeout.
        """
        pending = list(self._pending)
        ready, _ = self._ray.wait(pending, num_returns=1, timeout=timeout_seconds)
        if ready:
            ready, _ = self._ray.wait(pending, num_returns=len(pending), timeout=0)
        return [(self._pending.pop(reference), self._get(reference)) for reference in ready]

    def _get(self, reference: Any) -> PollResult | Exception:
        from ray.exceptions import RayError, RayTaskError

        try:
            result: PollResult = self._ray.get(reference)
        except RayTaskError:  # a bug in the actor
            raise
        except RayError as exc:
            return exc
        return result

    def release(self, worker: Worker) -> None:
        """Stop a worker, even if it is embedding."""
        self._pending = {
            reference: other for reference, other in self._pending.items() if other is not worker
        }
        self.workers.remove(worker)
        self._ray.kill(worker.actor)

    def stop_all(self) -> None:
        """Stop all workers."""
        if not self._ray.is_initialized() or self.is_lost:  # Ray would wait for a minute
            return
        closing = [worker.actor.close.remote() for worker in self.workers if worker.has_started]
        if closing:
            self._ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_SECONDS)
        for worker in list(self.workers):
            self.release(worker)


def _uses_ray_client() -> bool:
    """Return whether the connection uses ray://. Then the head node may be unreachable."""
    from ray.util import client

    return bool(client.ray.is_connected())  # type: ignore[no-untyped-call]
