"""A recording that FFmpeg continues where libsndfile gives up."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from audiosearch.audio.recording import JOINED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.audio.ffmpeg import FfmpegRecording
    from audiosearch.audio.recording import Decoder
    from audiosearch.types import Float32

_TOLERANCE_SECONDS = 0.05  # less than a FLAC frame


class ContinuedRecording:
    """A file that is read on where a decoder stops before its end.

    It implements `audiosearch.audio.recording.Recording`.

    Where libsndfile gives up, FFmpeg decodes the file too, and its samples from there on are used:
    the longer result stands. Where another file is joined to a file, FFmpeg decodes that as well.
    There is damage only if something is missing after that.

    Parameters
    ----------
    path : str
    first : Decoder
        Decoder that reads the file from its start.
    damage : str or None
        Damage that the file's container reveals.
    """

    def __init__(self, path: str, first: Decoder, *, damage: str | None) -> None:
        self._path = path
        self._first = first
        self._start_seconds = 0.0
        self._has_read_all = False
        self._damage = damage
        self.info = first.info

    @property
    def is_seekable(self) -> bool:
        """Whether `seek` finds positions."""
        return self._first.is_seekable

    @property
    def is_seek_exact(self) -> bool:
        """Whether decoding from a position on gives the same samples as decoding all."""
        return self._first.is_seek_exact

    @property
    def damage(self) -> str | None:
        """Reason why not all of the file was decoded, or why this can't be told; None if none."""
        if self._has_read_all:
            return self._damage
        damage = None if self._first.has_given_up else self._first.damage
        is_joined = self._first.next_start() is not None
        return self._damage or damage or (JOINED if is_joined else None)

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats. The number of channels may change.
        """
        decoder = self._first
        n_samples = 0
        for block in decoder.blocks():
            n_samples += len(block)
            yield block
        damage = decoder.damage
        with ExitStack() as stack:
            if decoder.has_given_up and (second := self._open_at(0)):
                stack.callback(second.close)
                if self._start_seconds:
                    second.seek(self._start_seconds)
                for block in _without(second.blocks(), n_samples):
                    decoder = second
                    n_samples += len(block)
                    yield block
                if self._reaches_end(n_samples):
                    damage = second.damage
            n_before = self._n_joined_before_start()
            while (start_byte := decoder.next_start()) is not None:
                second = self._open_at(start_byte)
                if second is None:
                    damage = damage or JOINED
                    break
                stack.close()
                stack.callback(second.close)
                for block in second.blocks():
                    yield block[n_before:]
                    n_before = max(0, n_before - len(block))
                decoder, damage = second, damage or second.damage
        self._damage = self._damage or damage
        self._has_read_all = not self._start_seconds

    def _n_joined_before_start(self) -> int:
        """Return the number of samples of joined files that lie before the position sought."""
        if not self._start_seconds or self._first.next_start() is None:
            return 0
        seconds = self._start_seconds - self._first.measured_seconds()
        return max(0, round(seconds * self.info.sample_rate_hz))

    def _reaches_end(self, n_samples: int) -> bool:
        """Return whether a number of samples from the current position reach the declared end."""
        end_seconds = self._start_seconds + n_samples / self.info.sample_rate_hz
        return end_seconds > (self.info.seconds or 0.0) - _TOLERANCE_SECONDS

    def _open_at(self, start_byte: int) -> FfmpegRecording | None:
        rate = self.info.sample_rate_hz
        return open_with_ffmpeg(self._path, sample_rate_hz=rate, start_byte=start_byte)

    def measured_seconds(self) -> float:
        """Return the length in seconds."""
        return self._first.measured_seconds()

    def seek(self, seconds: float) -> None:
        """Move to a position, in seconds from the start."""
        self._start_seconds = seconds
        self._first.seek(seconds)

    def close(self) -> None:
        """Close the file."""
        self._first.close()


def _without(blocks: Iterator[Float32], n_samples: int) -> Iterator[Float32]:
    """Yield the samples of blocks without the first ``n_samples``."""
    for block in blocks:
        if len(block) > n_samples:
            yield block[n_samples:]
        n_samples = max(0, n_samples - len(block))


def open_with_ffmpeg(
    path: str,
    *,
    sample_rate_hz: int | None = None,
    start_byte: int = 0,
    ignores_length: bool = False,
) -> FfmpegRecording | None:
    """Open a file with FFmpeg; return None if FFmpeg doesn't support it.

    The parameters are those of `audiosearch.audio.ffmpeg.FfmpegRecording`.

    Raises
    ------
    OSError
        If the file can't be opened.
    """
    import av  # takes 0.1 s to import, and few files need it

    from audiosearch.audio.ffmpeg import FfmpegRecording

    try:
        return FfmpegRecording(
            path,
            sample_rate_hz=sample_rate_hz,
            start_byte=start_byte,
            ignores_length=ignores_length,
        )
    except (av.FFmpegError, LookupError, ValueError):
        return None
