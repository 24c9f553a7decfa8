"""Embed many files: decoded by several processes, embedded by one network.

Each of several threads takes one file after another, fetches it if it is at a URL, and has it
decoded into patches by a `DecoderProcess`. There are more threads than such processes: while some
files are decoded, the next ones are fetched. One more thread collects the patches of all files into
batches and runs the network, which releases Python's lock while it computes. The queue between them
is bounded, so that memory doesn't grow with the length or the number of files.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio import local_file
from audiosearch.embedding.batches import FileInProgress, PatchBatches
from audiosearch.embedding.decoder_process import TIMEOUT_SECONDS, DecoderProcess
from audiosearch.embedding.result import EmbeddingResult
from audiosearch.errors import AudioError
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    from audiosearch.audio.file_stat import FileStat
    from audiosearch.audio.tags import Tags
    from audiosearch.embedding.decoder_worker import DecodeSummary
    from audiosearch.models.registry import Model
    from audiosearch.models.runtime import Network
    from audiosearch.models.tagger import Tagger
    from audiosearch.types import Float32

    OpenLocal = Callable[..., AbstractContextManager[local_file.LocalFile]]
    LoadNetworks = Callable[..., tuple[Network, Tagger | None]]

_LINGER_SECONDS = 0.25  # time that a partly filled batch waits for more patches
_MAX_QUEUED_MESSAGES = 32  # from all decoders, of up to 16 patches (400 KB) each
_MAX_JOBS = 256
# Files that are opened at a time: an answer from far away may take longer than decoding a file.
_OPEN_FILES_PER_JOB = 4
_MAX_OPEN_FILES = 16  # unless there are more jobs
# At the end, threads may take this long. One that waits for a silent server is left to itself: it
# ends when the server answers, or is given up.
_STOP_SECONDS = 5.0


def load_networks(
    model: Model, *, n_threads: int, has_sounds: bool
) -> tuple[Network, Tagger | None]:
    """Load the network of a model, and the tagger if it is needed."""
    network = model.load(n_threads=n_threads, for_many_files=True)
    if not has_sounds:
        return network, None
    from audiosearch.models.tagger import Tagger

    return network, Tagger(model, n_threads=n_threads)


class Pipeline:
    """Embeds files, and yields results in the order in which files are done.

    Iterate over it once. Each step yields a list of all results that are ready.

    Parameters
    ----------
    paths : iterable of str
    model : Model
    excerpt_seconds : float, optional
        Embed only about this much of each file.
    n_jobs : int, optional
        Number of decoder processes, and of threads of the network. Default: the number of cores.
    known_hashes : container of str
        Hashes of files that need no embedding, of their content or their audio packets. Of a file
        with known audio, only the tags are read. Among files with the same content, only the first
        one is ever embedded.
    open_local : callable
        Returns a context manager that yields the local file for a path; it may raise an
        AudioError. The argument ``is_stopped`` tells it whether to give up, and ``large_copies``
        limits the copies of large files. Default: `audiosearch.audio.local_file.open_local`.
    has_sounds : bool
        Whether to find the sounds that are heard in the files.
    moment_hop : float, optional
        Keep the moments of each file, with this many seconds from one patch to the next.
    timeout_seconds : float
        Time limit for a small file; it grows with the size.
    load : callable
        Returns the networks, like `load_networks`. It is called in the thread that runs them.

    Raises
    ------
    ModelError
        While iterating, if the model can't be run.
    AudiosearchError
        While iterating, if no decoder process can be started.
    """

    def __init__(  # noqa: PLR0913
        self,
        paths: Iterable[str],
        model: Model,
        *,
        excerpt_seconds: float | None = None,
        n_jobs: int | None = None,
        known_hashes: Container[str] = (),
        open_local: OpenLocal = local_file.open_local,
        has_sounds: bool = False,
        moment_hop: float | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        load: LoadNetworks = load_networks,
    ) -> None:
        self._paths = iter(paths)
        self._excerpt_seconds = excerpt_seconds
        self._n_jobs = min(n_jobs or n_cores(), _MAX_JOBS)
        self._n_threads = max(
            self._n_jobs, min(_OPEN_FILES_PER_JOB * self._n_jobs, _MAX_OPEN_FILES)
        )
        self._known_hashes = known_hashes
        self._open_local = partial(open_local, large_copies=threading.Semaphore(self._n_jobs))
        self._timeout_seconds = timeout_seconds
        self._hop_seconds = moment_hop or PATCH_HOP_SECONDS
        self._batches = PatchBatches(
            partial(load, model, n_threads=self._n_jobs, has_sounds=has_sounds),
            self._finish,
            moment_hop=moment_hop,
        )
        self._paths_lock = threading.Lock()  # its own lock, because the next path may take long
        self._lock = threading.Lock()  # for the two dictionaries by content hash
        self._duplicates: dict[str, list[EmbeddingResult]] = {}  # of files in progress
        self._embedded_paths: dict[str, str] = {}
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._decoders: list[DecoderProcess] = []
        # Those that are free; None for each that isn't needed yet.
        self._free_decoders: queue.LifoQueue[DecoderProcess | None] = queue.LifoQueue()
        for _ in range(self._n_jobs):
            self._free_decoders.put(None)
        self._messages: queue.Queue[
            tuple[FileInProgress, Float32 | DecodeSummary | Tags | AudioError] | None
        ] = queue.Queue(_MAX_QUEUED_MESSAGES)
        self._results: queue.SimpleQueue[EmbeddingResult | BaseException | None]
        self._results = queue.SimpleQueue()

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio that went through the network so far."""
        return self._batches.n_done * self._hop_seconds

    def __iter__(self) -> Generator[list[EmbeddingResult], None, None]:
        """Embed the files."""
        decoding = [
            threading.Thread(target=self._decode_loop, daemon=True) for _ in range(self._n_threads)
        ]
        embedding = threading.Thread(target=self._embed_loop, daemon=True)
        for thread in (*decoding, embedding):
            thread.start()
        try:
            while results := self._ready_results():
                yield results
        finally:
            self._is_stopping = True
            for decoder in self._decoders:
                decoder.close()
            end = time.monotonic() + _STOP_SECONDS
            for thread in decoding:
                thread.join(max(0.0, end - time.monotonic()))
            if not any(thread.is_alive() for thread in decoding):
                embedding.join()

    def _ready_results(self) -> list[EmbeddingResult]:
        """Wait for a result, and return it and all other results that are ready; [] at the end."""
        results: list[EmbeddingResult] = []
        while not results or not self._results.empty():
            item = self._failure or self._results.get()
            if isinstance(item, BaseException):
                self._failure = item
                if results:  # return these first; the next call raises
                    break
                raise item
            if item is None:
                self._results.put(None)
                break
            results.append(item)
        return results

    # Run by each decoding thread

    def _decode_loop(self) -> None:
        try:
            while (path := self._next_path()) is not None:
                self._decode(path)
        except BaseException as exc:  # noqa: BLE001  (raised again where results are read)
            self._results.put(exc)
        finally:
            self._messages.put(None)

    def _next_path(self) -> str | None:
        with self._paths_lock:
            return None if self._is_stopping else next(self._paths, None)

    @contextlib.contextmanager
    def _decoder(self) -> Iterator[DecoderProcess]:
        """Wait for a decoder process that is free, and yield it."""
        decoder = self._free_decoders.get()
        try:
            decoder = decoder or self._new_decoder()
            yield decoder
        finally:
            self._free_decoders.put(decoder)

    def _new_decoder(self) -> DecoderProcess:
        decoder = DecoderProcess(timeout_seconds=self._timeout_seconds)
        self._decoders.append(decoder)
        if self._is_stopping:
            decoder.close()
        return decoder

    def _decode(self, path: str) -> None:
        file = FileInProgress(path)
        end: DecodeSummary | Tags | AudioError | None = None

        def is_new_content(file_stat: FileStat) -> bool:
            return self._is_new_content(file, local.original_stat(file_stat))

        def is_new_audio(audio_hash: str) -> bool:
            file.add_audio_hash(audio_hash)
            return audio_hash not in self._known_hashes

        try:
            opened = self._open_local(path, is_stopped=lambda: self._is_stopping)
            with opened as local, self._decoder() as decoder:
                messages = decoder.read(
                    local.source,
                    name=path,
                    fetch=local.fetch,
                    excerpt_seconds=self._excerpt_seconds,
                    moment_hop=self._batches.moment_hop,
                    real_path=local.real_path,
                    is_new_content=is_new_content,
                    is_new_audio=is_new_audio,
                )
                for message in messages:
                    if isinstance(message, np.ndarray):
                        self._messages.put((file, message))
                    else:
                        end = message
        except AudioError as exc:
            end = exc.at(path)
        if end is not None:  # the file isn't a copy of another
            self._messages.put((file, end))

    def _is_new_content(self, file: FileInProgress, file_stat: FileStat) -> bool:
        """Return whether a file must be embedded. If not, handle its result as a duplicate."""
        content_hash = file_stat.content_hash
        result = EmbeddingResult(file.path, file_stat)
        if not content_hash:  # the file is fetched in parts
            file.file_stat = file_stat
            return True
        with self._lock:
            duplicates = self._duplicates.get(content_hash)
            embedded_path = self._embedded_paths.get(content_hash)
            if duplicates is not None:
                duplicates.append(result)
                return False
            if embedded_path is not None or content_hash in self._known_hashes:
                self._results.put(replace(result, duplicate_of=embedded_path))
                return False
            self._duplicates[content_hash] = []
            file.file_stat = file_stat
            return True

    # Run by the network's thread

    def _embed_loop(self) -> None:
        batches = self._batches
        n_decoding_threads = self._n_threads
        try:
            while n_decoding_threads:
                try:
                    timeout = _LINGER_SECONDS if batches.n_pending else None
                    item = self._messages.get(timeout=timeout)
                except queue.Empty:
                    batches.flush()
                    continue
                if item is None:
                    n_decoding_threads -= 1
                elif not self._is_stopping:
                    batches.add(*item)
            batches.flush()
        except BaseException as exc:  # noqa: BLE001  (raised again where results are read)
            self._results.put(exc)
            while n_decoding_threads:
                n_decoding_threads -= self._messages.get() is None
        self._results.put(None)

    def _finish(self, file: FileInProgress) -> None:
        """Queue the result of a file and the results of all files with the same content."""
        result = file.result(self._batches)
        self._results.put(result)
        if file.file_stat is None or not file.file_stat.content_hash:
            return
        with self._lock:
            duplicates = self._duplicates.pop(file.file_stat.content_hash)
            if result.embedding is not None:
                self._embedded_paths[file.file_stat.content_hash] = file.path
        for duplicate in duplicates:
            error = result.error and result.error.at(duplicate.path)
            self._results.put(replace(duplicate, duplicate_of=file.path, error=error))
