"""A process that reads audio files into patches, so that a decoder's death is not ours.

Started by `audiosearch.embedding.decoder_process` as a program whose one argument is the file descriptor
of its end of a socket. For each `Request` that comes in, there goes out: `FileStat`,
which waits for a bool, whether to go on; then `Opened`, arrays of patches, and `DecodeSummary`. An
`AudioError` may come in place of any of them and ends the request.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.tags import Tags, read_tags
from audiosearch.embedding.embedder import PatchReader
from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.audio.recording import AudioInfo
    from audiosearch.types import Float32

#: As many patches travel together: enough to make sending cheap, few enough to keep moving.
MESSAGE_PATCHES = 16

_MOST_BYTES = 2 << 30  # of memory; decoders take a hundredth of it, unless a file leads them on
_HASH_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Request:
    """A file to read."""

    path: str
    excerpt_seconds: float | None


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file as it is, before anything of it is decoded.

    Attributes
    ----------
    size : int
        In bytes.
    mtime_ns : int
        Time of last change, in nanoseconds since 1970.
    content_hash : str
        BLAKE3 of the file's bytes, 32 hexadecimal digits.
    """

    size: int
    mtime_ns: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that a decoder knows, and its length as far as that is declared."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class DecodeSummary:
    """What is known of a file once it was read; as in `audiosearch.embedding.embedder.Embedding`."""

    info: AudioInfo
    seconds: float
    warning: str | None
    tags: Tags


def main() -> None:
    """Serve requests until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process of a terminal
    limit_memory()
    leave_with_parent()
    connection = Connection(int(sys.argv[1]))
    connection.send(None)
    try:
        while True:
            request = connection.recv()
            try:
                _serve(connection, request)
            except AudioError as exc:
                connection.send(exc)
            except MemoryError:
                connection.send(_too_large(request.path))
    except (EOFError, ConnectionError):
        pass


def _serve(connection: Connection, request: Request) -> None:
    path = request.path
    try:
        connection.send(_found(path))
        if not connection.recv():
            return
        with PatchReader(path, excerpt_seconds=request.excerpt_seconds) as reader:
            connection.send(Opened(reader.info.seconds))
            for patches in _grouped(reader):
                connection.send(patches)
            ended = DecodeSummary(reader.info, reader.seconds, reader.warning, read_tags(path))
    except (ConnectionError, EOFError, AudioError, MemoryError):
        raise
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    except Exception as exc:  # one file is not worth the others
        reason = f"its decoder failed ({type(exc).__name__}: {exc})"
        raise AudioError(path, reason, hint="Export it again from a player that plays it.") from exc
    connection.send(ended)


def _grouped(patches: Iterable[Float32]) -> Iterator[Float32]:
    waiting: list[Float32] = []
    n_waiting = 0
    for some in patches:
        waiting.append(some)
        n_waiting += len(some)
        if n_waiting >= MESSAGE_PATCHES:
            yield np.concatenate(waiting)
            waiting, n_waiting = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _found(path: str) -> FileStat:
    from blake3 import blake3

    digest = blake3()
    buffer = memoryview(bytearray(_HASH_BYTES))
    with open(path, "rb", buffering=0, opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(path, "it is not a file", hint="Name an audio file.")
        while n_bytes := file.readinto(buffer):
            digest.update(buffer[:n_bytes])
    return FileStat(status.st_size, status.st_mtime_ns, digest.hexdigest(length=16))


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for a writer


def _unreadable(path: str, error: OSError) -> AudioError:
    if isinstance(error, FileNotFoundError):
        return AudioError(path, "it is gone", hint="Add it again when it is back.")
    reason = f"it cannot be read ({error.strerror or error})"
    return AudioError(path, reason, hint="Check that you may read it.")


def _too_large(path: str) -> AudioError:
    reason = f"decoding it takes more than {_MOST_BYTES >> 30} GB of memory"
    return AudioError(path, reason, hint="Export it again from a player that plays it.")


def limit_memory() -> None:
    """Let no file lead this process on to take more than 2 GB of memory."""
    try:
        import resource
    except ImportError:  # a system without
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(_MOST_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def leave_with_parent() -> None:
    """End this process when its parent is gone, even in the midst of a decoder's endless loop."""
    threading.Thread(target=_leave_with, args=[os.getppid()], daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
