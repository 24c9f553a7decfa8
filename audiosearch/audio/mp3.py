"""Whether libmpg123 can know how long an MPEG audio file is.

It goes by the first frame where encoders wrote the length there, and else by the bit rate of
the first frames: files of variable bit rate without that header, and several files joined
into one, lose their end.

References
----------
.. [1] ISO/IEC 11172-3, section 2.4.1.3: the frame header.
.. [2] "Xing", "Info" and "VBRI" headers, as LAME and Fraunhofer's encoder write them into
   the first frame.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_SLACK_BYTES = 4_096  # a quarter of a second at a usual rate
_ID3V1_BYTES, _APE_FOOTER_BYTES = 128, 32
_HAS_FRAMES, _HAS_BYTES = 1, 2

# Layer III's bit rates in kbit/s by index, and sample rates in Hz, by MPEG version.
_KBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_LAYER_III = 1
_SAMPLED_BYTES = 16_384  # some ten to a hundred frames


def length_is_known(path: str) -> bool:
    """Return whether a file says how long it is, for all of it, or has one bit rate."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = _skip_id3(file.read(10))
        head = _read(file, start, _SLACK_BYTES)
        tail = _read(file, max(0, size - _ID3V1_BYTES - _APE_FOOTER_BYTES), _SLACK_BYTES)
        declared = _declared_bytes(head)
        if declared is not None:
            return size - _tag_bytes(tail) - start <= declared + _SLACK_BYTES
        places = [start + (size - start) * quarter // 4 for quarter in range(4)]
        samples = [_read(file, place, _SAMPLED_BYTES) for place in places]
    rates = [kbits for sample in samples for kbits in _bit_rates(sample)]
    return len(rates) > len(samples) and len(set(rates)) == 1


def _read(file: BinaryIO, at: int, n_bytes: int) -> bytes:
    file.seek(at)
    return file.read(n_bytes)


def _skip_id3(head: bytes) -> int:
    """Return where sound begins, after an ID3v2 tag whose size is in four times 7 bits."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _tag_bytes(tail: bytes) -> int:
    """Return the size of the ID3v1 and APE tags at the end, by a file's last 160 bytes."""
    size = _ID3V1_BYTES if tail[-_ID3V1_BYTES:][:3] == b"TAG" else 0
    footer = tail[: len(tail) - size][-_APE_FOOTER_BYTES:]
    if footer[:8] == b"APETAGEX":
        has_header = footer[23] & 0x80
        size += int.from_bytes(footer[12:16], "little") + (_APE_FOOTER_BYTES if has_header else 0)
    return size


def _declared_bytes(head: bytes) -> int | None:
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
    """Yield the bit rates of the frames in a piece of a file that is cut anywhere.

    A frame is believed where another one follows it.
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
    """Return bit rate (kbit/s) and length (bytes) of the frame at a place, if there is one."""
    header = sample[at : at + 4]
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if layer != _LAYER_III or version not in _RATES_HZ or kbits_index == 15 or rate_index == 3:
        return None
    kbits = _KBITS[1 if version == 3 else 2][kbits_index]
    samples_by_8 = 144 if version == 3 else 72
    padding = header[2] >> 1 & 1
    length = samples_by_8 * kbits * 1_000 // _RATES_HZ[version][rate_index] + padding
    return (kbits, length) if kbits else None
