"""Write a file's sound as mp3: a program of its own, for a decoder may crash.

Usage: python -m audiosearch.web.transcode FILE COPY.mp3
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import soundfile
import soxr

from audiosearch.atomic import atomic_path
from audiosearch.sound.decode import open_recording

_RATE_HZ = 44_100


def transcode(source: str, target: Path) -> None:
    """Write a recording as stereo mp3 at 44.1 kHz.

    Raises
    ------
    AudioError
        Where the recording cannot be decoded.
    """
    with (
        closing(open_recording(source)) as recording,
        atomic_path(target) as draft,
        soundfile.SoundFile(draft, "w", _RATE_HZ, 2, format="MP3") as file,
    ):
        rate = recording.info.sample_rate_hz
        resampler = soxr.ResampleStream(rate, _RATE_HZ, 2, dtype="float32")
        for block in recording.blocks():
            # One channel is heard on both sides; of more than two, the first two are.
            stereo = block[:, :2] if block.shape[1] > 1 else block.repeat(2, axis=1)
            file.write(resampler.resample_chunk(stereo))
        file.write(resampler.resample_chunk(stereo[:0], last=True))


if __name__ == "__main__":
    transcode(sys.argv[1], Path(sys.argv[2]))
