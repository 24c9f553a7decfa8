"""Transcode a file to mp3. This runs as its own process, because a decoder may crash.

The process takes the path of the file, and the descriptor of the file to write, because it can't
open files for writing. Its exit status is 0, `FAULTY`, `FULL`, or any other if it crashed.
"""

from __future__ import annotations

import errno
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import av
import numpy as np

from audiosearch.audio.decode import open_recording
from audiosearch.confinement import confine
from audiosearch.errors import AudioError, is_disk_full

if TYPE_CHECKING:
    from typing import BinaryIO

#: Exit status if the file can't be transcoded, now or later.
FAULTY = 65
#: Exit status if the disk is full.
FULL = 74

_RATE_HZ = 44_100
_BITS_PER_SECOND = 192_000


def main() -> int:
    """Transcode the file that the command line names."""
    confine()
    try:
        with open(int(sys.argv[2]), "wb") as target:
            transcode(sys.argv[1], target)
    except (AudioError, MemoryError):
        return FAULTY
    except OSError as exc:
        if exc.errno == errno.EFBIG:  # more than `confinement.MAX_FILE_BYTES`
            return FAULTY
        if is_disk_full(exc):
            return FULL
        raise
    return 0


def transcode(source: str, target: BinaryIO) -> None:
    """Transcode a recording to stereo mp3 at 44.1 kHz.

    Raises
    ------
    AudioError
        If the recording can't be decoded.
    OSError
        If it can't be read, or the copy can't be written.
    """
    with (
        closing(open_recording(source)) as recording,
        av.open(target, "w", format="mp3") as copy,
    ):
        stream = copy.add_stream("libmp3lame", rate=_RATE_HZ, layout="stereo")
        stream.bit_rate = _BITS_PER_SECOND
        for block in recording.blocks():
            # Mono plays on both sides. Of more than two channels, the first two play.
            stereo = block[:, :2] if block.shape[1] > 1 else block.repeat(2, axis=1)
            interleaved = np.ascontiguousarray(stereo).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout="stereo")
            frame.sample_rate = recording.info.sample_rate_hz
            copy.mux(stream.encode(frame))
        copy.mux(stream.encode(None))
