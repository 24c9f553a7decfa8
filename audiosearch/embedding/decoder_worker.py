"""Program of a decoder process: it reads audio files into patches.

`audiosearch.embedding.decoder_process` starts it with one argument, for its end of a pipe (see
`audiosearch.system.inherited`). For each `DecodeRequest` that it receives (with a descriptor, if it
names no path), it sends

1. a `FileStat`, and then waits for a bool: whether the content is new;
2. if requested, an `AudioHash`, and then waits for a bool: whether the audio is new. If it isn't,
   the `Tags` of the file follow, and end the request;
3. arrays of patches;
4. a `DecodeSummary`.

For each `StretchRequest`, it sends arrays of frames of each stretch, and a `StretchEnd` after them.
For each `PeaksRequest`, it sends a `FilePeaks`.

An `AudioError` in place of any of them ends the request. Of a file that is fetched in parts, each
part is asked for by a `PartRequest` in between, which is answered when the part is there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from audiosearch import system
from audiosearch.audio.decode import open_recording
from audiosearch.audio.downmix import Downmix
from audiosearch.audio.file_stat import FileStat, read_file_stat, size_and_mtime_of
from audiosearch.audio.opened_file import open_regular
from audiosearch.audio.packets import audio_hash
from audiosearch.audio.parts import fetching
from audiosearch.audio.tags import Tags, read_tags
from audiosearch.confinement import MAX_MEMORY_BYTES, confine
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.errors import AudioError
from audiosearch.models.front_end import PATCH_HOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from audiosearch.audio.opened_file import OpenedFile
    from audiosearch.audio.recording import AudioInfo
    from audiosearch.system import Connection
    from audiosearch.types import Float32

#: Patches per message: enough to make sending cheap, few enough to keep the network busy.
MESSAGE_PATCHES = 16

#: Reason why a file can't be decoded that unfolds to too much.
TOO_LARGE = f"decoding it takes more than {MAX_MEMORY_BYTES >> 30} GB of memory"

_EXPORT_HINT = "Export it again from a program that can play it."


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """A file to decode.

    Attributes
    ----------
    path : str or None
        Absolute path. None: the file's descriptor follows, by `audiosearch.system.send_file`.
    excerpt_seconds : float or None
        Decode only about this much of the file; None for all of it.
    has_audio_hash : bool
        Whether to send the hash of the file's audio packets.
    real_path : str
        Path without symbolic links that the file must have; empty for any.
    name : str
        Name of the file, of which the suffix tells the format of the tags. Empty: the path.
    is_in_parts : bool
        Whether the parts of the file are fetched as they are read: see `PartRequest`. Its content
        and its audio are not hashed then.
    moment_hop : float or None
        Time from the start of one patch of a whole file to the start of the next, in seconds, if
        its moments are kept. None: patches don't overlap.
    """

    path: str | None
    excerpt_seconds: float | None
    has_audio_hash: bool = False
    real_path: str = ""
    name: str = ""
    is_in_parts: bool = False
    moment_hop: float | None = None


@dataclass(frozen=True, slots=True)
class PartRequest:
    """Message that asks for a part of a file. The process waits for a message that it is there.

    Attributes
    ----------
    start, stop : int
        Positions in bytes.
    """

    start: int
    stop: int


#: The only stretch of a request for all of a file.
WHOLE_FILE: Final = ((0.0, None),)


@dataclass(frozen=True, slots=True)
class StretchRequest:
    """Stretches of a file to decode to log-mel frames. The content of the file is not hashed.

    Attributes
    ----------
    path : str or None
        Absolute path. None: the file's descriptor follows, by `audiosearch.system.send_file`.
    stretches : tuple of (float, float or None)
        Start and length of each in seconds, in ascending order of the starts. The length of an only
        stretch may be None: up to the end of the file.
    real_path : str
        Path without symbolic links that the file must have; empty for any.
    size_and_mtime : tuple of (int, int) or None
        Size in bytes and modification time in ns that the file must have; None for any.
    is_middle : bool
        Whether to move the only stretch to the middle of the file. All of a file is read that
        isn't longer, or whose middle can't be decoded up to its end.
    is_in_parts : bool
        Whether the parts of the file are fetched as they are read: see `PartRequest`.
    """

    path: str | None
    stretches: tuple[tuple[float, float | None], ...] = WHOLE_FILE
    real_path: str = ""
    size_and_mtime: tuple[int, int] | None = None
    is_middle: bool = False
    is_in_parts: bool = False


@dataclass(frozen=True, slots=True)
class PeaksRequest:
    """A file of which to read the peaks. Its content is not hashed.

    Attributes
    ----------
    path : str or None
        Absolute path. None: the file's descriptor follows, by `audiosearch.system.send_file`.
    real_path : str
        Path without symbolic links that the file must have; empty for any.
    """

    path: str | None
    real_path: str = ""


@dataclass(frozen=True, slots=True)
class FilePeaks:
    """Message with the peaks of a file.

    Attributes
    ----------
    values : ndarray of float32, shape (800,)
        See `audiosearch.audio.waveform.Peaks.values`.
    seconds : float
        Length of what was decoded.
    """

    values: Float32
    seconds: float


Request: TypeAlias = "DecodeRequest | StretchRequest | PeaksRequest"


@dataclass(frozen=True, slots=True)
class StretchEnd:
    """Message at the end of a stretch.

    Attributes
    ----------
    seconds : float
        Length of the whole file.
    warning : str or None
        Fault of the file, or of the samples of the stretches so far; None if there is none.
    start : float
        Start of the stretch, in seconds from the start of the file.
    """

    seconds: float
    warning: str | None
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class AudioHash:
    """Message with the hash of a file's audio packets.

    Attributes
    ----------
    digest : str
        32 hexadecimal digits; empty if unknown.
    """

    digest: str


@dataclass(frozen=True, slots=True)
class DecodeSummary:
    """Facts about a file, known once it is decoded.

    Attributes
    ----------
    info : AudioInfo
        Facts about the file, as its decoder reports them.
    seconds : float
        Length in seconds: as declared, or else as far as the file was decoded.
    warning : str or None
        Fault of the file, such as a missing end or silence; None if it has none.
    tags : Tags
    starts : tuple of float
        Start of each patch of an excerpt, in seconds. Empty if one patch follows the other.
    waveform : bytes
        See `audiosearch.audio.waveform.to_bytes`; empty for an excerpt.
    """

    info: AudioInfo
    seconds: float
    warning: str | None
    tags: Tags
    starts: tuple[float, ...] = ()
    waveform: bytes = b""


def main() -> None:
    """Handle requests until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process of a terminal
    confine()
    connection = system.inherited_connection(sys.argv[1])
    connection.send(None)
    try:
        while True:
            request = connection.recv()
            with _readable_path(connection, request) as path:
                try:
                    _handle(connection, path, request)
                except AudioError as exc:
                    connection.send(exc)
                except MemoryError:
                    connection.send(_too_large(path))
    except (EOFError, ConnectionError):
        pass


