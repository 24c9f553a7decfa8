"""Embeddings of uploaded files: decoded in separate processes, embedded by one network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.embedder import Embedding, clip_embedding
from audiosearch.embedding.pooling import RunningPool
from audiosearch.errors import AudioError
from audiosearch.models.runtime import n_cores
from audiosearch.web.errors import unavailable
from audiosearch.web.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.models.registry import Model

_BUSY = "Too many files are waiting."
_NAME = "the file"  # name of an upload in error messages
_READS_DESCRIPTORS = os.path.isdir("/proc/self/fd")


@dataclass(eq=False, slots=True)
class _Work:
    """An upload that a thread embeds, and the process that decodes it."""

    stream: BinaryIO
    process: DecoderProcess | None
    is_canceled: bool = False

    def cancel(self) -> None:
        """Stop the decoder, which ends the work. May be called from any thread."""
        self.is_canceled = True
        if self.process is not None:
            self.process.kill()


class EmbeddingService:
    """One network, loaded once, and a decoder process per core.

    Uploads are embedded in the order in which they arrive.

    Parameters
    ----------
    model : Model
    excerpt_seconds : float or None
        Embed only about this much of each file.
    limits : Limits

    Raises
    ------
    ModelError
        If the model can't be loaded.
    """

    def __init__(self, model: Model, excerpt_seconds: float | None, *, limits: Limits) -> None:
        self._network = model.load()
        self._lock = threading.Lock()
        self._excerpt_seconds = excerpt_seconds
        self._limits = limits
        self._threads = ThreadPoolExecutor(n_cores(), thread_name_prefix="embedding")
        self._turns = asyncio.Semaphore(n_cores())
        self._n_waiting = 0
        self._active: set[_Work] = set()
        self._idle: list[DecoderProcess] = []

    async def embed(self, stream: BinaryIO) -> Embedding:
        """Embed the audio file in a stream that has a descriptor. Canceling stops its decoder.

        Raises
        ------
        AudioError
            If it can't be embedded.
        RequestError
            If too many uploads wait, or this one has waited too long.
        OSError
            If a temporary file can't be written.
        """
        await self._wait_for_turn()
        work = _Work(stream, self._idle.pop() if self._idle else None)
        self._active.add(work)
        try:
            done = asyncio.get_running_loop().run_in_executor(self._threads, self._embed, work)
            # Otherwise asyncio reports an error for which nobody waits, as when the server ends.
            done.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                work.cancel()
                await asyncio.wait([done])  # the stream is in use until then
                raise
        finally:
            self._end(work)

    def close(self) -> None:
        """Stop the decoder processes."""
        for work in self._active:
            work.cancel()
        for process in self._idle:
            process.close()
        self._threads.shutdown(cancel_futures=True)

    async def _wait_for_turn(self) -> None:
        if self._turns.locked() and self._n_waiting >= self._limits.waiting_uploads:
            raise unavailable(_BUSY)
        self._n_waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), self._limits.waiting_seconds)
        except (TimeoutError, asyncio.TimeoutError) as exc:
            raise unavailable(_BUSY) from exc
        finally:
            self._n_waiting -= 1

    def _end(self, work: _Work) -> None:
        """Keep the process of ended work for other work, and let the next upload begin."""
        self._active.remove(work)
        if work.process is not None:
            if work.is_canceled:
                work.process.close()
            else:
                self._idle.append(work.process)
        self._turns.release()

    def _embed(self, work: _Work) -> Embedding:
        """Embed an upload. Run by a thread."""
        work.process = work.process or DecoderProcess()
        if work.is_canceled:  # before there was a process to kill
            work.process.kill()
        started = time.monotonic()
        try:
            with _readable(work.stream) as file:
                return self._embed_file(work.process, file)
        except AudioError as exc:
            is_late = time.monotonic() - started > self._limits.embedding_seconds
            hint = "Send an excerpt." if is_late else exc.hint
            raise AudioError(_NAME, exc.reason, hint=hint) from exc
        except BaseException:  # the process may still decode a file that nobody waits for
            work.cancel()
            raise

    def _embed_file(self, process: DecoderProcess, file: str | int) -> Embedding:
        pool = RunningPool()
        summary: Any = None
        messages = process.read(
            file,
            excerpt_seconds=self._excerpt_seconds,
            max_seconds=self._limits.embedding_seconds,
        )
        for message in messages:
            if isinstance(message, np.ndarray):
                with self._lock:
                    pool.add(self._network(message))
            else:
                summary = message
        with self._lock:
            return clip_embedding(pool, self._network, clip=summary, path=_NAME)


@contextlib.contextmanager
def _readable(stream: BinaryIO) -> Iterator[str | int]:
    """Yield the descriptor of a stream, or the path of a copy where descriptors can't be read."""
    if _READS_DESCRIPTORS:
        descriptor = stream.fileno()  # writes a stream that is in memory to a nameless file
        stream.flush()
        yield descriptor
        return
    with tempfile.NamedTemporaryFile(prefix="audiosearch-") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield copy.name
