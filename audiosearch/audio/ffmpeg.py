"""Decoding by FFmpeg's libraries, through PyAV: aac, alac, wma, webm and the rest."""

from __future__ import annotations

import contextlib
import math
import os
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from audiosearch.audio.recording import BLOCK_SAMPLES, CUT_SHORT, DAMAGED, AudioInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from av.container import InputContainer

    from audiosearch.types import Float32

#: Demuxers that read sound from the one file they are given. None of them follows a
#: reference to another file or address, as playlists (concat, hls, dash, sdp ...) do.
DEMUXERS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3"),
    *("flac", "flv", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "qoa"),
    *("shn", "tak", "truehd", "tta", "voc", "w64", "wav", "webm", "wv"),
)
_GUESSES_LENGTH = {"aac", "ac3", "eac3", "mp3", "mpeg", "mpegts", "dts"}
# Tags need not be UTF-8; from PyAV 19 on, they may be anything without being asked.
_TOLERANT: dict[str, Any] = (
    {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
_TOLERANCE_SECONDS = 0.5
_MOST_DAMAGED = 100  # packets, before the rest is given up
_PREROLL_SECONDS = 0.5  # decoders need some packets before the one that is wanted


class FfmpegRecording:
    """A file that FFmpeg reads.

    Raises
    ------
    av.FFmpegError
        On opening, where no allowed demuxer knows the format.
    LookupError
        On opening, where the file holds no sound.
    """

    def __init__(self, path: str) -> None:
        with contextlib.ExitStack() as opened:
            self._container = opened.enter_context(_opened(path))
            if not self._container.streams.audio:
                raise LookupError("no audio stream")
            self._stream = self._container.streams.audio[0]
            if self._stream.codec_context is None:
                raise LookupError("no decoder for its codec")
            self._stream.codec_context.thread_type = "AUTO"
            self._close = opened.pop_all().close
        self.info = AudioInfo(
            sample_rate_hz=self._stream.sample_rate,
            channels=self._stream.channels,
            seconds=self._declared_seconds(),
            format=self._stream.codec_context.codec.canonical_name,
        )
        self._tick_seconds = float(self._stream.time_base or 0)  # Fractions are slow
        self._origin_seconds = (self._stream.start_time or 0) * self._tick_seconds
        self._start_seconds = 0.0
        self._is_lost = False  # a seek failed: where the file stands is unknown
        self.damage: str | None = None

    def _declared_seconds(self) -> float | None:
        if self._container.format.name in _GUESSES_LENGTH:
            return None
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is not None and len(self._container.streams) == 1:
            return self._container.duration / av.time_base
        return None

    def blocks(self) -> Iterator[Float32]:
        """Yield samples from here on: float32 in [-1, 1], shape (n_frames, channels)."""
        if self._is_lost:
            return
        waiting: list[Float32] = []
        n_waiting = 0
        end_seconds = self._start_seconds
        for frame in self._frames():
            samples: Float32 = np.asarray(frame.to_ndarray(), dtype=np.float32)
            samples = samples.reshape(-1, frame.layout.nb_channels)
            start_seconds = self._start_of(frame, default=end_seconds)
            end_seconds = start_seconds + len(samples) / frame.sample_rate
            skip = round((self._start_seconds - start_seconds) * frame.sample_rate)
            if skip >= len(samples):
                continue
            waiting.append(samples[max(0, skip) :])
            n_waiting += len(waiting[-1])
            if n_waiting * self.info.channels >= BLOCK_SAMPLES:
                yield np.concatenate(waiting)
                waiting, n_waiting = [], 0
        if waiting:
            yield np.concatenate(waiting)
        if self.info.seconds and end_seconds < self.info.seconds - _TOLERANCE_SECONDS:
            self.damage = CUT_SHORT

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Yield decoded frames as interleaved float32, stepping over damaged packets.

        Interleaved, for PyAV crashes on reading eight planes.
        """
        to_float = av.AudioResampler(format="flt", rate=self.info.sample_rate_hz)
        packets = self._container.demux(self._stream)
        n_damaged = 0
        while True:
            try:
                packet = next(packets)
                if self._time_of(packet) < self._start_seconds - _PREROLL_SECONDS:
                    continue  # an index of few entries made the seek end far before
                for decoded in packet.decode():
                    yield from to_float.resample(decoded)
            except StopIteration:
                return
            except (av.FFmpegError, OSError, ValueError):
                # A damaged packet, or a stream that changes its channels midway.
                self.damage = DAMAGED
                n_damaged += 1
                if n_damaged > _MOST_DAMAGED:
                    return

    def measured_seconds(self) -> float:
        """Return the length as declared, or else as the packets add up, without decoding."""
        if self.info.seconds is not None:
            return self.info.seconds
        end = 0.0
        with contextlib.suppress(av.FFmpegError, OSError):
            for packet in self._container.demux(self._stream):
                if packet.pts is not None:
                    end = self._time_of(packet) + (packet.duration or 0) * self._tick_seconds
        self.seek(0.0)
        return end

    def _time_of(self, packet: av.Packet[Any]) -> float:
        """Return when a packet begins; as late as can be for one that does not say."""
        if packet.pts is None:
            return math.inf
        return packet.pts * self._tick_seconds - self._origin_seconds

    def _start_of(self, frame: av.AudioFrame, *, default: float) -> float:
        return default if frame.time is None else frame.time - self._origin_seconds

    def seek(self, seconds: float) -> None:
        """Move to that many seconds from the start."""
        try:
            self._container.seek(int((seconds + self._origin_seconds) * av.time_base))
        except (av.FFmpegError, OSError):
            self._is_lost = True
            self.damage = DAMAGED
        else:
            self._is_lost = False
            self._stream.codec_context.flush_buffers()
            self._start_seconds = seconds

    def close(self) -> None:
        """Let go of the file."""
        self._close()


def metadata(path: str) -> dict[str, str]:
    """Return a file's metadata by lower-case name, its audio stream's before its own.

    Raises
    ------
    av.FFmpegError
        Where no allowed demuxer knows the format.
    """
    with _opened(path) as container:
        found = dict(container.metadata)
        for stream in container.streams.audio[:1]:
            found |= stream.metadata
    return {name.lower(): value for name, value in found.items()}


@contextlib.contextmanager
def _opened(path: str) -> Iterator[InputContainer]:
    """Open a file here and hand it over as an object, with a list of allowed demuxers.

    A path would let FFmpeg open whatever else the content names.
    """
    options = {"format_whitelist": ",".join(DEMUXERS)}
    with (
        open(path, "rb") as file,
        av.open(_Nameless(file), "r", options=options, **_TOLERANT) as container,
    ):
        yield container


class _Nameless:
    """A file without a name, so that FFmpeg goes by its content alone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek; -1, FFmpeg's word for a failure, where a damaged file sends it nowhere."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return -1
