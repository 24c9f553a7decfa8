"""Compute the spectral prints of many files, decoded by several processes."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.local_file import open_local
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.decoder_worker import DecodeSummary
from audiosearch.errors import AudioError
from audiosearch.models.spectral_print import PrintBuilder, SpectralPrint
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from audiosearch.audio.file_stat import FileStat
    from audiosearch.audio.local_file import LocalFile

_MAX_JOBS = 256


@dataclass(frozen=True, slots=True)
class PrintResult:
    """Result of computing the spectral print of one file.

    Attributes
    ----------
    path : str
    content_hash : str
        Hash of the file's bytes; empty if it can't be read.
    spectral_print : SpectralPrint or None
        None for a file that failed.
    error : AudioError or None
        Reason why it failed.
    """

    path: str
    content_hash: str = ""
    spectral_print: SpectralPrint | None = None
    error: AudioError | None = None


def read_prints(
    paths: Mapping[str, str], *, n_jobs: int | None = None
) -> Generator[PrintResult, None, None]:
    """Compute the spectral prints of files, and yield each when it is done.

    Parameters
    ----------
    paths : mapping of str to str
        By path or URL, the path without symbolic links that the file must have; empty for any.
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.

    Raises
    ------
    AudiosearchError
        If no decoder process can be started.
    """
    decoders: list[DecoderProcess] = []
    own = threading.local()
    is_stopping = threading.Event()

    def read(path: str) -> PrintResult:
        if not hasattr(own, "decoder"):
            own.decoder = DecoderProcess()
            decoders.append(own.decoder)
        if is_stopping.is_set():
            own.decoder.close()
        with contextlib.ExitStack() as stack:
            try:
                local = stack.enter_context(open_local(path, is_stopped=is_stopping.is_set))
            except AudioError as exc:
                return PrintResult(path, error=exc)
            real_path = paths[path] if local.is_original else ""
            return _read(own.decoder, replace(local, real_path=real_path), path)

    n_threads = min(n_jobs or n_cores(), _MAX_JOBS, max(1, len(paths)))
    executor = ThreadPoolExecutor(n_threads)
    try:
        for future in as_completed([executor.submit(read, path) for path in paths]):
            yield future.result()
    finally:
        is_stopping.set()
        executor.shutdown(wait=False, cancel_futures=True)
        for decoder in decoders:
            decoder.close()
        executor.shutdown()


def _read(decoder: DecoderProcess, file: LocalFile, path: str) -> PrintResult:
    builder = PrintBuilder()
    content_hashes: list[str] = []

    def is_new_content(file_stat: FileStat) -> bool:
        content_hashes.append(file_stat.content_hash)
        return True

    try:
        messages = decoder.read(
            file.source,
            excerpt_seconds=None,
            real_path=file.real_path,
            is_new_content=is_new_content,
        )
        for message in messages:
            if isinstance(message, DecodeSummary):
                return PrintResult(path, content_hashes[0], builder.finish(message.seconds))
            if isinstance(message, np.ndarray):
                builder.add(message)
    except AudioError as exc:
        return PrintResult(path, error=exc.at(path))
    raise AssertionError  # the decoder ends with a summary or an error
