"""Workers that are lost before they begin: others go on, and are hired while that helps."""

import socket

import pytest

from audiosearch import AudiosearchError
from audiosearch.embedding.pipeline import EmbeddingResult
from audiosearch.ingest.ray.actor import Answer, Task
from audiosearch.ingest.ray.probe import is_missing
from audiosearch.ingest.ray.reader import RayResults, Worker
from audiosearch.ingest.ray.task_queue import TaskQueue

LOST = RuntimeError("The actor died.\nIt has no module named audiosearch")


class WorkerPool:
    """Workers, of whom those that are hired in some places are lost before they begin."""

    def __init__(self, begins, *, is_lost=False):
        self.is_lost = is_lost
        self._begins = iter(begins)
        self._answers = []
        self.n_hired = 0
        self.workers = []

    def start(self):
        worker = Worker(actor=None)
        self.n_hired += 1
        self.workers.append(worker)
        self._answers.append((worker, Answer([]) if next(self._begins) else LOST))

    def ask(self, worker, tasks):
        worker.owes_answer = True
        self._answers.append((worker, Answer([EmbeddingResult(task.path) for task in tasks])))

    def answers(self, timeout_seconds):
        return [self._answers.pop(0)]

    def release(self, worker):
        self.workers.remove(worker)

    def stop_all(self):
        self.workers.clear()


def read(pool, n_files, n_workers):
    queue = TaskQueue(f"{i}.wav" for i in range(n_files))
    readings = RayResults(queue, pool, Task, n_workers=n_workers)
    return sorted(reading.path for batch in readings for reading in batch)


@pytest.mark.parametrize(
    ("begins", "n_workers", "n_hired"),
    [
        pytest.param([True] + [False] * 4, 2, 4, id="one at work, three lost in its place"),
        pytest.param([False] * 3 + [True] * 7, 8, 10, id="three of one bad node before others"),
        pytest.param([False, False, True, False, False, True, True], 3, 7, id="luck between"),
        pytest.param([False, False, True], 1, 3, id="the third try"),
    ],
)
def test_lost_starts_end_nothing_where_others_begin(begins, n_workers, n_hired):
    pool = WorkerPool(begins)
    assert read(pool, 100, n_workers) == sorted(f"{i}.wav" for i in range(100))
    assert pool.n_hired == n_hired


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_where_none_begins_it_ends_in_a_sentence(n_workers):
    pool = WorkerPool([False] * 100)
    with pytest.raises(AudiosearchError, match=r"No worker starts on .* no module named"):
        read(pool, 100, n_workers)
    assert pool.n_hired == n_workers + 2


def test_a_cluster_that_is_lost_ends_it_at_once_and_what_was_read_is_told():
    pool = WorkerPool([True, False, False], is_lost=True)
    queue = TaskQueue(f"{i}.wav" for i in range(600))
    readings = iter(RayResults(queue, pool, Task, n_workers=1))
    first = next(readings)
    pool._answers = [(pool.workers[0], LOST)]
    with pytest.raises(AudiosearchError, match="does not answer any more") as caught:
        next(readings)
    assert first
    assert "goes on from there" in caught.value.hint


def test_what_nobody_listens_at_is_gone():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    assert is_missing(address)
