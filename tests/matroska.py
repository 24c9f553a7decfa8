"""Matroska files, made byte by byte, whose sound takes long to decode for its size."""

from __future__ import annotations

import struct


def laces(n_bytes: int, *, declared_seconds: float | None = None) -> bytes:
    """A file of packets of one sample each, at 3 MHz: decoding takes 50 us for each byte.

    There is so little sound in it that a decoder reports nothing before its end.
    """
    settings = struct.pack(">d", 3e6)
    audio = _element(0xB5, settings) + _number(0x9F, 1) + _number(0x6264, 8)
    track = b"".join(
        [
            *(_number(0xD7, 1), _number(0x73C5, 1), _number(0x83, 2)),
            *(_element(0x86, b"A_PCM/INT/LIT"), _element(0xE1, audio)),
        ]
    )
    info = _number(0x2AD7B1, 1_000_000)
    if declared_seconds is not None:
        info += _element(0x4489, struct.pack(">d", 1e3 * declared_seconds))
    # A block of track 1 with 256 packets of the same size ("fixed-size lacing").
    block = _element(0xA3, b"\x81\0\0\x84\xff" + bytes(range(256)))
    cluster = _number(0xE7, 0) + block * (n_bytes // len(block))
    parts = _element(0x1549A966, info) + _element(0x1654AE6B, _element(0xAE, track))
    segment = _element(0x18538067, parts + _element(0x1F43B675, cluster))
    return _element(0x1A45DFA3, _element(0x4282, b"matroska")) + segment


def _element(identifier: int, content: bytes) -> bytes:
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))
