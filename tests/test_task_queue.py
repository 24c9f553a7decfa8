"""Which files are with whom: each done once, whoever is lost, and few at a time."""

import random

import pytest

from audiosearch.embedding.pipeline import EmbeddingResult
from audiosearch.ingest.ray.task_queue import FEWEST_HELD, MOST_HELD, TaskQueue


def paths(n_files):
    return [f"{i}.wav" for i in range(n_files)]


def readings(names):
    return [EmbeddingResult(name) for name in names]


def test_no_more_is_handed_out_than_a_worker_may_hold():
    queue = TaskQueue(paths(10_000))
    held = queue.assign("a", n_workers=2)
    assert len(held) == MOST_HELD
    assert queue.assign("a", n_workers=2) == []
    queue.complete("a", readings(held[:5]))
    assert len(queue.assign("a", n_workers=2)) == 5
    assert queue.n_held("a") == MOST_HELD


@pytest.mark.parametrize(("n_files", "n_held"), [(100, 25), (20, 5), (10, FEWEST_HELD), (2, 2)])
def test_the_fewer_wait_the_fewer_are_handed_out(n_files, n_held):
    assert len(TaskQueue(paths(n_files)).assign("a", n_workers=2)) == n_held


def test_a_worker_holds_twice_what_it_did_at_a_time_though_few_wait():
    queue = TaskQueue(paths(128))
    held = queue.assign("a", n_workers=2)
    queue.complete("a", readings(held))
    assert len(queue.assign("a", n_workers=2)) == 2 * len(held) == 64


def test_a_reading_counts_once_and_only_of_whom_the_file_is_with():
    queue = TaskQueue(paths(1))
    (path,) = queue.assign("lost", n_workers=2)
    queue.requeue("lost")
    assert queue.assign("other", n_workers=2) == [path]
    assert queue.complete("lost", readings([path])) == []
    assert queue.complete("other", readings([path])) == readings([path])
    assert queue.complete("other", readings([path])) == []
    assert queue.is_done


def test_what_a_lost_worker_had_is_done_before_what_waits():
    queue = TaskQueue(paths(100))
    had = queue.assign("a", n_workers=1)
    queue.requeue("a")
    assert queue.assign("b", n_workers=1)[: len(had)] == had


def test_a_file_that_takes_every_worker_with_it_is_given_up_and_no_other():
    queue, given_up, done = TaskQueue(paths(40)), [], []
    for worker in range(100):
        held = queue.assign(worker, n_workers=1)
        if "7.wav" in held:
            given_up += queue.requeue(worker)
        else:
            done += [reading.path for reading in queue.complete(worker, readings(held))]
    assert queue.is_done
    assert given_up == ["7.wav"]
    assert sorted([*done, *given_up]) == sorted(paths(40))


@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_lost_and_whenever_each_file_is_done_once(seed):
    rng = random.Random(seed)
    queue, settled = TaskQueue(paths(300)), []
    held = {worker: [] for worker in range(3)}
    n_workers_lost = 0
    while not queue.is_done:
        worker = rng.choice(list(held))
        held[worker] += queue.assign(worker, n_workers=3)
        assert queue.n_held(worker) == len(held[worker]) <= MOST_HELD
        if rng.random() < 0.1:
            settled += [(path, "given up") for path in queue.requeue(worker)]
            del held[worker]
            n_workers_lost += 1
            held[f"new {n_workers_lost}"] = []
        else:
            n_done = rng.randint(0, len(held[worker]))
            done, held[worker] = held[worker][:n_done], held[worker][n_done:]
            settled += [
                (reading.path, "read") for reading in queue.complete(worker, readings(done))
            ]
    assert sorted(path for path, _ in settled) == sorted(paths(300))
