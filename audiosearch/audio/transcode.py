"""Transcode a file to mp3. This runs as its own process, because a decoder may crash.

The process takes the path of the file, and inherits the file to write, because it can't open files
for writing. Its exit status is 0, `FAULTY`, `FULL`, or any other if it crashed.
"""

from __future__ import annotations

import errno
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import av
import numpy as np

from audiosearch import system
from audiosearch.audio.decode import open_recording
from audiosearch.audio.downmix import RangeScale
from audiosearch.confinement import confine
from audiosearch.errors import AudioError, is_disk_full

if TYPE_CHECKING:
    from typing import BinaryIO

    from audiosearch.types import Float32

#: Exit status if the file can't be transcoded, now or later.
FAULTY = 65
#: Exit status if the disk is full.
FULL = 74

_RATE_HZ = 44_100
_BITS_PER_SECOND = 192_000
_CENTER_GAIN = 0.5**0.5  # of a channel that plays on both sides


def main() -> int:
    """Transcode the file that the command line names."""
    confine()
    try:
        with open(system.inherited_file(sys.argv[2]), "wb") as target:
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
        scale = RangeScale()
        for block in recording.blocks():
            stereo = np.nan_to_num(_stereo(block), posinf=0.0, neginf=0.0)
            stereo = scale(stereo, float(np.abs(stereo).max(initial=0.0)))
            interleaved = np.ascontiguousarray(stereo).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout="stereo")
            frame.sample_rate = recording.info.sample_rate_hz
            copy.mux(stream.encode(frame))
        copy.mux(stream.encode(None))


def _stereo(block: Float32) -> Float32:
    """Mix samples to two channels, so that each channel is heard and none is clipped.

    The first two are left and right. All others play on both sides, because few files tell their
    places.

    Parameters
    ----------
    block : ndarray of float32, shape (n_samples, channels)

    Returns
    -------
    ndarray of float32, shape (n_samples, 2)
    """
    n_channels = block.shape[1]
    if n_channels == 1:
        return block.repeat(2, axis=1)
    center = _CENTER_GAIN * block[:, 2:].sum(axis=1, keepdims=True)
    mix: Float32 = (block[:, :2] + center) / np.float32(1 + _CENTER_GAIN * (n_channels - 2))
    return mix
