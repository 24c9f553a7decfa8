"""Uploaded sound as vectors: decoded apart, several at a time, by one network."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.decoder_worker import DecodeSummary
from audiosearch.embedding.embedder import Embedding, clip_embedding
from audiosearch.embedding.pooling import RunningPool
from audiosearch.errors import AudioError
from audiosearch.models.runtime import n_cores

if TYPE_CHECKING:
    from audiosearch.models.registry import Model

_NAME = "the file"  # what an upload is called in what is said of it


class _TooLongError(Exception):
    """A file that is given up, and with it the process that reads it."""


class EmbeddingService:
    """One network, loaded once, and as many processes that decode as there are cores.

    Those who ask at once are heard in the order in which they asked.

    Parameters
    ----------
    model : Model
    excerpt_seconds : float or None
        Hear only about that much of each file.
    most_seconds : float
        What hearing one file may take.

    Raises
    ------
    ModelError
        Where the model cannot be run.
    """

    def __init__(self, model: Model, excerpt_seconds: float | None, *, most_seconds: float) -> None:
        self._network = model.load()
        self._lock = threading.Lock()
        self._excerpt_seconds = excerpt_seconds
        self._most_seconds = most_seconds
        self._threads = ThreadPoolExecutor(n_cores(), thread_name_prefix="hearing")
        self._idle: LifoQueue[DecoderProcess] = LifoQueue()
        self._workers: list[DecoderProcess] = []

    async def embedding(self, stream: BinaryIO) -> Embedding:
        """Embed what a stream holds.

        Raises
        ------
        AudioError
            Where it cannot become an embedding.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._embedded, stream)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)

    def _embedded(self, stream: BinaryIO) -> Embedding:
        worker = self._worker()
        try:
            with tempfile.NamedTemporaryFile(prefix="audiosearch-") as file:
                shutil.copyfileobj(stream, file)
                file.flush()
                embedding = self._heard(worker, Path(file.name))
        except AudioError as exc:
            self._idle.put(worker)
            raise AudioError(_NAME, exc.reason, hint=exc.hint) from exc
        except _TooLongError as exc:
            self._dismiss(worker)
            hint = "Send an excerpt of it."
            raise AudioError(_NAME, "hearing it takes too long", hint=hint) from exc
        except BaseException:  # it may be in the midst of a file that nobody waits for
            self._dismiss(worker)
            raise
        self._idle.put(worker)
        return embedding

    def _dismiss(self, worker: DecoderProcess) -> None:
        worker.close()
        self._workers.remove(worker)

    def _worker(self) -> DecoderProcess:
        try:
            return self._idle.get_nowait()
        except Empty:
            worker = DecoderProcess()
            self._workers.append(worker)
            return worker

    def _heard(self, worker: DecoderProcess, path: Path) -> Embedding:
        pool = RunningPool()
        end: Any = None
        messages = worker.read(str(path), excerpt_seconds=self._excerpt_seconds)
        latest = time.monotonic() + self._most_seconds
        for message in messages:
            if time.monotonic() > latest:
                raise _TooLongError
            if isinstance(message, DecodeSummary):
                end = message
            else:
                with self._lock:
                    pool.add(self._network(message))
        with self._lock:
            return clip_embedding(pool, self._network, clip=end, path=str(path))
