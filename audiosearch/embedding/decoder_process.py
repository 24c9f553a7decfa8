"""Decoding in a separate process: if a decoder crashes, hangs or fills memory, one file fails."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from audiosearch import child_process
from audiosearch.audio.file_stat import FileStat
from audiosearch.audio.tags import Tags
from audiosearch.embedding.decoder_worker import (
    AudioHash,
    DecodeRequest,
    DecodeSummary,
    FileOpened,
)
from audiosearch.errors import AudioError, AudiosearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.types import Float32

#: Time limit for decoding a file, in seconds; the file's own length is added to it.
TIMEOUT_SECONDS = 60.0

_MIN_DISK_SPEED = 1e6  # bytes per second, for each of many processes that read at once
_MAX_POLL_MS = 2**31 - 1
_MIN_BYTES_PER_SECOND, _ASSUMED_BYTES_PER_SECOND = 125.0, 2_000.0  # of audio files
_SEND_BUFFER_BYTES = 1 << 20  # two messages, so that decoding goes on while one is being read
_HINT = "Export it again from a program that can play it, or try again with --retry."
#: Environment of decoder processes. They share the cores, so each uses one thread: by default
#: OpenBLAS takes ten times as much CPU time as its threads save. By default glibc also returns
#: large arrays to the system at once, and allocating them again takes a fifth of all time.
ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT |= dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(64 << 20))


class DecoderProcess:
    """A child process that decodes files, one at a time. If it dies, the next file restarts it.

    Parameters
    ----------
    timeout_seconds : float
        Time limit for a file; the file's own length is added to it.

    Raises
    ------
    AudiosearchError
        If the process can't be started.
    """

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._closing = threading.Lock()  # `close` is called from another thread
        self._is_closed = False
        self._start()

    def read(
        self,
        path: str,
        *,
        excerpt_seconds: float | None,
        real_path: str = "",
        is_new_content: Callable[[FileStat], bool] = lambda _: True,
        is_new_audio: Callable[[str], bool] | None = None,
    ) -> Iterator[Float32 | DecodeSummary | Tags]:
        """Decode a file.

        Parameters
        ----------
        path : str
        excerpt_seconds : float or None
            Decode only about this much of the file; None for all of it.
        real_path : str
            Path without symbolic links that the file must have; empty for any.
        is_new_content : callable
            Receives the file's size, modification time and content hash. If it returns False, the
            file is not decoded and nothing is yielded. Default: always decode.
        is_new_audio : callable, optional
            Receives the hash of the file's audio packets. If it returns False, the file is not
            decoded and only its tags are yielded. Default: always decode.

        Yields
        ------
        ndarray of float32, shape (n_patches, 96, 64)
            Log-mel patches; at least one array.
        DecodeSummary or Tags
            Last: facts about the file, or the tags of a file that is not decoded.

        Raises
        ------
        AudioError
            If the file can't be decoded, takes too long, or its decoder crashes.
        """
        if self._process.poll() is not None:
            self._start()
        size = _size(path)
        left_seconds = self._timeout_seconds + size / _MIN_DISK_SPEED
        has_audio_hash = is_new_audio is not None
        absolute = os.path.abspath(path)
        self._send(path, DecodeRequest(absolute, excerpt_seconds, has_audio_hash, real_path))
        while True:
            message, left_seconds = self._receive(path, left_seconds)
            if isinstance(message, AudioError):
                raise AudioError(path, message.reason, hint=message.hint)
            if isinstance(message, FileStat):
                self._send(path, is_new := is_new_content(message))
                if not is_new:
                    return
            elif isinstance(message, AudioHash):
                self._send(path, is_new_audio is None or is_new_audio(message.digest))
            elif isinstance(message, FileOpened):
                left_seconds += _plausible_seconds(message.seconds, size)
            else:
                yield message
                if isinstance(message, (DecodeSummary, Tags)):
                    return

    def close(self) -> None:
        """Kill the process, even if it is decoding. May be called from any thread."""
        with self._closing:
            self._is_closed = True
            self._process.kill()
            self._process.wait()

    def _send(self, path: str, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError as exc:
            raise AudioError(path, self._exit_reason(), hint=_HINT) from exc

    def _receive(self, path: str, left_seconds: float) -> tuple[Any, float]:
        """Wait for a message; return it and the seconds that remain of the file's time limit."""
        started = time.monotonic()
        if not self._poll.poll(min(max(0.0, 1e3 * left_seconds), _MAX_POLL_MS)):
            self._stop()
            raise AudioError(path, "decoding it takes too long", hint=_HINT)
        try:
            message = self._connection.recv()
        except (EOFError, OSError) as exc:  # OSError: the process died while sending a message
            raise AudioError(path, self._exit_reason(), hint=_HINT) from exc
        return message, left_seconds - (time.monotonic() - started)

    def _start(self) -> None:
        try:
            self._launch()
        except OSError as exc:
            raise AudiosearchError(
                f"Can't start a decoder process: {exc.strerror or exc}.",
                hint="Use fewer decoder processes: set a lower number with -j.",
            ) from exc
        try:
            self._connection.recv()
        except (EOFError, OSError) as exc:
            raise AudiosearchError(
                f"A decoder process failed to start: {self._exit_reason()}.",
                hint="Set AUDIOSEARCH_DEBUG=1 to see its output.",
            ) from exc

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        with contextlib.ExitStack() as on_failure, theirs, self._closing:
            on_failure.callback(ours.close)
            if self._is_closed:
                raise ConnectionAbortedError
            fd = theirs.fileno()
            self._process = child_process.start(
                *("audiosearch.embedding.decoder_worker", str(fd)),
                variables=ENVIRONMENT,
                pass_fds=[fd],
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("AUDIOSEARCH_DEBUG") else subprocess.DEVNULL,
            )
            on_failure.pop_all()
        self._poll = select.poll()  # made once; `Connection.poll` makes one for each message
        self._poll.register(ours, select.POLLIN)
        self._connection = Connection(ours.detach())

    def _exit_reason(self) -> str:
        """Stop the process and return why it ended."""
        status = self._stop()
        if status == -signal.SIGKILL:
            return "its decoder was killed, perhaps because memory ran out"
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"its decoder crashed ({cause})"

    def _stop(self) -> int:
        self._process.kill()
        self._connection.close()
        return self._process.wait()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # the process will report the error
        return 0


def _plausible_seconds(declared: float | None, size: int) -> float:
    """Return the declared length, limited to what is plausible for the size in bytes."""
    if declared is None:
        return size / _ASSUMED_BYTES_PER_SECOND
    return min(declared, size / _MIN_BYTES_PER_SECOND)
