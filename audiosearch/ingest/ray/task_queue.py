"""Which files are with whom: each is done once, whoever is lost on the way."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from audiosearch.embedding.pipeline import EmbeddingResult

#: So many files are with one worker at most: a second's work, of sounds of a second.
MOST_HELD = 256
#: So many files may always be with one worker, so that it need not wait for the next.
FEWEST_HELD = 2
#: A file that was with so many workers when they were lost is not tried again.
MOST_LOSSES = 3


class TaskQueue:
    """Files to be done, and those that are with workers.

    The fewer files wait, the fewer are handed out at a time, so that all workers end together;
    yet twice as many as a worker tells of at a time, so that none waits for more.
    A file that was with all but one of `MOST_LOSSES` lost workers waits until all others are
    handed out, and goes to a worker that holds nothing else: if that one is lost too, the file
    is to blame, and no other.

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
        self._held: dict[Hashable, dict[str, None]] = {}
        self._pace: Counter[Hashable] = Counter()  # how many files a worker did at a time, lately

    @property
    def is_done(self) -> bool:
        """Whether every file was settled or given up."""
        return not (self._waiting or self._suspects or any(self._held.values()))

    def n_held(self, worker: Hashable) -> int:
        """Return how many files are with a worker."""
        return len(self._held.get(worker, ()))

    def assign(self, worker: Hashable, *, n_workers: int) -> list[str]:
        """Return the files that a worker is to do next, besides those it has.

        Parameters
        ----------
        worker : hashable
        n_workers : int
            How many share what waits.
        """
        held = self._held.setdefault(worker, {})
        if any(self._is_suspect(path) for path in held):
            return []
        if not held and not self._waiting and self._suspects:
            paths = [self._suspects.popleft()]
        else:
            share = len(self._waiting) // (2 * n_workers)
            fewest = max(FEWEST_HELD, 2 * self._pace[worker])
            n_free = min(MOST_HELD, max(fewest, share)) - len(held)
            n_paths = min(max(n_free, 0), len(self._waiting))
            paths = [self._waiting.popleft() for _ in range(n_paths)]
        held |= dict.fromkeys(paths)
        return paths

    def complete(
        self, worker: Hashable, readings: Iterable[EmbeddingResult]
    ) -> list[EmbeddingResult]:
        """Return the readings of files that are with a worker, and are so no more."""
        held = self._held.get(worker, {})
        settled = []
        for reading in readings:
            if reading.path in held:
                del held[reading.path]
                settled.append(reading)
        self._pace[worker] = len(settled) or self._pace[worker]
        return settled

    def requeue(self, worker: Hashable) -> list[str]:
        """Let the files of a worker be done by others; return those that are given up."""
        given_up = []
        again = []
        for path in self._held.pop(worker, {}):
            self._losses[path] += 1
            if self._losses[path] >= MOST_LOSSES:
                given_up.append(path)
            elif self._is_suspect(path):
                self._suspects.append(path)
            else:
                again.append(path)
        self._waiting.extendleft(reversed(again))
        return given_up

    def _is_suspect(self, path: str) -> bool:
        return self._losses[path] == MOST_LOSSES - 1
