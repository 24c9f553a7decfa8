"""Decoding by libsndfile: wav, aiff, flac, ogg, opus, mp3 and their kin."""

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

# How libsndfile's log of opening a file speaks of one that was cut short.
_CHUNK_TOO_LONG = re.compile(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_OGG_CUT = "Last page lacks an end-of-stream bit"
_STREAMED_CHUNK_BYTES = 0x7FFF_0000  # writers to a pipe declare sizes from here up

#: A decoder's padding may cost this much of the declared length without anything missing.
_TOLERANCE_SECONDS = 0.25
_SALVAGED_FRAMES = 1_024


class SndfileRecording:
    """A file that libsndfile reads.

    Raises
    ------
    soundfile.LibsndfileError
        On opening, where libsndfile does not know the format.
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
        self._is_lost = False  # a seek failed: where the file stands is unknown

    def blocks(self) -> Iterator[Float32]:
        """Yield samples from here on: float32 in [-1, 1], shape (n_frames, channels).

        A loop over ``read`` and no ``SoundFile.blocks``, which repeats the last block of a
        cut mp3 up to the declared length.
        """
        if self._is_lost:
            return
        position = self._file.tell()
        n_frames = max(_SALVAGED_FRAMES, BLOCK_SAMPLES // self.info.channels)
        while True:
            try:
                block = self._file.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                self.damage = DAMAGED
                yield from self._salvage(position)
                return
            position += len(block)
            if len(block):
                yield block
            if len(block) < n_frames:
                break
        missing = (self._file.frames - position) / self.info.sample_rate_hz
        if missing > _TOLERANCE_SECONDS:
            self.damage = CUT_SHORT

    def _salvage(self, position: int) -> Iterator[Float32]:
        """Yield what comes before the damage, of the block that it made fail as a whole."""
        self._file.close()
        self._file = soundfile.SoundFile(self._name)  # the other is past all seeking
        with contextlib.suppress(soundfile.LibsndfileError):
            self._file.seek(position)
            while len(block := self._file.read(_SALVAGED_FRAMES, "float32", always_2d=True)):
                yield block

    def measured_seconds(self) -> float:
        """Return the length, which libsndfile always knows."""
        return float(self._file.frames / self.info.sample_rate_hz)

    def seek(self, seconds: float) -> None:
        """Move to that many seconds from the start."""
        frame = min(int(seconds * self.info.sample_rate_hz), self._file.frames)
        try:
            self._file.seek(frame)
            self._is_lost = False
        except soundfile.LibsndfileError:
            self._is_lost = True
            self.damage = DAMAGED

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _cut_short(log: str) -> str | None:
    chunk = _CHUNK_TOO_LONG.search(log)
    is_cut = chunk and int(chunk[2]) < int(chunk[1]) < _STREAMED_CHUNK_BYTES
    return CUT_SHORT if is_cut or _OGG_CUT in log else None
