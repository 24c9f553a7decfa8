"""Files read by a process apart: what crashes, hangs or eats memory there costs one file."""

from __future__ import annotations

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

from audiosearch.errors import AudioError, AudiosearchError
from audiosearch.sound.worker import Ended, Found, Opened, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audiosearch.params import Float32

#: A file may take this long, and as much longer as it lasts.
PATIENCE_SECONDS = 60.0

_SLOWEST_DISK = 10e6  # bytes a second
_LOWEST_BELIEVED, _ASSUMED = 125.0, 2_000.0  # bytes a second of sound
_SENT_BYTES = 1 << 20  # two messages, so that a process need not wait until one is taken
_HINT = "Export it again from a program that plays it, or try it once more with --retry."
_PROGRAM = "from audiosearch.sound.worker import main; main()"  # no -m: names must be the same
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
        self, path: str, *, excerpt_seconds: float | None, wanted: Callable[[Found], bool]
    ) -> Iterator[Float32 | Ended]:
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
        Ended
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
        try:
            self._connection.send(Request(path, excerpt_seconds))
            while True:
                message, left_seconds = self._receive(path, left_seconds)
                if isinstance(message, AudioError):
                    raise message
                if isinstance(message, Found):
                    self._connection.send(is_wanted := wanted(message))
                    if not is_wanted:
                        return
                elif isinstance(message, Opened):
                    left_seconds += _plausible_seconds(message.seconds, size)
                else:
                    yield message
                    if isinstance(message, Ended):
                        return
        except (EOFError, ConnectionError) as exc:
            raise AudioError(path, self._last_words(), hint=_HINT) from exc

    def close(self) -> None:
        """End the process, whatever it is at; to be called from any thread."""
        with self._closing:
            self._is_closed = True
            self._process.kill()
            self._process.wait()

    def _receive(self, path: str, left_seconds: float) -> tuple[Any, float]:
        """Return the next message, and what is left of a file's time after waiting for it."""
        started = time.monotonic()
        if not self._answers.poll(max(0.0, 1e3 * left_seconds)):
            self._stop()
            raise AudioError(path, "decoding it takes too long", hint=_HINT)
        message = self._connection.recv()
        return message, left_seconds - (time.monotonic() - started)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_BYTES)
        with theirs, self._closing:
            if self._is_closed:
                ours.close()
                raise ConnectionAbortedError
            fd = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(fd)],
                pass_fds=[fd],
                env=os.environ | ENVIRONMENT,
                cwd=Path(__file__).parents[2],  # Python may import from there
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("AUDIOSEARCH_DEBUG") else subprocess.DEVNULL,
            )
        self._answers = select.poll()  # once: `Connection.poll` makes one for each message
        self._answers.register(ours, select.POLLIN)
        self._connection = Connection(ours.detach())
        try:
            self._connection.recv()
        except (EOFError, ConnectionError) as exc:
            raise AudiosearchError(
                f"The process that decodes does not start: {self._last_words()}.",
                hint="AUDIOSEARCH_DEBUG=1 shows what it says.",
            ) from exc

    def _last_words(self) -> str:
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
