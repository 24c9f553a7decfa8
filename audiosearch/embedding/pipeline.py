"""Many files at a time: read by processes apart, embedded in batches that span them.

Each *line* is a thread with a `Worker`, a process that decodes one file after another into
patches. One more thread fills batches with what comes of all lines and runs the network,
which lets go of Python's lock while it computes. What waits between them is bounded, so that
memory does not grow with the length or the number of files.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.tags import Tags
from audiosearch.embedding.decoder_process import PATIENCE_SECONDS, Worker
from audiosearch.embedding.decoder_worker import DecodeSummary, FileStat
from audiosearch.embedding.embedder import BATCH_PATCHES, Embedding, file_embedding, unit_vector
from audiosearch.embedding.pooling import RunningPool
from audiosearch.errors import AudioError
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.models.runtime import n_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterable
    from contextlib import AbstractContextManager

    from audiosearch.models.registry import Model
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32

_LINGER_SECONDS = 0.25  # so long a part-filled batch waits for more
_WAITING_MESSAGES = 32  # from all lines, of up to 16 patches (400 KB) each
_MOST_JOBS = 256
_NO_TAGS = Tags()


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """What became of one file.

    Attributes
    ----------
    path : str
    found : FileStat or None
        The file as it was; None where it could not even be opened.
    embedding : Embedding or None
        None where it failed, or where its content is known.
    tags : Tags
        Read where there is an embedding.
    duplicate_of : str or None
        The file of the same content that was embedded in its place.
    error : AudioError or None
        Why it failed.
    """

    path: str
    found: FileStat | None = None
    embedding: Embedding | None = None
    tags: Tags = _NO_TAGS
    duplicate_of: str | None = None
    error: AudioError | None = None


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that can be opened, in the place of one that was asked for.

    Attributes
    ----------
    path : str
        Of the file to open.
    size, mtime_ns : int or None
        What is to be told of the file that was asked for, where that is another than this one.
    """

    path: str
    size: int | None = None
    mtime_ns: int | None = None

    def told(self, found: FileStat) -> FileStat:
        """Return what was found, but for what is known better."""
        if self.size is None or self.mtime_ns is None:
            return found
        return replace(found, size=self.size, mtime_ns=self.mtime_ns)


def _itself(path: str) -> AbstractContextManager[LocalFile]:
    return contextlib.nullcontext(LocalFile(path))


@dataclass(slots=True, eq=False)
class _Job:
    """A file on its way: what was pooled of it, and how much waits for the network."""

    path: str
    found: FileStat | None = None
    pool: RunningPool = field(default_factory=RunningPool)
    n_waiting: int = 0
    end: DecodeSummary | AudioError | None = None

    def reading(self, batches: _Batches) -> EmbeddingResult:
        end = self.end
        if not isinstance(end, DecodeSummary):
            return EmbeddingResult(self.path, self.found, error=end)
        try:
            vector = unit_vector(self.path, file_embedding(batches.network, self.pool))
        except AudioError as exc:
            return EmbeddingResult(self.path, self.found, error=exc)
        embedding = Embedding(vector, end.info, end.seconds, end.warning)
        return EmbeddingResult(self.path, self.found, embedding, end.tags)


