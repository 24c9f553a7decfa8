"""Uploaded sound as vectors: decoded apart, several at a time, by one network."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from audiosearch.errors import AudioError
from audiosearch.models.runtime import n_cores
from audiosearch.sound.embedder import Embedding, file_embedding, unit_vector
from audiosearch.sound.isolation import Worker
from audiosearch.sound.pooling import RunningPool
from audiosearch.sound.worker import Ended

if TYPE_CHECKING:
    from audiosearch.models.registry import Model

_NAME = "the file"  # what an upload is called in what is said of it


class Hearing:
    """One network, loaded once, and as many processes that decode as there are cores.

    Those who ask at once are heard in the order in which they asked.

    Parameters
    ----------
    model : Model
    excerpt_seconds : float or None
        Hear only about that much of each file.

    Raises
    ------
    ModelError
        Where the model cannot be run.
    """

    def __init__(self, model: Model, excerpt_seconds: float | None) -> None:
        self._network = model.load()
        self._lock = threading.Lock()
        self._excerpt_seconds = excerpt_seconds
        self._turn = asyncio.Semaphore(n_cores())
        self._idle: LifoQueue[Worker] = LifoQueue()
        self._workers: list[Worker] = []

    async def embedding(self, stream: BinaryIO) -> Embedding:
        """Embed what a stream holds.

        Raises
        ------
        AudioError
            Where it cannot become an embedding.
        """
        async with self._turn:
            return await asyncio.to_thread(self._embedded, stream)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()

    def _embedded(self, stream: BinaryIO) -> Embedding:
        worker = self._worker()
        try:
            with tempfile.NamedTemporaryFile(prefix="audiosearch-") as file:
                shutil.copyfileobj(stream, file)
                file.flush()
                return self._heard(worker, Path(file.name))
        except AudioError as exc:
            raise AudioError(_NAME, exc.reason, hint=exc.hint) from exc
        finally:
            self._idle.put(worker)

    def _worker(self) -> Worker:
        if self._idle.empty():
            self._workers.append(Worker())
            return self._workers[-1]
        return self._idle.get()

    def _heard(self, worker: Worker, path: Path) -> Embedding:
        pool = RunningPool()
        end: Any = None
        messages = worker.read(
            str(path), excerpt_seconds=self._excerpt_seconds, wanted=lambda _: True
        )
        for message in messages:
            if isinstance(message, Ended):
                end = message
            else:
                with self._lock:
                    pool.add(self._network(message))
        with self._lock:
            vector = unit_vector(str(path), file_embedding(self._network, pool))
        return Embedding(vector, end.info, end.seconds, end.warning)
