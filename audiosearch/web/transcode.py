"""Transcode a file to mp3. This runs as its own process, because a decoder may crash.

Usage: python -m audiosearch.web.transcode FILE COPY.mp3
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import av
import numpy as np

from audiosearch.atomic import atomic_path
from audiosearch.audio.decode import open_recording
from audiosearch.embedding.child_process import exit_with_parent, limit_memory

_RATE_HZ = 44_100
_BITS_PER_SECOND = 192_000


def transcode(source: str, target: Path) -> None:
    """Transcode a recording to stereo mp3 at 44.1 kHz.

    Raises
    ------
    AudioError
        If the recording can't be decoded.
    """
    with (
        closing(open_recording(source)) as recording,
        atomic_path(target) as draft,
        av.open(str(draft), "w", format="mp3") as copy,
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


if __name__ == "__main__":
    limit_memory()
    exit_with_parent()
    transcode(sys.argv[1], Path(sys.argv[2]))
