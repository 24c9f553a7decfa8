"""Find the sound in a FLAC file.

References
----------
.. [1] RFC 9639, sections 8.1 and 8.2: metadata blocks and the one with stream info.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import BinaryIO

_STREAM_INFO_BYTES = 34
_IS_LAST, _KIND = 0x80, 0x7F  # of a metadata block, in the first byte of its header
_FRAME_STARTS = (b"\xff\xf8", b"\xff\xf9")


class FlacSound(NamedTuple):
    """Facts about the sound in a FLAC file.

    Attributes
    ----------
    sample_rate_hz : int
    channels : int
    stream_info : bytes
        All that decoders know besides the frames.
    frames_start : int
        Position in bytes of the first frame. The frames reach to the end of the file.
    """

    sample_rate_hz: int
    channels: int
    stream_info: bytes
    frames_start: int


def flac_sound(file: BinaryIO) -> FlacSound | None:
    """Return where the sound is in a file; None unless it is a FLAC file that starts as usual."""
    file.seek(0)
    if file.read(4) != b"fLaC":
        return None
    header = file.read(4)
    stream_info = file.read(_STREAM_INFO_BYTES)
    if header[1:] != _STREAM_INFO_BYTES.to_bytes(3, "big") or header[0] & _KIND:
        return None
    while header and not header[0] & _IS_LAST:
        header = file.read(4)
        file.seek(int.from_bytes(header[1:], "big"), os.SEEK_CUR)
    frames_start = file.tell()
    if file.read(2) not in _FRAME_STARTS:
        return None
    rate_and_channels = int.from_bytes(stream_info[10:14], "big")
    channels = (rate_and_channels >> 9 & 7) + 1
    return FlacSound(rate_and_channels >> 12, channels, stream_info, frames_start)
