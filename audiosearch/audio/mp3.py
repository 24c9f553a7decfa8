"""Check whether libmpg123 can tell the length of an MPEG audio file.

libmpg123 takes the length from a header in the first frame, if the encoder wrote one. Otherwise
it estimates the length from the bit rate of the first frames. The estimate is too short for files
of variable bit rate and for several files joined into one: their end would be lost.

"Frame" here means an MPEG audio frame.

References
----------
.. [1] ISO/IEC 11172-3, section 2.4.1.3: the frame header.
.. [2] "Xing", "Info" and "VBRI" headers, which LAME and Fraunhofer's encoder write into the first
   frame.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING

from audiosearch.audio.parts import open_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_TOLERANCE_BYTES = 4_096  # a quarter of a second at a usual bit rate
_ID3V1_BYTES, _APE_FOOTER_BYTES = 128, 32
_HAS_FRAMES, _HAS_BYTES = 1, 2  # flags of a Xing or Info header

# Layer III: bit rates in kbit/s, and sample rates in Hz, by MPEG version.
_BIT_RATES_KBPS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_LAYER_III = 1
_SAMPLE_BYTES = 16_384  # 10 to 100 frames


class MpegLength(Enum):
    """Source of libmpg123's length of a file."""

    DECLARED = "declared"
    ESTIMATED = "estimated"  # well, up to a percent, from a constant bit rate
    UNKNOWN = "unknown"


def mpeg_length(path: str) -> MpegLength:
    """Return the source of libmpg123's length of a file."""
    with open_binary(path) as file:
        size, start, head, tail = _ends(file)
        declared = _declared_bytes(head)
        if declared is not None:
            is_whole = size - _tag_bytes(tail) - start <= declared + _TOLERANCE_BYTES
            return MpegLength.DECLARED if is_whole else MpegLength.UNKNOWN
        positions = [start + (size - start) * quarter // 4 for quarter in range(4)]
        samples = [_read(file, position, _SAMPLE_BYTES) for position in positions]
    rates = [rate for sample in samples for rate in _bit_rates(sample)]
    is_constant = len(rates) > len(samples) and len(set(rates)) == 1
    return MpegLength.ESTIMATED if is_constant else MpegLength.UNKNOWN


def frames_span(path: str) -> tuple[int, int] | None:
    """Return the positions in bytes of the first frame with sound and of the end of the last one.

    Returns
    -------
    (int, int) or None
        None unless two Layer III frames follow the start or the ID3v2 tag, or if nothing is left
        between the tags.
    """
    with open_binary(path) as file:
        size, start, head, tail = _ends(file)
    first = _frame(head, 0)
    if first is None or _frame(head, first[1]) is None:
        return None
    has_header = any(name in head[: first[1]] for name in (b"Xing", b"Info", b"VBRI"))
    sound_start = start + (first[1] if has_header else 0)
    sound_end = size - _tag_bytes(tail)
    return (sound_start, sound_end) if sound_start < sound_end else None


def _ends(file: BinaryIO) -> tuple[int, int, bytes, bytes]:
    """Return the size, the end of the ID3v2 tag, the bytes after it, and the last bytes."""
    size = os.fstat(file.fileno()).st_size
    start = skip_id3(file.read(10))
    head = _read(file, start, _TOLERANCE_BYTES)
    tail = _read(file, max(0, size - _ID3V1_BYTES - _APE_FOOTER_BYTES), _TOLERANCE_BYTES)
    return size, start, head, tail


def _read(file: BinaryIO, position: int, n_bytes: int) -> bytes:
    file.seek(position)
    return file.read(n_bytes)


def skip_id3(head: bytes) -> int:
    """Return the position in bytes after an ID3v2 tag, which stores its size in 4 x 7 bits."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _tag_bytes(tail: bytes) -> int:
    """Return the size in bytes of ID3v1 and APE tags, given the last 160 bytes of a file."""
    size = _ID3V1_BYTES if tail[-_ID3V1_BYTES:][:3] == b"TAG" else 0
    footer = tail[: len(tail) - size][-_APE_FOOTER_BYTES:]
    if footer[:8] == b"APETAGEX":
        has_header = footer[23] & 0x80
        size += int.from_bytes(footer[12:16], "little") + (_APE_FOOTER_BYTES if has_header else 0)
    return size


def _declared_bytes(head: bytes) -> int | None:
    """Return the audio size in bytes that a Xing, Info or VBRI header declares, if any."""
    for name in (b"Xing", b"Info"):
        at = head.find(name)
        if at >= 0:
            flags = int.from_bytes(head[at + 4 : at + 8], "big")
            if not flags & _HAS_BYTES:
                return None
            at += 12 if flags & _HAS_FRAMES else 8
            return int.from_bytes(head[at : at + 4], "big")
    at = head.find(b"VBRI")
    return int.from_bytes(head[at + 10 : at + 14], "big") if at >= 0 else None


def _bit_rates(sample: bytes) -> Iterator[int]:
    """Yield the bit rate in kbit/s of each frame in a piece cut out of a file.

    Bytes count as a frame only if another frame follows them.
    """
    at = 0
    while at < len(sample) - 4:
        frame = _frame(sample, at)
        if frame and _frame(sample, at + frame[1]):
            yield frame[0]
            at += frame[1]
        else:
            at += 1


def _frame(sample: bytes, at: int) -> tuple[int, int] | None:
    """Return the bit rate (kbit/s) and length (bytes) of the frame at a position, if any."""
    header = sample[at : at + 4]
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if layer != _LAYER_III or version not in _RATES_HZ or kbits_index == 15 or rate_index == 3:
        return None
    kbits = _BIT_RATES_KBPS[1 if version == 3 else 2][kbits_index]
    samples_by_8 = 144 if version == 3 else 72
    padding = header[2] >> 1 & 1
    length = samples_by_8 * kbits * 1_000 // _RATES_HZ[version][rate_index] + padding
    return (kbits, length) if kbits else None
