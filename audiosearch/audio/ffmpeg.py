"""Decoding with FFmpeg's libraries, through PyAV: aac, alac, wma, webm and other formats."""

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

#: Allowed demuxers. Each reads only the file it is given. Playlist demuxers (concat, hls, dash,
#: sdp ...) are left out, because they open other files and addresses.
DEMUXERS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3"),
    *("flac", "flv", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "qoa"),
    *("shn", "tak", "truehd", "tta", "voc", "w64", "wav", "webm", "wv"),
)
# Demuxers that only estimate the length.
_ESTIMATES_LENGTH = {"aac", "ac3", "eac3", "mp3", "mpeg", "mpegts", "dts"}
# Tags may have any encoding. From PyAV 19 on, this is the default.
_LENIENT_METADATA: dict[str, Any] = (
    {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
_TOLERANCE_SECONDS = 0.5  # a file may be this much shorter than declared
_MAX_DAMAGED_PACKETS = 100  # after this many, the rest of the file is skipped
_PREROLL_SECONDS = 0.5  # decoders need some packets from before a seek position


class FfmpegRecording:
    """An audio file opened with FFmpeg; implements `audiosearch.audio.recording.Recording`.

    Raises
    ------
    av.FFmpegError
        If no allowed demuxer supports the format.
    LookupError
        If the file has no audio stream, or FFmpeg has no decoder for it.
    """

    def __init__(self, path: str) -> None:
        with contextlib.ExitStack() as stack:
            self._container = stack.enter_context(open_container(path))
            if not self._container.streams.audio:
                raise LookupError("no audio stream")
            self._stream = self._container.streams.audio[0]
            if self._stream.codec_context is None:
                raise LookupError("no decoder for the codec")
            self._stream.codec_context.thread_type = "AUTO"
            self._close = stack.pop_all().close
        self.info = AudioInfo(
            sample_rate_hz=self._stream.sample_rate,
            channels=self._stream.channels,
            seconds=self._declared_seconds(),
            format=self._stream.codec_context.codec.canonical_name,
        )
        self._tick_seconds = float(self._stream.time_base or 0)  # a float, because Fraction is slow
        self._origin_seconds = (self._stream.start_time or 0) * self._tick_seconds
        self._start_seconds = 0.0
        self._is_lost = False  # whether a seek failed, so that the position is unknown
        self.damage: str | None = None

    def _declared_seconds(self) -> float | None:
        if self._container.format.name in _ESTIMATES_LENGTH:
            return None
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is not None and len(self._container.streams) == 1:
            return self._container.duration / av.time_base
        return None

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats.
        """
        if self._is_lost:
            return
        pending: list[Float32] = []
        n_pending = 0
        end_seconds = self._start_seconds
        for frame in self._frames():
            samples: Float32 = np.asarray(frame.to_ndarray(), dtype=np.float32)
            samples = samples.reshape(-1, frame.layout.nb_channels)
            start_seconds = self._start_of(frame, default=end_seconds)
            end_seconds = start_seconds + len(samples) / frame.sample_rate
            skip = round((self._start_seconds - start_seconds) * frame.sample_rate)
            if skip >= len(samples):
                continue
            pending.append(samples[max(0, skip) :])
            n_pending += len(pending[-1])
            if n_pending * self.info.channels >= BLOCK_SAMPLES:
                yield np.concatenate(pending)
                pending, n_pending = [], 0
        if pending:
            yield np.concatenate(pending)
        if self.info.seconds and end_seconds < self.info.seconds - _TOLERANCE_SECONDS:
            self.damage = CUT_SHORT

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Yield decoded frames as interleaved float32, skipping damaged packets.

        The samples are interleaved because PyAV crashes on reading eight planes.
        """
        to_float = av.AudioResampler(format="flt", rate=self.info.sample_rate_hz)
        packets = self._container.demux(self._stream)
        n_damaged = 0
        while True:
            try:
                packet = next(packets)
                if self._time_of(packet) < self._start_seconds - _PREROLL_SECONDS:
                    continue  # the file's seek table is coarse, so the seek went too far back
                for decoded in packet.decode():
                    yield from to_float.resample(decoded)
            except StopIteration:
                return
            except (av.FFmpegError, OSError, ValueError):
                # The packet is damaged, or the number of channels changed midway.
                self.damage = DAMAGED
                n_damaged += 1
                if n_damaged > _MAX_DAMAGED_PACKETS:
                    return

    def measured_seconds(self) -> float:
        """Return the declared length in seconds, or else add up the packets without decoding."""
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
        """Return the start of a packet in seconds; infinity for a packet without a time stamp."""
        if packet.pts is None:
            return math.inf
        return packet.pts * self._tick_seconds - self._origin_seconds

    def _start_of(self, frame: av.AudioFrame, *, default: float) -> float:
        return default if frame.time is None else frame.time - self._origin_seconds

    def seek(self, seconds: float) -> None:
        """Move to a position, in seconds from the start."""
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
        """Close the file."""
        self._close()


def metadata(path: str) -> dict[str, str]:
    """Return a file's metadata by lower-case name.

    Metadata of the audio stream take precedence over metadata of the container.

    Raises
    ------
    av.FFmpegError
        If no allowed demuxer supports the format.
    """
    with open_container(path) as container:
        values = dict(container.metadata)
        for stream in container.streams.audio[:1]:
            values |= stream.metadata
    return {name.lower(): value for name, value in values.items()}


@contextlib.contextmanager
def open_container(path: str, **settings: str) -> Iterator[InputContainer]:
    """Open a file for FFmpeg as a file object, with only the allowed demuxers.

    The settings are options of FFmpeg's demuxers.

    FFmpeg never gets the path: with a path it would open other files that the content names.
    """
    options = {"format_whitelist": ",".join(DEMUXERS)} | settings
    with (
        open(path, "rb") as file,
        av.open(_NamelessFile(file), "r", options=options, **_LENIENT_METADATA) as container,
    ):
        yield container


class _NamelessFile:
    """A file object without a name, so that FFmpeg recognizes the format by content alone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek; return -1, which means failure to FFmpeg, if the position is invalid."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return -1
