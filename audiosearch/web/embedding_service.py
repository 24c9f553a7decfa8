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

import numpy as np

from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.embedder import Embedding, clip_embedding
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
        self._idle: LifoQueue[DecoderProcess] = LifoQueue()
        self._processes: list[DecoderProcess] = []

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
        for process in self._processes:
            process.close()
        self._threads.shutdown(cancel_futures=True)

    def _embed(self, stream: BinaryIO) -> Embedding:
        process = self._idle_process()
        try:
            with tempfile.NamedTemporaryFile(prefix="audiosearch-") as file:
                shutil.copyfileobj(stream, file)
                file.flush()
                embedding = self._embed_file(process, Path(file.name))
        except AudioError as exc:
            self._idle.put(process)
            raise AudioError(_NAME, exc.reason, hint=exc.hint) from exc
        except _TooLongError as exc:
            self._stop(process)
            hint = "Send an excerpt."
            raise AudioError(_NAME, "embedding it takes too long", hint=hint) from exc
        except BaseException:  # the process may still decode a file that nobody waits for
            self._stop(process)
            raise
        self._idle.put(process)
        return embedding

    def _stop(self, process: DecoderProcess) -> None:
        process.close()
        self._processes.remove(process)

    def _idle_process(self) -> DecoderProcess:
        try:
            return self._idle.get_nowait()
        except Empty:
            process = DecoderProcess()
            self._processes.append(process)
            return process

    def _embed_file(self, process: DecoderProcess, path: Path) -> Embedding:
        pool = RunningPool()
        summary: Any = None
        messages = process.read(str(path), excerpt_seconds=self._excerpt_seconds)
        deadline = time.monotonic() + self._max_seconds
        for message in messages:
            if time.monotonic() > deadline:
                raise _TooLongError
            if isinstance(message, np.ndarray):
                with self._lock:
                    pool.add(self._network(message))
            else:
                summary = message
        with self._lock:
            return clip_embedding(pool, self._network, clip=summary, path=str(path))
