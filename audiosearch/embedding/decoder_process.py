"""Files read by a process apart: what crashes, hangs or eats memory there costs one file."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosearch.embedding.decoder_worker import DecodeSummary, FileStat, Opened, Request
from audiosearch.errors import AudioError, AudiosearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.types import Float32

#: A file may take this long, and as much longer as it lasts.
PATIENCE_SECONDS = 60.0

_SLOWEST_DISK = 1e6  # bytes a second, for each of many that read at once
_LONGEST_POLL = 2**31 - 1  # milliseconds
_LOWEST_BELIEVED, _ASSUMED = 125.0, 2_000.0  # bytes a second of sound
_SENT_BYTES = 1 << 20  # two messages, so that a process need not wait until one is taken
_HINT = "Export it again from a program that plays it, or try it once more with --retry."
_PACKAGES = os.fspath(Path(__file__).parents[2])
# No -m: the names of classes must be the same. And nothing is imported from where the user is.
_PROGRAM = (
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[2]]; "
    "from audiosearch.embedding.decoder_worker import main; main()"
)
# Workers share the cores among them. OpenBLAS, left alone, takes ten times the time it saves;
# glibc gives large arrays back to the system at once, and asking anew costs a fifth of all time.
ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT |= dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(64 << 20))


class Worker:
    """A process that reads files, one at a time; another takes its place when it dies.

    Parameters
    ----------
    patience_seconds : float
        What a file may take, besides as long as it lasts.

    Raises
    ------
    AudiosearchError
        Where no process can be started.
    """

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._closing = threading.Lock()  # `close` is called from another thread
        self._is_closed = False
        self._start()

    def read(
        self, path: str, *, excerpt_seconds: float | None, wanted: Callable[[FileStat], bool]
    ) -> Iterator[Float32 | DecodeSummary]:
        """Read a file.

        Parameters
        ----------
        path : str
        excerpt_seconds : float or None
        wanted : callable
            Told what was found, and asked whether to go on; nothing is yielded where not.

        Yields
        ------
        ndarray of float32, shape (n_patches, 96, 64)
            At least one, and then
        DecodeSummary
            What is known of the file.

        Raises
        ------
        AudioError
            Where the file cannot be decoded, or what tries to does not live to tell.
        """
        if self._process.poll() is not None:
            self._start()
        size = _size(path)
        left_seconds = self._patience_seconds + size / _SLOWEST_DISK
        request = Request(os.path.abspath(path), excerpt_seconds)
        self._send(path, request)
        while True:
            message, left_seconds = self._receive(path, left_seconds)
            if isinstance(message, AudioError):
                raise AudioError(path, message.reason, hint=message.hint)
            if isinstance(message, FileStat):
                self._send(path, is_wanted := wanted(message))
                if not is_wanted:
                    return
            elif isinstance(message, Opened):
                left_seconds += _plausible_seconds(message.seconds, size)
            else:
                yield message
                if isinstance(message, DecodeSummary):
                    return

    def close(self) -> None:
        """End the process, whatever it is at; to be called from any thread."""
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
        """Return the next message, and what is left of a file's time after waiting for it."""
        started = time.monotonic()
        if not self._answers.poll(min(max(0.0, 1e3 * left_seconds), _LONGEST_POLL)):
            self._stop()
            raise AudioError(path, "decoding it takes too long", hint=_HINT)
        try:
            message = self._connection.recv()
        except (EOFError, OSError) as exc:  # OSError: it died in the midst of a message
            raise AudioError(path, self._exit_reason(), hint=_HINT) from exc
        return message, left_seconds - (time.monotonic() - started)

    def _start(self) -> None:
        try:
            self._launch()
        except OSError as exc:
            raise AudiosearchError(
                f"No process that decodes can be started: {exc.strerror or exc}.",
                hint="Ask for fewer of them with -j.",
            ) from exc
        try:
            self._connection.recv()
        except (EOFError, OSError) as exc:
            raise AudiosearchError(
                f"The process that decodes does not start: {self._exit_reason()}.",
                hint="AUDIOSEARCH_DEBUG=1 shows what it says.",
            ) from exc

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_BYTES)
        with contextlib.ExitStack() as on_failure, theirs, self._closing:
            on_failure.callback(ours.close)
            if self._is_closed:
                raise ConnectionAbortedError
            fd = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(fd), _PACKAGES],
                pass_fds=[fd],
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("AUDIOSEARCH_DEBUG") else subprocess.DEVNULL,
            )
            on_failure.pop_all()
        self._answers = select.poll()  # once: `Connection.poll` makes one for each message
        self._answers.register(ours, select.POLLIN)
        self._connection = Connection(ours.detach())

    def _exit_reason(self) -> str:
        """Return how the process came to its end."""
        status = self._stop()
        if status == -signal.SIGKILL:
            return "its decoder was killed, perhaps for want of memory"
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"its decoder crashed ({how})"

    def _stop(self) -> int:
        self._process.kill()
        self._connection.close()
        return self._process.wait()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # the process finds out, and says so
        return 0


def _plausible_seconds(declared: float | None, size: int) -> float:
    """Return how long a file of that many bytes may last, whatever its header says."""
    if declared is None:
        return size / _ASSUMED
    return min(declared, size / _LOWEST_BELIEVED)