class Pipeline:
    """Files in, embeddings out, in the order in which they are done.

    Iterating, which can be done once, yields lists of readings: all that are ready.

    Parameters
    ----------
    paths : iterable of str
    model : Model
    excerpt_seconds : float, optional
        Embed only about that much of each file.
    n_jobs : int, optional
        How many processes read, and on how many threads the network runs: as many as there
        are cores, unless given.
    known : container of str
        Content hashes of files that need not be embedded. Of files of the same content in one
        run, only the first is, whatever this says.
    open_local : callable
        Gives, for as long as a block lasts, the file to open for a path; the path's own, unless
        given. Its errors are AudioErrors.
    patience_seconds : float
        What a file may take, besides as long as it lasts.

    Raises
    ------
    ModelError
        On iterating, where the model cannot be run.
    AudiosearchError
        On iterating, where no process can be started.
    """

    def __init__(
        self,
        paths: Iterable[str],
        model: Model,
        *,
        excerpt_seconds: float | None = None,
        n_jobs: int | None = None,
        known: Container[str] = (),
        open_local: Callable[[str], AbstractContextManager[LocalFile]] = _itself,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._paths = iter(paths)
        self._model = model
        self._excerpt_seconds = excerpt_seconds
        self._n_jobs = min(n_jobs or n_cores(), _MOST_JOBS)
        self._known = known
        self._open_local = open_local
        self._patience_seconds = patience_seconds
        self._batches = _Batches(self._network, self._finish)
        self._next = threading.Lock()  # apart: paths may keep whoever asks for one waiting
        self._lock = threading.Lock()
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._duplicates: dict[str, list[EmbeddingResult]] = {}  # of contents that are on their way
        self._heard: dict[str, str] = {}  # content hash to path
        self._workers: list[Worker] = []
        self._for_network: queue.Queue[tuple[_Job, Float32 | DecodeSummary | AudioError] | None]
        self._for_network = queue.Queue(_WAITING_MESSAGES)
        self._done: queue.SimpleQueue[EmbeddingResult | BaseException | None] = queue.SimpleQueue()

    @property
    def audio_seconds(self) -> float:
        """How much sound went through the network so far."""
        return self._batches.n_done * PATCH_HOP_SECONDS

    def __iter__(self) -> Generator[list[EmbeddingResult], None, None]:
        """Embed the files."""
        threads = [
            threading.Thread(target=self._decode_loop, daemon=True) for _ in range(self._n_jobs)
        ]
        threads.append(threading.Thread(target=self._embed_all, daemon=True))
        for thread in threads:
            thread.start()
        try:
            while readings := self._ready():
                yield readings
        finally:
            self._is_stopping = True
            for worker in self._workers:
                worker.close()
            for thread in threads:
                thread.join()

    def _ready(self) -> list[EmbeddingResult]:
        """Wait for a reading, and return it with those behind it; none at the end."""
        readings: list[EmbeddingResult] = []
        while not readings or not self._done.empty():
            item = self._failure or self._done.get()
            if isinstance(item, BaseException):
                self._failure = item
                if readings:  # which are not to be lost
                    break
                raise item
            if item is None:
                self._done.put(None)
                break
            readings.append(item)
        return readings

    # One thread a line

    def _decode_loop(self) -> None:
        worker = None
        try:
            while (path := self._next_path()) is not None:
                worker = worker or self._new_worker()
                self._read(worker, path)
        except BaseException as exc:  # noqa: BLE001  (for whoever iterates)
            self._done.put(exc)
        finally:
            if worker is not None:
                worker.close()
            self._for_network.put(None)

    def _next_path(self) -> str | None:
        with self._next:
            return None if self._is_stopping else next(self._paths, None)

    def _new_worker(self) -> Worker:
        worker = Worker(patience_seconds=self._patience_seconds)
        self._workers.append(worker)
        if self._is_stopping:
            worker.close()
        return worker

    def _read(self, worker: Worker, path: str) -> None:
        job = _Job(path)

        def wanted(found: FileStat) -> bool:
            found = file.told(found)
            reading = EmbeddingResult(path, found)
            with self._lock:
                duplicates = self._duplicates.get(found.content_hash)
                heard = self._heard.get(found.content_hash)
                if duplicates is not None:
                    duplicates.append(reading)
                elif heard is not None or found.content_hash in self._known:
                    self._done.put(replace(reading, duplicate_of=heard))
                else:
                    self._duplicates[found.content_hash] = []
                    job.found = found
            return job.found is not None

        try:
            with self._open_local(path) as file:
                messages = worker.read(
                    file.path, excerpt_seconds=self._excerpt_seconds, wanted=wanted
                )
                for message in messages:
                    self._for_network.put((job, message))
        except AudioError as exc:
            self._for_network.put((job, exc.of(path)))

    # One thread for the network

    def _network(self) -> Network:
        return self._model.load(n_threads=self._n_jobs)

    def _embed_all(self) -> None:
        batches = self._batches
        n_lines = self._n_jobs
        try:
            while n_lines:
                try:
                    linger = _LINGER_SECONDS if batches.n_waiting else None
                    item = self._for_network.get(timeout=linger)
                except queue.Empty:
                    batches.flush()
                    continue
                if item is None:
                    n_lines -= 1
                elif not self._is_stopping:
                    batches.add(*item)
            batches.flush()
        except BaseException as exc:  # noqa: BLE001  (for whoever iterates, who stops the lines)
            self._done.put(exc)
            while n_lines:
                n_lines -= self._for_network.get() is None
        self._done.put(None)

    def _finish(self, job: _Job) -> None:
        reading = job.reading(self._batches)
        self._done.put(reading)
        if job.found is None:
            return
        with self._lock:
            duplicates = self._duplicates.pop(job.found.content_hash)
            if reading.embedding is not None:
                self._heard[job.found.content_hash] = job.path
        for duplicate_of in duplicates:
            error = reading.error
            if error is not None:
                error = error.of(duplicate_of.path)
            self._done.put(replace(duplicate_of, duplicate_of=job.path, error=error))


class _Batches:
    """Patches of many files on their way through the network, 32 at a time."""

    def __init__(self, load: Callable[[], Network], finished: Callable[[_Job], None]) -> None:
        self._load = load
        self._finished = finished
        self._waiting: deque[tuple[_Job, Float32]] = deque()
        self.n_waiting = 0
        self.n_done = 0

    @cached_property
    def network(self) -> Network:
        return self._load()

    def add(self, job: _Job, message: Float32 | DecodeSummary | AudioError) -> None:
        if isinstance(message, np.ndarray):
            self._waiting.append((job, message))
            job.n_waiting += len(message)
            self.n_waiting += len(message)
            while self.n_waiting >= BATCH_PATCHES:
                self._run(BATCH_PATCHES)
        else:
            job.end = message
            if not job.n_waiting:
                self._finished(job)

    def flush(self) -> None:
        """Run what waits, though it fills no batch."""
        if self.n_waiting:
            self._run(self.n_waiting)

    def _run(self, n_patches: int) -> None:
        parts: list[tuple[_Job, Float32]] = []
        n_missing = n_patches
        while n_missing:
            job, patches = self._waiting.popleft()
            if len(patches) > n_missing:
                self._waiting.appendleft((job, patches[n_missing:]))
            parts.append((job, patches[:n_missing]))
            n_missing -= len(parts[-1][1])
        batch = [patches for _, patches in parts]
        values = self.network(batch[0] if len(batch) == 1 else np.concatenate(batch))
        self.n_waiting -= n_patches
        self.n_done += n_patches
        for job, patches in parts:
            job.pool.add(values[: len(patches)])
            values = values[len(patches) :]
            job.n_waiting -= len(patches)
            if job.end is not None and not job.n_waiting:
                self._finished(job)
