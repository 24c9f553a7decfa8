"""Decoding in a separate process: if a decoder crashes, hangs or fills memory, one file fails."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from audiosearch import child_process, system
from audiosearch.audio.file_stat import FileStat
from audiosearch.audio.tags import Tags
from audiosearch.audio.waveform import is_valid
from audiosearch.confinement import OUT_OF_MEMORY_STATUS
from audiosearch.embedding.decoder_messages import MAX_BYTES, unpickled
from audiosearch.embedding.decoder_worker import (
    TOO_LARGE,
    WHOLE_FILE,
    AudioHash,
    DecodeRequest,
    DecodeSummary,
    FilePeaks,
    PartRequest,
    PeaksRequest,
    StretchEnd,
    StretchRequest,
)
from audiosearch.errors import AudioError, AudiosearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from audiosearch.types import Float32

#: Time limit for decoding and embedding a small file, in seconds.
TIMEOUT_SECONDS = 60.0
#: Size, in bytes, for which that time is added again: a second for 2 KB.
BYTES_PER_TIMEOUT = 120_000
#: Time limit of the largest files, in seconds.
MAX_SECONDS = 12 * 3_600.0

_MAX_WAIT_SECONDS = 1e6  # systems wait no longer
_UNNAMED = "the file"  # name of a file without a path, in error messages
_HINT = "Export it again from a program that can play it, or try it again."
#: Environment of decoder processes. They share the cores, so each uses one thread: by default
#: OpenBLAS takes ten times as much CPU time as its threads save. Its threads would also start
#: before `confine`, and not be confined. By default glibc also returns large arrays to the system
#: at once, and allocating them again takes a fifth of all time.
ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT |= dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(64 << 20))


class DecoderProcess:
    """A child process that decodes files, one at a time. If it dies, the next file restarts it.

    Parameters
    ----------
    timeout_seconds : float
        Time limit for a small file; it grows with the size.

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

    def read(  # noqa: PLR0913
        self,
        file: str | int,
        *,
        excerpt_seconds: float | None,
        name: str = "",
        fetch: Callable[[int, int], None] | None = None,
        moment_hop: float | None = None,
        max_seconds: float | None = None,
        real_path: str = "",
        is_new_content: Callable[[FileStat], bool] = lambda _: True,
        is_new_audio: Callable[[str], bool] | None = None,
    ) -> Iterator[Float32 | DecodeSummary | Tags]:
        """Decode a file.

        Parameters
        ----------
        file : str or int
            Path, or descriptor of an open file. Only Linux reads files by descriptor.
        excerpt_seconds : float or None
            Decode only about this much of the file; None for all of it.
        name : str
            Name of the file, of which the suffix tells the format of the tags. Default: the path.
        fetch : callable, optional
            Fetches the bytes between two positions of the file, of which nothing is there yet. It
            may raise an AudioError. The time that it takes doesn't count.
        moment_hop : float, optional
            Time from the start of one patch of a whole file to the start of the next, in seconds,
            if its moments are kept.
        max_seconds : float, optional
            Time limit, from now until the last result has been taken. Nothing that the file
            declares changes it. Default: by the file's size, see `time_limit`.
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
        request = DecodeRequest(
            path=_absolute(file),
            excerpt_seconds=excerpt_seconds,
            name=name,
            is_in_parts=fetch is not None,
            has_audio_hash=is_new_audio is not None,
            real_path=real_path,
            moment_hop=moment_hop,
        )
        path = _name(file)
        for message in self._messages(file, request, max_seconds=max_seconds, fetch=fetch):
            if isinstance(message, FileStat):
                self._send(path, is_new := is_new_content(message))
                if not is_new:
                    self._is_answering = False
                    return
            elif isinstance(message, AudioHash):
                self._send(path, is_new_audio is None or is_new_audio(message.digest))
            else:
                self._is_answering = not isinstance(message, (DecodeSummary, Tags))
                yield message
                if not self._is_answering:
                    return

    def read_stretches(
        self,
        file: str | int,
        stretches: Sequence[tuple[float, float | None]] = WHOLE_FILE,
        *,
        fetch: Callable[[int, int], None] | None = None,
        max_seconds: float | None = None,
        real_path: str = "",
        size_and_mtime: tuple[int, int] | None = None,
        is_middle: bool = False,
    ) -> Iterator[Float32 | StretchEnd]:
        """Decode stretches of a file to log-mel frames.

        Parameters
        ----------
        file : str or int
            Path, or descriptor of an open file. Only Linux reads files by descriptor.
        stretches : sequence of (float, float or None)
            At least one: see `audiosearch.embedding.decoder_worker.StretchRequest`. Default: all of
            the file.
        fetch : callable, optional
            Fetches the bytes between two positions, as for `read`.
        max_seconds : float, optional
            Time limit, as for `read`.
        real_path : str
            Path without symbolic links that the file must have; empty for any.
        size_and_mtime : tuple of (int, int), optional
            Size in bytes and modification time in ns that the file must have.
        is_middle : bool
            Move the only stretch to the middle of the file; read all of a file that isn't longer.

        Yields
        ------
        ndarray of float32, shape (n_frames, 64)
            Natural log of mel magnitude plus 0.01. There are none of a stretch beyond the end.
        StretchEnd
            After the frames of each stretch.

        Raises
        ------
        AudioError
            If the file can't be decoded or has changed, takes too long, or its decoder crashes.
        """
        request = StretchRequest(
            _absolute(file),
            tuple(stretches),
            real_path,
            size_and_mtime,
            is_middle,
            is_in_parts=fetch is not None,
        )
        n_left = len(stretches)
        for message in self._messages(file, request, max_seconds=max_seconds, fetch=fetch):
            n_left -= isinstance(message, StretchEnd)
            self._is_answering = n_left > 0
            yield message
            if not n_left:
                return

    def peaks(
        self, file: str | int, *, max_seconds: float | None = None, real_path: str = ""
    ) -> FilePeaks:
        """Return the peaks of a file, by which players draw it.

        Parameters
        ----------
        file : str or int
            Path, or descriptor of an open file. Only Linux reads files by descriptor.
        max_seconds : float, optional
            Time limit, as for `read`.
        real_path : str
            Path without symbolic links that the file must have; empty for any.

        Raises
        ------
        AudioError
            If the file can't be decoded, takes too long, or its decoder crashes.
        """
        request = PeaksRequest(_absolute(file), real_path)
        message = next(self._messages(file, request, max_seconds=max_seconds))
        self._is_answering = False
        if not (isinstance(message, FilePeaks) and is_valid(message.values)):
            raise AudioError(_name(file), "its decoder sent an invalid message", hint=_HINT)
        return message

    def close(self) -> None:
        """Kill the process, even if it is decoding. May be called from any thread."""
        self.kill()
        self._process.wait()

    def kill(self) -> None:
        """Kill the process without waiting for its end; a `read` in progress fails.

        It is never restarted. May be called from any thread.
        """
        with self._closing:
            self._is_closed = True
            self._process.kill()

    def _messages(
        self,
        file: str | int,
        request: object,
        *,
        max_seconds: float | None,
        fetch: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:
        """Send a request about a file, and yield the answers. An error among them is raised."""
        if self._is_answering:  # a request whose other answers nobody has taken
            self._stop()
        if self._process.poll() is not None:
            self._start()
        if max_seconds is None:
            max_seconds = time_limit(_size(file), self._timeout_seconds)
        deadline = time.monotonic() + max_seconds
        path = _name(file)
        self._is_answering = True
        self._send(path, request)
        if not isinstance(file, str):
            self._send_descriptor(file)
        while True:
            message = self._receive(path, deadline)
            if isinstance(message, AudioError):
                self._is_answering = False
                raise AudioError(path, message.reason, hint=message.hint)
            if not isinstance(message, PartRequest):
                yield message
                continue
            if fetch is None or {type(message.start), type(message.stop)} != {int}:
                self._stop()
                raise AudioError(path, "its decoder sent an invalid message", hint=_HINT)
            before = time.monotonic()
            fetch(message.start, message.stop)
            deadline += time.monotonic() - before
            self._send(path, None)

    def _send_descriptor(self, descriptor: int) -> None:
        try:
            system.send_file(self._connection, descriptor, self._process.pid)
        except OSError as exc:
            raise AudioError(_UNNAMED, self._exit_reason(), hint=_HINT) from exc

    def _send(self, path: str, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError as exc:
            raise AudioError(path, self._exit_reason(), hint=_HINT) from exc

    def _receive(self, path: str, deadline: float) -> Any:
        """Wait for a message; stop the process at the deadline, even if messages keep coming."""
        left_seconds = deadline - time.monotonic()
        try:
            if left_seconds <= 0 or not self._has_message(min(left_seconds, _MAX_WAIT_SECONDS)):
                self._stop()
                raise AudioError(path, "decoding it takes too long", hint=_HINT)
            message = self._connection.recv_bytes(MAX_BYTES)
        except (EOFError, OSError) as exc:  # OSError: the process died while sending a message
            raise AudioError(path, self._exit_reason(), hint=_HINT) from exc
        try:
            return unpickled(message)
        except Exception as exc:
            self._stop()
            raise AudioError(path, "its decoder sent an invalid message", hint=_HINT) from exc

    def _start(self) -> None:
        self._is_answering = False
        try:
            self._launch()
        except OSError as exc:
            raise AudiosearchError(
                f"Can't start a decoder process: {exc.strerror or exc}.",
                hint="Free memory, or use fewer decoder processes, as in `audiosearch add -j 2`.",
            ) from exc
        try:
            self._connection.recv()
        except (EOFError, OSError) as exc:
            raise AudiosearchError(
                f"A decoder process failed to start: {self._exit_reason()}.",
                hint="Set AUDIOSEARCH_DEBUG=1 to see its output.",
            ) from exc

    def _launch(self) -> None:
        ours, theirs = system.connected_pair()
        with contextlib.ExitStack() as on_failure, theirs, self._closing:
            on_failure.callback(ours.close)
            if self._is_closed:
                raise ConnectionAbortedError
            arguments, inheritance = system.inherited(theirs)
            self._process = child_process.start(
                *("audiosearch.embedding.decoder_worker", *arguments),
                variables=ENVIRONMENT,
                **inheritance,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("AUDIOSEARCH_DEBUG") else subprocess.DEVNULL,
            )
            on_failure.pop_all()
        self._connection = ours
        self._has_message = system.waiter(ours)

    def _exit_reason(self) -> str:
        """Stop the process and return why it ended."""
        status = self._stop()
        if status == OUT_OF_MEMORY_STATUS:
            return TOO_LARGE
        if system.was_killed(status):
            return "its decoder was killed, perhaps because memory ran out"
        return f"its decoder crashed ({system.exit_cause(status)})"

    def _stop(self) -> int:
        self._process.kill()
        self._connection.close()
        return self._process.wait()


def time_limit(n_bytes: int, timeout_seconds: float = TIMEOUT_SECONDS) -> float:
    """Return the time limit for a file of a given size in bytes, in seconds.

    Formats that take the fewest bytes have the most sound to decode: a day of speech at 8 kbit/s
    is 86 MB, a day of silence as FLAC 14 MB.

    Examples
    --------
    >>> time_limit(14_000_000), time_limit(700_000_000)
    (7060.0, 43200.0)
    """
    return min(timeout_seconds * (1 + n_bytes / BYTES_PER_TIMEOUT), MAX_SECONDS)


def _name(file: str | int) -> str:
    return file if isinstance(file, str) else _UNNAMED


def _absolute(file: str | int) -> str | None:
    return os.path.abspath(file) if isinstance(file, str) else None


def _size(file: str | int) -> int:
    try:
        return os.stat(file).st_size
    except OSError:  # the process will report the error
        return 0
