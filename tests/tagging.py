"""Write tags byte by byte, with several values where a format allows them."""

from __future__ import annotations

import struct
from pathlib import Path

ID3V1_BYTES = 128


def with_id3v2(content: bytes, frames: dict[str, list[str]], version: int = 4) -> bytes:
    """Put an ID3v2 tag before the content of a file. Values of a frame are separated by NUL."""
    body = b""
    for name, values in frames.items():
        frame_id, _, description = name.partition(":")
        text = b"\3" + (f"{description}\0" if description else "").encode()
        text += "\0".join(values).encode()
        size = _synchsafe(len(text)) if version == 4 else struct.pack(">I", len(text))
        body += frame_id.encode() + size + bytes(2) + text
    return b"ID3" + bytes([version, 0, 0]) + _synchsafe(len(body)) + body + content


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def with_id3v1(content: bytes, title: str = "", artist: str = "") -> bytes:
    """Put an ID3v1 tag after the content of a file. Its texts have at most 30 characters."""
    texts = b"".join(text.encode()[:30].ljust(30, b"\0") for text in (title, artist, ""))
    return content + (b"TAG" + texts).ljust(ID3V1_BYTES - 1, b"\0") + b"\xff"


def with_apev2(content: bytes, items: dict[str, list[str]]) -> bytes:
    """Put an APEv2 tag after the content of a file. Values of an item are separated by NUL."""
    body = b""
    for name, values in items.items():
        text = "\0".join(values).encode()
        body += struct.pack("<II", len(text), 0) + name.encode() + b"\0" + text
    header, footer = (
        b"APETAGEX" + struct.pack("<4I", 2_000, len(body) + 32, len(items), flags) + bytes(8)
        for flags in (0xA000_0000, 0x8000_0000)
    )
    return content + header + body + footer


def add_mp4_value(path: Path, atom: bytes, text: str) -> None:
    """Add another value to a tag of an MP4 file whose tags follow the sound."""
    content = path.read_bytes()
    value = struct.pack(">I4sII", 16 + len(text.encode()), b"data", 1, 0) + text.encode()
    position, grow = 0, []
    for name in (b"moov", b"udta", b"meta", b"ilst", atom):
        position = content.index(name, position)
        grow.append(position - 4)
    (size,) = struct.unpack_from(">I", content, grow[-1])
    end = grow[-1] + size
    changed = bytearray(content[:end] + value + content[end:])
    for offset in grow:
        (size,) = struct.unpack_from(">I", changed, offset)
        struct.pack_into(">I", changed, offset, size + len(value))
    path.write_bytes(changed)


def with_cover(content: bytes, image: bytes) -> bytes:
    """Put an ID3v2.3 tag with a cover image before the content of a file."""
    frame = b"\0image/png\0\3\0" + image
    body = b"APIC" + struct.pack(">I", len(frame)) + bytes(2) + frame
    return b"ID3\3\0\0" + _synchsafe(len(body)) + body + content
