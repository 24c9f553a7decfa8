"""Queue of files to embed: each file is completed once, even if workers are lost."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from audiosearch.embedding.result import EmbeddingResult

#: Files assigned to one worker at most: a second of work if they are a second long.
MAX_ASSIGNED = 256
#: Files that may always be assigned to one worker, so that it needn't wait for more.
MIN_ASSIGNED = 2
#: A file is given up once this many workers were lost while it was assigned to them.
MAX_LOSSES = 3


class TaskQueue:
    """Files to embed, and the files assigned to each worker.

    The fewer files wait, the fewer are assigned at a time, so that all workers finish together.
    But a worker always gets twice as many files as it completes between two polls, so that it
    doesn't run out of files.

    A file that was assigned to `MAX_LOSSES` - 1 workers that were lost is a suspect. It waits
    until all other files are assigned, and goes to a worker that has no other file. If that
    worker is lost too, the file is given up, and no other file is affected.

    Parameters
    ----------
    paths : iterable of str

    Examples
    --------
    >>> queue = TaskQueue(["a", "b"])
    >>> queue.assign("first", n_workers=2), queue.assign("second", n_workers=2)
    (['a', 'b'], [])
    >>> queue.requeue("first"), queue.assign("second", n_workers=1)
    ([], ['a', 'b'])
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._waiting = deque(dict.fromkeys(paths))
        self._suspects: deque[str] = deque()
        self._losses: Counter[str] = Counter()
        self._assigned: dict[Hashable, dict[str, None]] = {}
        self._last_completed: Counter[Hashable] = Counter()  # files per poll, by worker

    @property
    def is_done(self) -> bool:
        """Whether every file is completed or given up."""
        return not (self._waiting or self._suspects or any(self._assigned.values()))

    def n_assigned(self, worker: Hashable) -> int:
        """Return the number of files assigned to a worker."""
        return len(self._assigned.get(worker, ()))

    def assign(self, worker: Hashable, *, n_workers: int) -> list[str]:
        """Assign more files to a worker, and return them.

        Parameters
        ----------
        worker : hashable
        n_workers : int
            Number of workers that share the waiting files.
        """
        assigned = self._assigned.setdefault(worker, {})
        if any(self._is_suspect(path) for path in assigned):
            return []
        if not assigned and not self._waiting and self._suspects:
            paths = [self._suspects.popleft()]
        else:
            share = len(self._waiting) // (2 * n_workers)
            minimum = max(MIN_ASSIGNED, 2 * self._last_completed[worker])
            n_free = min(MAX_ASSIGNED, max(minimum, share)) - len(assigned)
            n_paths = min(max(n_free, 0), len(self._waiting))
            paths = [self._waiting.popleft() for _ in range(n_paths)]
        assigned |= dict.fromkeys(paths)
        return paths

    def complete(
        self, worker: Hashable, results: Iterable[EmbeddingResult]
    ) -> list[EmbeddingResult]:
        """Complete files of a worker.

        Returns
        -------
        list of EmbeddingResult
            Results of files that were assigned to the worker. Other results are dropped.
        """
        assigned = self._assigned.get(worker, {})
        completed = []
        for result in results:
            if result.path in assigned:
                del assigned[result.path]
                completed.append(result)
        self._last_completed[worker] = len(completed) or self._last_completed[worker]
        return completed

    def requeue(self, worker: Hashable) -> list[str]:
        """Put the files of a lost worker back into the queue; return those that are given up."""
        given_up = []
        requeued = []
        for path in self._assigned.pop(worker, {}):
            self._losses[path] += 1
            if self._losses[path] >= MAX_LOSSES:
                given_up.append(path)
            elif self._is_suspect(path):
                self._suspects.append(path)
            else:
                requeued.append(path)
        self._waiting.extendleft(reversed(requeued))
        return given_up

    def _is_suspect(self, path: str) -> bool:
        return self._losses[path] == MAX_LOSSES - 1