@contextlib.contextmanager
def _readable_path(connection: Connection, request: Request) -> Iterator[str]:
    """Yield the path of a request; for a received descriptor, one at which Linux opens its file."""
    if request.path is not None:
        yield request.path
        return
    descriptor = system.received_file(connection)
    try:
        yield system.descriptor_path(descriptor)
    finally:
        os.close(descriptor)


def _handle(connection: Connection, path: str, request: Request) -> None:
    try:
        with open_regular(path, real_path=request.real_path) as file:
            if isinstance(request, PeaksRequest):
                connection.send(_peaks(file))
                return
            with _fetched(connection, file) if request.is_in_parts else contextlib.nullcontext():
                if isinstance(request, StretchRequest):
                    _send_stretches(connection, request, file)
                else:
                    _send_file(connection, request, file)
    except (ConnectionError, EOFError, AudioError, MemoryError):
        raise
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    except Exception as exc:  # one bad file must not end the process
        reason = f"its decoder failed ({type(exc).__name__}: {exc})"
        raise AudioError(path, reason, hint=_EXPORT_HINT) from exc


def _fetched(connection: Connection, file: OpenedFile) -> AbstractContextManager[None]:
    """Return a context in which the parts of a file are fetched as they are read."""

    def fetch(start: int, stop: int) -> None:
        connection.send(PartRequest(start, stop))
        connection.recv()

    return fetching(file.name, fetch)


