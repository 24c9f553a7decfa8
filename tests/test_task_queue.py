"""The task queue assigns a bounded number of files, and each is completed once."""

import random

import pytest

from audiosearch.embedding.result import EmbeddingResult
from audiosearch.ingest.ray.task_queue import MAX_ASSIGNED, MIN_ASSIGNED, TaskQueue


def paths(n_files):
    return [f"{i}.wav" for i in range(n_files)]


def results(names):
    return [EmbeddingResult(name) for name in names]


def test_a_worker_is_never_assigned_more_than_the_maximum():
    queue = TaskQueue(paths(10_000))
    assigned = queue.assign("a", n_workers=2)
    assert len(assigned) == MAX_ASSIGNED
    assert queue.assign("a", n_workers=2) == []
    queue.complete("a", results(assigned[:5]))
    assert len(queue.assign("a", n_workers=2)) == 5
    assert queue.n_assigned("a") == MAX_ASSIGNED


@pytest.mark.parametrize(
    ("n_files", "n_assigned"), [(100, 25), (20, 5), (10, MIN_ASSIGNED), (2, 2)]
)
def test_the_fewer_files_wait_the_fewer_are_assigned(n_files, n_assigned):
    assert len(TaskQueue(paths(n_files)).assign("a", n_workers=2)) == n_assigned


def test_a_worker_is_assigned_twice_as_many_files_as_it_completed_last():
    queue = TaskQueue(paths(128))
    assigned = queue.assign("a", n_workers=2)
    queue.complete("a", results(assigned))
    assert len(queue.assign("a", n_workers=2)) == 2 * len(assigned) == 64


def test_a_result_counts_once_and_only_from_the_assigned_worker():
    queue = TaskQueue(paths(1))
    (path,) = queue.assign("lost", n_workers=2)
    queue.requeue("lost")
    assert queue.assign("other", n_workers=2) == [path]
    assert queue.complete("lost", results([path])) == []
    assert queue.complete("other", results([path])) == results([path])
    assert queue.complete("other", results([path])) == []
    assert queue.is_done


def test_files_of_a_lost_worker_come_before_waiting_files():
    queue = TaskQueue(paths(100))
    lost = queue.assign("a", n_workers=1)
    queue.requeue("a")
    assert queue.assign("b", n_workers=1)[: len(lost)] == lost


def test_a_file_that_crashes_every_worker_is_given_up_and_no_other():
    queue, given_up, done = TaskQueue(paths(40)), [], []
    for worker in range(100):
        assigned = queue.assign(worker, n_workers=1)
        if "7.wav" in assigned:
            given_up += queue.requeue(worker)
        else:
            done += [result.path for result in queue.complete(worker, results(assigned))]
    assert queue.is_done
    assert given_up == ["7.wav"]
    assert sorted([*done, *given_up]) == sorted(paths(40))


@pytest.mark.parametrize("seed", range(20))
def test_each_file_is_completed_once_whichever_workers_are_lost(seed):
    rng = random.Random(seed)
    queue, finished = TaskQueue(paths(300)), []
    assigned = {worker: [] for worker in range(3)}
    n_lost_workers = 0
    while not queue.is_done:
        worker = rng.choice(list(assigned))
        assigned[worker] += queue.assign(worker, n_workers=3)
        assert queue.n_assigned(worker) == len(assigned[worker]) <= MAX_ASSIGNED
        if rng.random() < 0.1:
            finished += [(path, "given up") for path in queue.requeue(worker)]
            del assigned[worker]
            n_lost_workers += 1
            assigned[f"new {n_lost_workers}"] = []
        else:
            n_done = rng.randint(0, len(assigned[worker]))
            done, assigned[worker] = assigned[worker][:n_done], assigned[worker][n_done:]
            finished += [
                (result.path, "embedded") for result in queue.complete(worker, results(done))
            ]
    assert sorted(path for path, _ in finished) == sorted(paths(300))
