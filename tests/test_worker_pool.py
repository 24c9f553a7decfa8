"""Workers that are lost before they start are replaced, as long as other workers start."""

import socket

import pytest

from audiosearch import AudiosearchError
from audiosearch.embedding.result import EmbeddingResult
from audiosearch.ingest.ray.actor import FileTask, PollResult
from audiosearch.ingest.ray.probe import is_closed
from audiosearch.ingest.ray.results import RayResults
from audiosearch.ingest.ray.task_queue import TaskQueue
from audiosearch.ingest.ray.worker_pool import Worker

LOST = RuntimeError("The actor died.\nIt has no module named audiosearch")


class FakeWorkerPool:
    """Worker pool in which ``starts`` tells whether each worker starts or is lost."""

    def __init__(self, starts, *, is_lost=False):
        self.is_lost = is_lost
        self._starts = iter(starts)
        self._poll_results = []
        self.n_started = 0
        self.workers = []

    def start(self):
        worker = Worker(actor=None)
        self.n_started += 1
        self.workers.append(worker)
        self._poll_results.append((worker, PollResult([]) if next(self._starts) else LOST))

    def submit_and_poll(self, worker, tasks):
        worker.is_polled = True
        results = [EmbeddingResult(task.path) for task in tasks]
        self._poll_results.append((worker, PollResult(results)))

    def poll_results(self, timeout_seconds):
        return [self._poll_results.pop(0)]

    def release(self, worker):
        self.workers.remove(worker)

    def stop_all(self):
        self.workers.clear()


def embed(pool, n_files, n_workers):
    """Return the paths of the results, in order."""
    queue = TaskQueue(f"{i}.wav" for i in range(n_files))
    batches = RayResults(queue, pool, FileTask, n_workers=n_workers)
    return sorted(result.path for batch in batches for result in batch)


@pytest.mark.parametrize(
    ("starts", "n_workers", "n_started"),
    [
        pytest.param([True] + [False] * 4, 2, 4, id="one works, three replacements are lost"),
        pytest.param([False] * 3 + [True] * 7, 8, 10, id="three of one bad node first"),
        pytest.param([False, False, True, False, False, True, True], 3, 7, id="lost and started"),
        pytest.param([False, False, True], 1, 3, id="only the third starts"),
    ],
)
def test_failed_starts_do_not_end_the_run_if_other_workers_start(starts, n_workers, n_started):
    pool = FakeWorkerPool(starts)
    assert embed(pool, 100, n_workers) == sorted(f"{i}.wav" for i in range(100))
    assert pool.n_started == n_started


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_the_run_ends_with_an_error_if_no_worker_starts(n_workers):
    pool = FakeWorkerPool([False] * 100)
    with pytest.raises(AudiosearchError, match=r"No worker can start on .* no module named"):
        embed(pool, 100, n_workers)
    assert pool.n_started == n_workers + 2


def test_a_lost_cluster_ends_the_run_after_the_results_so_far():
    pool = FakeWorkerPool([True, False, False], is_lost=True)
    queue = TaskQueue(f"{i}.wav" for i in range(600))
    batches = iter(RayResults(queue, pool, FileTask, n_workers=1))
    first = next(batches)
    pool._poll_results = [(pool.workers[0], LOST)]
    with pytest.raises(AudiosearchError, match="no longer answers") as caught:
        next(batches)
    assert first
    assert "run the same command to continue" in caught.value.hint


def test_an_address_without_a_server_is_closed():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
    assert is_closed(address)
