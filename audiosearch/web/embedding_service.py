"""Embeddings of uploaded files: decoded in separate processes, embedded by one network."""

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

from audiosearch.embedding.decoder_process import Worker
from audiosearch.embedding.decoder_worker import DecodeSummary
from audiosearch.embedding.embedder import Embedding, file_embedding, unit_vector
from audiosearch.embedding.pooling import RunningPool
from audiosearch.errors import AudioError
from audiosearch.models.runtime import n_cores

if TYPE_CHECKING:
    from audiosearch.models.registry import Model

_NAME = "the file"  # name of an upload in error messages


class _TooLongError(Exception):
    """Embedding a file exceeds the time limit."""


class EmbeddingService:
    """One network, loaded once, and a decoder process per core.

    Uploads are embedded in the order in which they arrive.

    Parameters
    ----------
    model : Model
    excerpt_seconds : float or None
        Embed only about this much of each file.
    max_seconds : float
        Time limit per file.

    Raises
    ------
    ModelError
        If the model can't be loaded.
    """

    def __init__(self, model: Model, excerpt_seconds: float | None, *, max_seconds: float) -> None:
        self._network = model.load()
        self._lock = threading.Lock()
        self._excerpt_seconds = excerpt_seconds
        self._max_seconds = max_seconds
        self._threads = ThreadPoolExecutor(n_cores(), thread_name_prefix="embedding")
        self._idle: LifoQueue[Worker] = LifoQueue()
        self._workers: list[Worker] = []

    async def embed(self, stream: BinaryIO) -> Embedding:
        """Embed the audio file in a stream.

        Raises
        ------
        AudioError
            If it can't be embedded.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._embed, stream)

    def close(self) -> None:
        """Stop the decoder processes."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)

    def _embed(self, stream: BinaryIO) -> Embedding:
        worker = self._worker()
        try:
            with tempfile.NamedTemporaryFile(prefix="audiosearch-") as file:
                shutil.copyfileobj(stream, file)
                file.flush()
                embedding = self._embed_file(worker, Path(file.name))
        except AudioError as exc:
            self._idle.put(worker)
            raise AudioError(_NAME, exc.reason, hint=exc.hint) from exc
        except _TooLongError as exc:
            self._stop(worker)
            hint = "Send an excerpt."
            raise AudioError(_NAME, "embedding it takes too long", hint=hint) from exc
        except BaseException:  # the process may still decode a file that nobody waits for
            self._stop(worker)
            raise
        self._idle.put(worker)
        return embedding

    def _stop(self, worker: Worker) -> None:
        worker.close()
        self._workers.remove(worker)

    def _worker(self) -> Worker:
        try:
            return self._idle.get_nowait()
        except Empty:
            worker = Worker()
            self._workers.append(worker)
            return worker

    def _embed_file(self, worker: Worker, path: Path) -> Embedding:
        pool = RunningPool()
        summary: Any = None
        messages = worker.read(
            str(path), excerpt_seconds=self._excerpt_seconds, wanted=lambda _: True
        )
        deadline = time.monotonic() + self._max_seconds
        for message in messages:
            if time.monotonic() > deadline:
                raise _TooLongError
            if isinstance(message, DecodeSummary):
                summary = message
            else:
                with self._lock:
                    pool.add(self._network(message))
        with self._lock:
            vector = unit_vector(str(path), file_embedding(self._network, pool))
        return Embedding(vector, summary.info, summary.seconds, summary.warning)
