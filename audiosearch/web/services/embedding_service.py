"""Embeddings of uploaded files: decoded in separate processes, embedded by one network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from audiosearch import system
from audiosearch.audio.recording import AudioInfo
from audiosearch.audio.waveform import to_bytes
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.embedder import Embedding, clip_embedding
from audiosearch.embedding.pooling import RunningPool
from audiosearch.errors import AudioError, ModelError
from audiosearch.models.front_end import SAMPLE_RATE_HZ
from audiosearch.models.log_mel import patch_groups
from audiosearch.search.moments.clip import Clip
from audiosearch.search.moments.clips import CLIP_SECONDS, clip_of
from audiosearch.search.part_frames import PartFrames, stretch_of
from audiosearch.system import n_cores
from audiosearch.web.errors import unavailable
from audiosearch.web.limits import Limits
from audiosearch.web.services.shared_network import SharedNetwork
from audiosearch.web.transport.clients import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.embedding.decoder_worker import DecodeSummary, StretchEnd
    from audiosearch.embedding.stretches import Stretch
    from audiosearch.library.track import Track
    from audiosearch.models.registry import Model
    from audiosearch.search.options import TimeRange
    from audiosearch.types import Float32

T = TypeVar("T")

_BUSY = "Too many files are waiting."
_UNNAMED = "The file"  # in errors, if a file was sent without a name


@dataclass(eq=False, slots=True)
class _Work:
    """A file that a thread embeds, its name in errors, and the process that decodes it."""

    stream: BinaryIO
    name: str
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
    find_model : callable
        Returns the model, or raises a `ModelError`. Everything else works without a model.
    excerpt_seconds : float or None
        Embed only about this much of each file.
    limits : Limits
    """

    def __init__(
        self,
        find_model: Callable[[], Model],
        excerpt_seconds: float | None,
        *,
        limits: Limits,
    ) -> None:
        self._network = SharedNetwork(find_model)
        self._excerpt_seconds = excerpt_seconds
        self._limits = limits
        self._threads = ThreadPoolExecutor(n_cores(), thread_name_prefix="embedding")
        self._turns = asyncio.Semaphore(n_cores())
        self._n_waiting = 0
        self._active: set[_Work] = set()
        self._idle: list[DecoderProcess] = []

    def model_error(self) -> ModelError | None:
        """Load the model if needed, and return the reason if clips can't be embedded."""
        return self._network.error()

    async def problem(self) -> ModelError | None:
        """Return the error that clips can't be embedded; None if they can."""
        if self._network.is_loaded:
            return None
        error = await asyncio.to_thread(self.model_error)
        return None if error is None else _cant_embed(error)

    async def embed(
        self, stream: BinaryIO, part: TimeRange | None = None, *, name: str
    ) -> Embedding:
        """Embed the audio file in a stream that has a descriptor. Canceling stops its decoder.

        Parameters
        ----------
        stream : binary file
        part : TimeRange, optional
            Part of the file to embed. Default: all of it.
        name : str
            Name of the file in errors; may be empty.

        Raises
        ------
        AudioError
            If it can't be embedded.
        ModelError
            If the model is not on this machine, or can't be loaded.
        RequestError
            If too many uploads wait, or this one has waited too long.
        OSError
            If a temporary file can't be written.
        """
        embed = partial(self._embed_part, part=part, name=name) if part else self._embed_file
        return await self._in_turn(stream, name, embed)

    async def embed_with_waveform(self, stream: BinaryIO, *, name: str) -> tuple[Embedding, bytes]:
        """Embed a file like `embed`; also return its `audiosearch.audio.waveform.to_bytes`."""
        return await self._in_turn(stream, name, self._embed_with_waveform)

    async def clip(
        self,
        stream: BinaryIO,
        part: TimeRange | None = None,
        *,
        hop: float,
        track: Track | None = None,
        name: str,
    ) -> tuple[Clip, str | None]:
        """Decode and embed a file for a query for moments, like `embed`.

        Parameters
        ----------
        stream : binary file
        part : TimeRange, optional
            Part of the file to use. Default: all of it, or the middle of a long one.
        hop : float
            Seconds from one patch of a track to the next.
        track : Track, optional
            The track whose file it is.
        name : str
            Name of the file in errors; may be empty.

        Returns
        -------
        clip : Clip
        warning : str or None
            Fault of the file; None if it has none.

        Raises
        ------
        AudioError
            If it can't be embedded, or its part is longer than 10 minutes.
        ModelError, RequestError, OSError
            As for `embed`.
        """
        cut = partial(self._cut_clip, part=part, hop=hop, track=track, name=name)
        return await self._in_turn(stream, name, cut)

    async def _in_turn(
        self,
        stream: BinaryIO,
        name: str,
        function: Callable[[DecoderProcess, str | int], T],
    ) -> T:
        """Call a function with a decoder process and a readable file, when it is its turn."""
        if (problem := await self.problem()) is not None:
            raise problem
        await self._wait_for_turn()
        work = _Work(stream, name or _UNNAMED, self._idle.pop() if self._idle else None)
        self._active.add(work)
        try:
            run = partial(self._run, work, function)
            return await run_in_thread(self._threads, run, cancel=work.cancel)
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

    def _run(self, work: _Work, function: Callable[[DecoderProcess, str | int], T]) -> T:
        """Call a function with the process and the file of some work. Run by a thread."""
        work.process = work.process or DecoderProcess()
        if work.is_canceled:  # before there was a process to kill
            work.process.kill()
        started = time.monotonic()
        try:
            with _readable(work.stream) as file:
                return function(work.process, file)
        except AudioError as exc:
            is_late = time.monotonic() - started > self._limits.embedding_seconds
            hint = "Send an excerpt." if is_late else exc.hint
            raise AudioError(work.name, exc.reason, hint=hint) from exc
        except BaseException:  # the process may still decode a file that nobody waits for
            work.cancel()
            raise

    def _embed_file(self, process: DecoderProcess, file: str | int) -> Embedding:
        return self._embed_and_describe(process, file)[0]

    def _embed_and_describe(
        self, process: DecoderProcess, file: str | int
    ) -> tuple[Embedding, DecodeSummary]:
        pool = RunningPool()
        summary: Any = None
        messages = process.read(
            file,
            excerpt_seconds=self._excerpt_seconds,
            max_seconds=self._limits.embedding_seconds,
        )
        for message in messages:
            if isinstance(message, np.ndarray):
                pool.add(self._network(message))
            else:
                summary = message
        return clip_embedding(pool, self._network, clip=summary, path=""), summary

    def _embed_with_waveform(
        self, process: DecoderProcess, file: str | int
    ) -> tuple[Embedding, bytes]:
        end = time.monotonic() + self._limits.embedding_seconds
        embedding, summary = self._embed_and_describe(process, file)
        if summary.waveform:
            return embedding, summary.waveform
        # Only an excerpt was decoded.
        return embedding, to_bytes(process.peaks(file, max_seconds=end - time.monotonic()).values)

    def _embed_part(
        self, process: DecoderProcess, file: str | int, *, part: TimeRange, name: str
    ) -> Embedding:
        frames = self._frames(process, file, part, name)
        pool = RunningPool()
        for patches in patch_groups(frames):
            pool.add(self._network(patches))
        clip = _Part(AudioInfo(SAMPLE_RATE_HZ, 1, None, ""), frames.seconds, frames.warning)
        return clip_embedding(pool, self._network, clip=clip, path=name)

    def _cut_clip(
        self,
        process: DecoderProcess,
        file: str | int,
        *,
        part: TimeRange | None,
        hop: float,
        track: Track | None,
        name: str,
    ) -> tuple[Clip, str | None]:
        frames = self._frames(process, file, part, name)
        clip = clip_of(frames, self._network.vectors, hop=hop, name=name)
        warning = frames.warning and f"{name or _UNNAMED}: {frames.warning}"
        return replace(clip, path=track.path if track else "", track=track), warning

    def _frames(
        self, process: DecoderProcess, file: str | int, part: TimeRange | None, name: str
    ) -> PartFrames:
        source = _OneFile(process, file, self._limits.embedding_seconds)
        return PartFrames(source, stretch_of("", part, middle_seconds=CLIP_SECONDS), name=name)


