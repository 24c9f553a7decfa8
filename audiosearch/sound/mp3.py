"""Whether an MPEG audio file says truly how long it is.

References
----------
.. [1] "MP3 VBR headers: Xing, Info and VBRI", as LAME and Fraunhofer's encoder write them
   into the first frame.
"""

from __future__ import annotations

import os

_SCANNED_BYTES = 4_096
_SLACK_BYTES = 4_096  # a quarter of a second at a usual rate
_ID3V1_BYTES, _APE_FOOTER_BYTES = 128, 32
_HAS_FRAMES, _HAS_BYTES = 1, 2


def declares_its_length(path: str) -> bool:
    """Return whether the first frame declares a length that covers the file.

    Where it does not, libmpg123 guesses the length from the first frames' bit rate, and
    decodes no further: files of variable bit rate, and several joined into one, lose their end.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = _skip_id3(file.read(10))
        file.seek(start)
        head = file.read(_SCANNED_BYTES)
        file.seek(max(0, size - _ID3V1_BYTES - _APE_FOOTER_BYTES))
        end = size - _tag_bytes(file.read())
    declared = _declared_bytes(head)
    return declared is not None and end - start <= declared + _SLACK_BYTES


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
    size = _ID3V1_BYTES if tail[-_ID3V1_BYTES : -_ID3V1_BYTES + 3] == b"TAG" else 0
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
