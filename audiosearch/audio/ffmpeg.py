"""Decoding with FFmpeg's libraries, through PyAV: aac, alac, wma, webm and other formats."""

from __future__ import annotations

import contextlib
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from audiosearch.audio.containers import next_start
from audiosearch.audio.ffmpeg_container import default_stream, open_container
from audiosearch.audio.recording import BLOCK_SAMPLES, CUT_SHORT, DAMAGED, AudioInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32

# Demuxers that estimate the length, or count silence before the first sample.
_ESTIMATES_LENGTH = {
    *("aac", "ac3", "aiff", "asf", "avi", "caf", "dsf", "dts", "dtshd", "eac3", "iff", "loas"),
    *("mlp", "mp3", "mpeg", "mpegts", "nut", "ogg", "truehd"),
}
_TOLERANCE_SECONDS = 0.5  # a file may be this much shorter than declared; time stamps may jump
_MAX_LOST_SECONDS = 0.05  # one packet that holds an encoder's header instead of sound is shorter
_MAX_DAMAGED_PACKETS = 100  # after this many, the rest of the file is skipped
_PREROLL_SECONDS = 0.5  # decoders need some packets from before a seek position


class FfmpegRecording:
    """An audio file opened with FFmpeg; implements `audiosearch.audio.recording.Decoder`.

    Parameters
    ----------
    path : str
    sample_rate_hz : int, optional
        Rate to which blocks are resampled. Default: the rate at the start of the file.
    start_byte : int
        Position in the file at which the recording starts, for one of several joined files.
    ignores_length : bool
        Read a wav up to its end, because the length that it declares is wrong.

    Raises
    ------
    av.FFmpegError
        If no allowed demuxer supports the format.
    LookupError
        If the file has no audio stream, or FFmpeg has no decoder for it.
    """

    has_given_up = False
    #: Time stamps may be rounded, and decoders depend on what they have decoded.
    is_seek_exact = False

    def __init__(
        self,
        path: str,
        *,
        sample_rate_hz: int | None = None,
        start_byte: int = 0,
        ignores_length: bool = False,
    ) -> None:
        self._path = path
        self._start_byte, self._ignores_length = start_byte, ignores_length
        self._open = partial(
            open_container, path, start_byte=start_byte, ignores_length=ignores_length
        )
        with contextlib.ExitStack() as stack:
            self._container = stack.enter_context(self._open())
            self._stream = default_stream(self._container)
            self._stream.codec_context.thread_type = "AUTO"
            self._close = stack.pop_all().close
        self._tick_seconds = float(self._stream.time_base or 0)  # a float, because Fraction is slow
        self._origin_seconds = (self._stream.start_time or 0) * self._tick_seconds
        self.info = AudioInfo(
            sample_rate_hz=sample_rate_hz or self._stream.sample_rate,
            channels=self._stream.channels,
            seconds=self._declared_seconds(),
            format=self._stream.codec_context.codec.canonical_name,
        )
        self._start_seconds = 0.0
        self._lost_seconds = 0.0  # length of the packets that were damaged
        self._end_byte = 0  # end of the packets that have been read
        self._is_lost = False  # whether a seek failed, so that the position is unknown
        self.damage: str | None = None
        self.is_seekable = True

    def _declared_seconds(self) -> float | None:
        bits_per_second = self._stream.codec_context.bit_rate
        if self._ignores_length and bits_per_second:
            return self._container.size * 8 / bits_per_second
        if self._container.format.name in _ESTIMATES_LENGTH:
            return None
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is None or len(self._container.streams) != 1:
            return None
        if self._origin_seconds > _TOLERANCE_SECONDS:  # some programs count the time before it
            return None
        return self._container.duration / av.time_base

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats. The number of channels may change.
        """
        if self._is_lost:
            return
        pending: list[Float32] = []
        n_pending = 0
        for samples in self._samples():
            if pending and samples.shape[1] != pending[0].shape[1]:
                yield np.concatenate(pending)
                pending, n_pending = [], 0
            pending.append(samples)
            n_pending += samples.size
            if n_pending >= BLOCK_SAMPLES:
                yield np.concatenate(pending)
                pending, n_pending = [], 0
        if pending:
            yield np.concatenate(pending)

    def _samples(self) -> Iterator[Float32]:
        """Yield the samples of each frame, without those before the start position.

        Only time stamps up to the start position count. In a file that consists of several joined
        files, they start again in the middle.
        """
        end_seconds = self._start_seconds
        is_started = False
        for frame in self._frames():
            samples: Float32 = np.asarray(frame.to_ndarray(), dtype=np.float32)
            samples = samples.reshape(-1, frame.layout.nb_channels)
            if not is_started:
                end_seconds = self._start_of(frame, default=end_seconds)
                skip = round((self._start_seconds - end_seconds) * frame.sample_rate)
                is_started = skip < len(samples)
            end_seconds += len(samples) / frame.sample_rate
            if is_started:
                yield samples[max(0, skip) :]
                skip = 0
        declared = self.info.seconds
        if declared and end_seconds < declared - _TOLERANCE_SECONDS:
            self.damage = self.damage or CUT_SHORT

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Yield frames as interleaved float32, all at one rate.

        The samples are interleaved because PyAV crashes on reading eight planes. A resampler
        accepts only frames of one kind.
        """
        resampler, current = None, None
        for frame in self._decoded():
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or kind != current:
                if resampler is not None:
                    yield from resampler.resample(None)
                resampler = av.AudioResampler(format="flt", rate=self.info.sample_rate_hz)
                current = kind
            yield from resampler.resample(frame)
        if resampler is not None:
            yield from resampler.resample(None)

    def _decoded(self) -> Iterator[av.AudioFrame]:
        """Yield decoded frames, skipping damaged packets.

        Errors before the first frame after a seek don't count as damage, because the seek may
        have led into the middle of a packet.
        """
        n_damaged = 0
        is_started, is_last_damaged = not self._start_seconds, False
        for packet in self._packets():
            try:
                for frame in self._stream.codec_context.decode(packet):
                    is_started = True
                    yield frame
                is_last_damaged = is_last_damaged and packet is None
            except (av.FFmpegError, OSError, ValueError):
                n_damaged += 1
                if is_started and packet is not None:
                    is_last_damaged = True
                    self._lost_seconds += self._seconds_of(packet)
                if self._lost_seconds > _MAX_LOST_SECONDS or n_damaged > _MAX_DAMAGED_PACKETS:
                    self.damage = DAMAGED
                if n_damaged > _MAX_DAMAGED_PACKETS:
                    return
        if is_last_damaged:
            self.damage = DAMAGED

    def _packets(self) -> Iterator[av.Packet[Any] | None]:
        """Yield the packets from the current position on; None at last, to flush the decoder."""
        is_started = not self._start_seconds
        try:
            for packet in self._container.demux(self._stream):
                self._note_end_of(packet)
                # Seek tables are coarse, so that seeks go too far back.
                end_seconds = self._time_of(packet) + self._seconds_of(packet)
                is_started = is_started or end_seconds >= self._start_seconds - _PREROLL_SECONDS
                if is_started and packet.size:
                    yield packet
        except (av.FFmpegError, OSError):
            if self.next_start() is None:
                self.damage = DAMAGED
        yield None

    def next_start(self) -> int | None:
        """Return the position in bytes of another file that is joined to this one, if any."""
        return next_start(self._path, self._end_byte) if self._end_byte else None

    def measured_seconds(self) -> float:
        """Return the declared length in seconds, or else add up the packets without decoding.

        If time stamps jump, or another file is joined to this one, positions can't be sought.
        """
        if self.info.seconds is not None:
            return self.info.seconds
        first = end = total = 0.0
        has_packets = False
        with contextlib.suppress(av.FFmpegError, OSError), self._open() as container:
            for packet in container.demux(default_stream(container)):
                self._note_end_of(packet)
                if packet.pts is None:
                    continue
                start, seconds = self._time_of(packet), self._seconds_of(packet)
                if not has_packets:
                    first, has_packets = start, True
                elif abs(start - end) > _TOLERANCE_SECONDS:
                    self.is_seekable = False
                end = start + seconds
                total += seconds
        if self.next_start() is not None:
            self.is_seekable = False
        return end - first if self.is_seekable else total

    def _note_end_of(self, packet: av.Packet[Any]) -> None:
        if packet.pos is not None:
            self._end_byte = max(self._end_byte, self._start_byte + packet.pos + packet.size)

    def _time_of(self, packet: av.Packet[Any]) -> float:
        """Return the start of a packet in seconds; infinity for a packet without a time stamp."""
        if packet.pts is None:
            return math.inf
        return packet.pts * self._tick_seconds - self._origin_seconds

    def _seconds_of(self, packet: av.Packet[Any]) -> float:
        return (packet.duration or 0) * self._tick_seconds

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
        stream = container.streams.best("audio")
        if stream is not None:
            values |= stream.metadata
    return {name.lower(): value for name, value in values.items()}