def _send_file(connection: Connection, request: DecodeRequest, file: OpenedFile) -> None:
    is_hashed = not request.is_in_parts
    size_and_mtime = size_and_mtime_of(file.status)
    connection.send(read_file_stat(file) if is_hashed else FileStat(*size_and_mtime, ""))
    if not connection.recv():  # the content is known
        return
    if request.has_audio_hash and is_hashed:
        connection.send(AudioHash(audio_hash(file.name)))
        if not connection.recv():  # the audio is known
            connection.send(read_tags(file.name, name=request.name or file.path))
            return
    hop_seconds = request.moment_hop or PATCH_HOP_SECONDS
    reader = PatchReader(
        file.name, excerpt_seconds=request.excerpt_seconds, hop_seconds=hop_seconds
    )
    with reader:
        for patches in _grouped(reader):
            connection.send(patches)
        tags = read_tags(file.name, name=request.name or file.path)
        starts = tuple(reader.starts)
        summary = DecodeSummary(
            reader.info, reader.seconds, reader.warning, tags, starts, reader.waveform
        )
    connection.send(summary)


def _send_stretches(connection: Connection, request: StretchRequest, file: OpenedFile) -> None:
    if request.size_and_mtime not in {None, size_and_mtime_of(file.status)}:
        hint = "Run `audiosearch add` on its folder again."
        raise AudioError(file.path, "it has changed since it was added", hint=hint)
    stretches = _middle(request, file.name) if request.is_middle else request.stretches
    with PatchReader(file.name) as reader:
        if stretches == WHOLE_FILE:
            for frames in reader.frames():
                connection.send(frames)
            connection.send(StretchEnd(reader.seconds, reader.warning))
            return
        parts = reader.frames_of_parts(stretches)
        for (start, _), part in zip(stretches, parts, strict=True):
            for frames in part:
                connection.send(frames)
            connection.send(StretchEnd(reader.seconds, reader.level_warning, start))


def _middle(request: StretchRequest, path: str) -> tuple[tuple[float, float | None], ...]:
    """Return the only stretch of a request, moved to the middle of a file.

    It is all of a file that isn't longer, or whose middle can't be decoded up to its end.
    """
    ((_, seconds),) = request.stretches
    with PatchReader(path) as reader:
        start = (reader.measured_seconds() - (seconds or 0.0)) / 2
        if start <= 0:
            return WHOLE_FILE
        last = start + (seconds or 0.0) - PATCH_HOP_SECONDS
        (part,) = map(list, reader.frames_of_parts([(last, PATCH_HOP_SECONDS)]))
    return ((start, seconds),) if part else WHOLE_FILE


def _peaks(file: OpenedFile) -> FilePeaks:
    with contextlib.closing(open_recording(file.name)) as recording:
        downmix = Downmix(file.name)
        for block in recording.blocks():
            downmix.mono(block)
        peaks = downmix.peaks
        return FilePeaks(peaks.values(), peaks.n_samples / recording.info.sample_rate_hz)


def _grouped(patches: Iterable[Float32]) -> Iterator[Float32]:
    """Regroup patches into arrays of at least `MESSAGE_PATCHES`; the last may be smaller."""
    pending: list[Float32] = []
    n_pending = 0
    for batch in patches:
        pending.append(batch)
        n_pending += len(batch)
        if n_pending >= MESSAGE_PATCHES:
            yield np.concatenate(pending)
            pending, n_pending = [], 0
    if pending:
        yield np.concatenate(pending)


def _unreadable(path: str, error: OSError) -> AudioError:
    if isinstance(error, FileNotFoundError):
        return AudioError(path, "it no longer exists", hint="Restore it, then add it again.")
    reason = f"it can't be read ({error.strerror or error})"
    return AudioError(path, reason, hint="Check its read permission.")


def _too_large(path: str) -> AudioError:
    return AudioError(path, TOO_LARGE, hint=_EXPORT_HINT)