def _cant_embed(error: ModelError) -> ModelError:
    """Return the error that clips can't be embedded, for the reason of another one."""
    reason = re.sub(r"^The ", "the ", str(error))
    return ModelError(f"The server can't embed clips: {reason}", hint=error.hint)


@dataclass(frozen=True, slots=True)
class _Part:
    """Facts about the part of a file: see `audiosearch.embedding.embedder.DecodedClip`."""

    info: AudioInfo
    seconds: float
    warning: str | None


@dataclass(frozen=True, slots=True)
class _OneFile:
    """Decodes stretches of one file with a process of its own."""

    process: DecoderProcess
    file: str | int
    max_seconds: float

    def stream(self, stretch: Stretch) -> Iterator[Float32 | StretchEnd]:
        """Yield the frames of a stretch, and a `StretchEnd` after them."""
        return self.process.read_stretches(
            self.file,
            [(stretch.start, stretch.seconds)],
            max_seconds=self.max_seconds,
            is_middle=stretch.is_middle,
        )


@contextlib.contextmanager
def _readable(stream: BinaryIO) -> Iterator[str | int]:
    """Yield the descriptor of a stream, or the path of a copy where descriptors can't be read."""
    if system.HAS_DESCRIPTOR_PATHS:
        descriptor = stream.fileno()  # writes a stream that is in memory to a nameless file
        stream.flush()
        yield descriptor
        return
    with tempfile.TemporaryDirectory(prefix="audiosearch-") as folder:
        path = os.path.join(folder, "upload")
        with open(path, "wb") as copy:
            shutil.copyfileobj(stream, copy)
        yield path
