"""Compute the spectral prints of many files, decoded by several processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.embedding.decoder_worker import DecodeSummary
from audiosearch.errors import AudioError
from audiosearch.models.spectral_print import PrintBuilder, SpectralPrint
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from audiosearch.audio.file_stat import FileStat

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
    """Compute the spectral prints of local files, and yield each when it is done.

    Parameters
    ----------
    paths : mapping of str to str
        By path, the path without symbolic links that the file must have; empty for any.
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
        return _read(own.decoder, path, paths[path])

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


def _read(decoder: DecoderProcess, path: str, real_path: str) -> PrintResult:
    builder = PrintBuilder()
    content_hashes: list[str] = []

    def is_new_content(file_stat: FileStat) -> bool:
        content_hashes.append(file_stat.content_hash)
        return True

    try:
        messages = decoder.read(
            path, excerpt_seconds=None, real_path=real_path, is_new_content=is_new_content
        )
        for message in messages:
            if isinstance(message, DecodeSummary):
                return PrintResult(path, content_hashes[0], builder.finish(message.seconds))
            if isinstance(message, np.ndarray):
                builder.add(message)
    except AudioError as exc:
        return PrintResult(path, error=exc)
    raise AssertionError  # the decoder ends with a summary or an error
