"""Write a stretch of a recording as a FLAC file. This runs as its own process: a decoder may crash.

The process takes the path of the recording, the descriptor of the file to write, and the start and
end in seconds. It prints a JSON object: with ``warnings``, or with ``reason`` and ``hint`` of an
error.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from audiosearch import system
from audiosearch.audio.decode import open_recording
from audiosearch.confinement import MAX_FILE_BYTES, confine
from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.audio.recording import Recording
    from audiosearch.types import Float32

_MAX_CHANNELS, _MAX_RATE_HZ = 8, 655_350  # of FLAC
_MAX_PEAK = 2.0  # lossy decoders overshoot 1 by less than this
_MISSING_SECONDS = 0.1  # times are often typed in tenths
_LAST_SECONDS = 1.0  # of a recording; time stamps at its end are wrong by less
_EXPORT_HINT = "Export the file again from a program that can play it."
_FLAC_HINT = "Cut it with an audio editor, into a wav file."


def main() -> int:
    """Cut the stretch that the command line names."""
    confine()
    path, target, start, end = sys.argv[1:]
    answer: dict[str, Any]
    try:
        answer = {"warnings": cut(path, system.inherited_file(target), float(start), float(end))}
    except AudioError as exc:
        answer = {"reason": exc.reason, "hint": exc.hint}
    except MemoryError:
        answer = {"reason": "decoding it takes too much memory", "hint": _EXPORT_HINT}
    except OSError as exc:
        is_too_large = exc.errno == errno.EFBIG
        reason = f"it is larger than {MAX_FILE_BYTES >> 30} GB" if is_too_large else exc.strerror
        hint = "Cut a shorter stretch." if is_too_large else "Choose another folder with -o."
        answer = {"reason": f"the stretch can't be written: {reason}", "hint": hint}
    sys.stdout.write(json.dumps(answer))
    return 0


def cut(source: str, descriptor: int, start: float, end: float) -> list[str]:
    """Write a stretch of a recording as FLAC, with its own sample rate and all its channels.

    The samples are those that decoding the whole recording gives, rounded to 24 bits. A recording
    in which seeking isn't exact is read from its start.

    Parameters
    ----------
    source : str
        Path of the recording.
    descriptor : int
        An empty file that is open for writing.
    start, end : float
        In seconds from the start of the recording.

    Returns
    -------
    list of str
        Phrases about samples that were changed, and about a missing end.

    Raises
    ------
    AudioError
        If the stretch can't be decoded, or FLAC can't hold it.
    OSError
        If the file can't be written.
    """
    no_samples = AudioError(
        source, f"nothing can be decoded at {start:g} s", hint="Use a time before its end."
    )
    if _ends_before(source, start):
        raise no_samples
    written = _write_stretch(source, descriptor, start, end)
    if written.peak > _MAX_PEAK:
        divisor = 2.0 ** math.ceil(math.log2(written.peak))
        _write_stretch(source, descriptor, start, end, divisor=divisor)
    if not written.n_samples:
        raise no_samples
    return list(_remarks(written, end - start))


def _ends_before(source: str, seconds: float) -> bool:
    """Return whether the end of a recording shows that it is before a time.

    False also if the recording declares no length: then all of it must be decoded.
    """
    with closing(open_recording(source)) as recording:
        declared_seconds = recording.info.seconds
        if declared_seconds is None or declared_seconds > seconds:
            return False
        start = max(0.0, declared_seconds - _LAST_SECONDS)
        recording.seek(start)
        n_samples = sum(map(len, recording.blocks()))  # also those of another file that is joined
        end_seconds = start + n_samples / recording.info.sample_rate_hz
        tolerance_seconds = 0.0 if recording.is_seek_exact else _LAST_SECONDS
        return n_samples > 0 and end_seconds + tolerance_seconds <= seconds


@dataclass(slots=True)
class _Written:
    """A stretch that was written: highest magnitude of its samples, and how many are beyond 1."""

    rate_hz: int
    n_samples: int = 0
    peak: float = 0.0
    n_beyond: int = 0


def _remarks(written: _Written, seconds: float) -> Iterator[str]:
    if written.peak > _MAX_PEAK:
        yield f"its samples go far beyond 1, up to {written.peak:,.1f}; they were scaled down"
    elif written.n_beyond:
        yield f"{written.n_beyond:,} of its samples are beyond 1; they were limited to 1"
    missing_seconds = seconds - written.n_samples / written.rate_hz
    if missing_seconds > _MISSING_SECONDS:
        yield f"it ends {missing_seconds:.1f} s before the end of the stretch"


def _write_stretch(
    source: str, descriptor: int, start: float, end: float, *, divisor: float = 1.0
) -> _Written:
    """Write a stretch from the start of the file on, with its samples divided by a number."""
    with closing(open_recording(source)) as recording, contextlib.ExitStack() as stack:
        written = _Written(recording.info.sample_rate_hz)
        target = _Target(descriptor)
        file: soundfile.SoundFile | None = None
        for block in _stretch(
            recording, round(start * written.rate_hz), round(end * written.rate_hz)
        ):
            _check(source, block, written.rate_hz, None if file is None else file.channels)
            if file is None:
                file = stack.enter_context(target.opened(written.rate_hz, block.shape[1]))
            magnitudes = np.abs(block)
            written.n_samples += len(block)
            written.peak = max(written.peak, float(magnitudes.max()))
            written.n_beyond += int(np.count_nonzero(magnitudes > 1))
            file.write(block / np.float32(divisor))
    return written


def _stretch(recording: Recording, first: int, last: int) -> Iterator[Float32]:
    """Yield blocks of the samples from position ``first`` up to position ``last``."""
    rate = recording.info.sample_rate_hz
    position = 0
    if recording.is_seek_exact and 0 < first < rate * (recording.info.seconds or 0.0):
        position = first
        recording.seek((first + 0.25) / rate)  # so that rounding doesn't lead to a neighbor
    for block in recording.blocks():
        part = block[max(0, first - position) : max(0, last - position)]
        position += len(block)
        if len(part):
            yield part
        if position >= last:
            return


def _check(source: str, block: Float32, rate_hz: int, channels: int | None) -> None:
    """Check that FLAC can hold a block.

    Raises
    ------
    AudioError
    """
    n_channels = block.shape[1]
    if rate_hz > _MAX_RATE_HZ:
        reason = f"FLAC can't hold its {rate_hz:,} samples a second"
    elif n_channels > _MAX_CHANNELS:
        reason = f"FLAC can't hold its {n_channels} channels"
    elif channels not in {None, n_channels}:
        reason = "its number of channels changes in the stretch"
    elif not np.isfinite(block).all():
        reason = "it contains samples that are not finite numbers"
    else:
        return
    raise AudioError(source, reason, hint=_FLAC_HINT)


class _Target:
    """The file to write. soundfile calls its methods, because it would hide the errors.

    Parameters
    ----------
    descriptor : int
        An open file. It is emptied.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._error: OSError | None = None
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)

    @contextlib.contextmanager
    def opened(self, rate_hz: int, channels: int) -> Iterator[soundfile.SoundFile]:
        """Yield the file, open for writing.

        Raises
        ------
        OSError
            If it can't be written.
        """
        try:
            with soundfile.SoundFile(
                self, "w", rate_hz, channels, subtype="PCM_24", format="FLAC"
            ) as file:
                yield file
        except Exception as exc:
            raise self._error or exc from exc
        if self._error is not None:
            raise self._error

    def write(self, content: bytes) -> int:
        """Write bytes, and return their number: 0 if that fails."""
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as exc:
            self._error = exc
            return 0
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position in bytes."""
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        """Return the position in bytes."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)
