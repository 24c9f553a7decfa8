"""Decoding with libsndfile: wav, aiff, flac, ogg, opus, mp3 and related formats."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from audiosearch import system
from audiosearch.audio.containers import next_start
from audiosearch.audio.mp3 import MpegLength, mpeg_length
from audiosearch.audio.parts import is_in_parts, open_binary
from audiosearch.audio.recording import (
    BLOCK_SAMPLES,
    CUT_SHORT,
    DAMAGED,
    AudioInfo,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32

_MPEG = {"MPEG_LAYER_I": "mp1", "MPEG_LAYER_II": "mp2", "MPEG_LAYER_III": "mp3"}
_CODECS = _MPEG | {"VORBIS": "vorbis", "OPUS": "opus"}
_CAN_BE_EMPTY = {"WAV", "WAVEX", "AIFF"}  # other formats use 0 for an unknown length
_UNKNOWN_LENGTH = 1 << 62  # samples; libsndfile reports 2**63 - 1

#: A decoder's padding may shorten the declared length by this much although nothing is missing.
_TOLERANCE_SECONDS = 0.25
_RECOVERY_SAMPLES = 1_024  # per channel, per read, once a file turned out to be damaged
# Read at once, in a long file. Each change between decoding and other work costs time, because the
# processor's caches of code are filled again.
_MAX_BLOCKS = 16
_OF_INT16 = np.float32(2.0**-15)  # scale of integers with 16 bits
_READ_AHEAD_BYTES = 1 << 16  # more than decoders read beyond the last sample


class SndfileRecording:
    """An audio file opened with libsndfile; implements `audiosearch.audio.recording.Decoder`.

    Attributes
    ----------
    is_length_known : bool
        Whether libsndfile knows the length, so that it reads up to the end.

    Raises
    ------
    OSError
        If the file can't be opened.
    soundfile.LibsndfileError
        If libsndfile doesn't support the format.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with contextlib.ExitStack() as stack:
            self._raw = stack.enter_context(open_binary(path, buffering=0))
            self._file = stack.enter_context(self._open())
            length = mpeg_length(path) if self._file.subtype in _MPEG else MpegLength.DECLARED
            self._close = stack.pop_all().close
        self.info = AudioInfo(
            sample_rate_hz=self._file.samplerate,
            channels=self._file.channels,
            seconds=self._file.frames / self._file.samplerate,
            format=_CODECS.get(self._file.subtype, self._file.format.lower()),
        )
        self.is_seekable = self.is_seek_exact = self._file.seekable()
        # Otherwise each read ends with a seek to where it is, and decodes mp3 and flac again there.
        self._file.seekable = lambda: False
        is_uncompressed = self._file.subtype == "PCM_16" and self._file.format != "FLAC"
        self._dtype = "int16" if is_uncompressed else "float32"
        self.is_length_known = length is not MpegLength.UNKNOWN and (
            0 < self._file.frames < _UNKNOWN_LENGTH or self._file.format in _CAN_BE_EMPTY
        )
        self._can_be_short = length is MpegLength.ESTIMATED
        self._tolerance_seconds = _TOLERANCE_SECONDS if self._file.subtype in _MPEG else 0.0
        self._position = 0
        self._has_sought = False
        self._is_lost = False  # whether a seek failed, so that the position is unknown
        self.has_given_up = False
        self.damage: str | None = None

    def _open(self) -> soundfile.SoundFile:
        # By its name, a file could be taken for headerless samples. Windows has no descriptors
        # that libsndfile can share.
        self._raw.seek(0)
        if system.IS_WINDOWS or is_in_parts(self._path):
            raw: Any = self._raw
            nameless = SimpleNamespace(
                read=raw.read, readinto=raw.readinto, seek=raw.seek, tell=raw.tell
            )
            return soundfile.SoundFile(nameless)
        return soundfile.SoundFile(self._raw.fileno(), closefd=False)

    def _read(self, n_samples: int) -> Float32:
        """Return the next samples, float32, shape (n_samples, channels); fewer at the end."""
        n_left = self._file.frames - self._position  # another file may follow
        samples = self._file.read(min(n_samples, n_left), dtype=self._dtype, always_2d=True)
        self._position += len(samples)
        if self._dtype == "int16":  # libsndfile takes two or three times as long for it
            samples = samples * _OF_INT16
        return np.asarray(samples, dtype=np.float32)

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        This loops over ``read``, because ``SoundFile.blocks`` repeats the last block of a
        truncated mp3 up to the declared length.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats.
        """
        self.has_given_up, self.damage = self._is_lost, DAMAGED if self._is_lost else None
        if self._is_lost:
            return
        n_samples = max(_RECOVERY_SAMPLES, BLOCK_SAMPLES // self.info.channels)
        n_read = n_samples
        while True:
            try:
                samples = self._read(n_read)
            except soundfile.SoundFileError:
                self.has_given_up, self.damage = True, DAMAGED
                yield from self._recover(self._position)
                return
            for start in range(0, len(samples), n_samples):
                yield samples[start : start + n_samples]
            if len(samples) < n_read:
                break
            n_read = min(2 * n_read, _MAX_BLOCKS * n_samples)
        self._check_end()

    def _check_end(self) -> None:
        """Compare the position with the declared length and the end of the file."""
        missing = (self._file.frames - self._position) / self.info.sample_rate_hz
        if missing > self._tolerance_seconds and not self._can_be_short:
            self.has_given_up = True
            self.damage = CUT_SHORT if missing > _TOLERANCE_SECONDS else None

    def next_start(self) -> int | None:
        """Return the position in bytes of another file that is joined to this one, if any."""
        position = self._raw.tell()
        if self._has_sought and self.info.format == "flac":
            position = 0  # libFLAC may have found the position in the other file
        elif position == os.fstat(self._raw.fileno()).st_size:
            return None
        return next_start(self._path, position - _READ_AHEAD_BYTES)

    def _recover(self, position: int) -> Iterator[Float32]:
        """Yield the samples before the damage, from a block that failed as a whole."""
        self._file.close()
        self._file = self._open()  # the failed one can't seek any more
        with contextlib.suppress(soundfile.SoundFileError):
            self._file.seek(position)
            while len(block := self._read(_RECOVERY_SAMPLES)):
                yield block

    def measured_seconds(self) -> float:
        """Return the length in seconds, which libsndfile always knows."""
        return float(self._file.frames / self.info.sample_rate_hz)

    def seek(self, seconds: float) -> None:
        """Move to a position, in seconds from the start."""
        self._position = min(int(seconds * self.info.sample_rate_hz), self._file.frames)
        self._has_sought = True
        try:
            self._file.seek(self._position)
            self._is_lost = False
        except soundfile.SoundFileError:
            self._is_lost = True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._close()
