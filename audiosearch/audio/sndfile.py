"""Decoding with libsndfile: wav, aiff, flac, ogg, opus, mp3 and related formats."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING

import soundfile

from audiosearch.audio.recording import BLOCK_SAMPLES, CUT_SHORT, DAMAGED, AudioInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import Float32

_MPEG = {"MPEG_LAYER_I": "mp1", "MPEG_LAYER_II": "mp2", "MPEG_LAYER_III": "mp3"}
_CODECS = _MPEG | {"VORBIS": "vorbis", "OPUS": "opus"}
MPEG_FORMATS = frozenset(_MPEG.values())

# Lines in libsndfile's log that show that a file is cut short.
_CHUNK_TOO_LONG = re.compile(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_OGG_CUT_SHORT = "Last page lacks an end-of-stream bit"
_STREAMED_CHUNK_BYTES = 0x7FFF_0000  # programs that write to a pipe declare this size or more

#: A decoder's padding may shorten the declared length by this much although nothing is missing.
_TOLERANCE_SECONDS = 0.25
_RECOVERY_SAMPLES = 1_024  # per channel, per read, once a file turned out to be damaged


class SndfileRecording:
    """An audio file opened with libsndfile; implements `audiosearch.audio.recording.Recording`.

    Raises
    ------
    soundfile.LibsndfileError
        If libsndfile doesn't support the format.
    """

    def __init__(self, path: str) -> None:
        self._name = path if sys.platform == "win32" else os.fsencode(path)
        self._file = soundfile.SoundFile(self._name)
        self.info = AudioInfo(
            sample_rate_hz=self._file.samplerate,
            channels=self._file.channels,
            seconds=self._file.frames / self._file.samplerate,
            format=_CODECS.get(self._file.subtype, self._file.format.lower()),
        )
        self.damage = _cut_short(self._file.extra_info)
        self._is_lost = False  # whether a seek failed, so that the position is unknown

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples from the current position on.

        This loops over ``read``, because ``SoundFile.blocks`` repeats the last block of a
        truncated mp3 up to the declared length.

        Yields
        ------
        ndarray of float32, shape (n_samples, channels)
            Samples, in [-1, 1] for integer formats.
        """
        if self._is_lost:
            return
        position = self._file.tell()
        n_samples = max(_RECOVERY_SAMPLES, BLOCK_SAMPLES // self.info.channels)
        while True:
            try:
                block = self._file.read(n_samples, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                self.damage = DAMAGED
                yield from self._recover(position)
                return
            position += len(block)
            if len(block):
                yield block
            if len(block) < n_samples:
                break
        missing = (self._file.frames - position) / self.info.sample_rate_hz
        if missing > _TOLERANCE_SECONDS:
            self.damage = CUT_SHORT

    def _recover(self, position: int) -> Iterator[Float32]:
        """Yield the samples before the damage, from a block that failed as a whole."""
        self._file.close()
        self._file = soundfile.SoundFile(self._name)  # the failed one can't seek any more
        with contextlib.suppress(soundfile.LibsndfileError):
            self._file.seek(position)
            while len(block := self._file.read(_RECOVERY_SAMPLES, "float32", always_2d=True)):
                yield block

    def measured_seconds(self) -> float:
        """Return the length in seconds, which libsndfile always knows."""
        return float(self._file.frames / self.info.sample_rate_hz)

    def seek(self, seconds: float) -> None:
        """Move to a position, in seconds from the start."""
        frame = min(int(seconds * self.info.sample_rate_hz), self._file.frames)
        try:
            self._file.seek(frame)
            self._is_lost = False
        except soundfile.LibsndfileError:
            self._is_lost = True
            self.damage = DAMAGED

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _cut_short(log: str) -> str | None:
    """Return `CUT_SHORT` if libsndfile's log says that the file is cut short, else None."""
    chunk = _CHUNK_TOO_LONG.search(log)
    is_chunk_cut = chunk and int(chunk[2]) < int(chunk[1]) < _STREAMED_CHUNK_BYTES
    return CUT_SHORT if is_chunk_cut or _OGG_CUT_SHORT in log else None
