"""Tell by a file's first bytes whether all browsers play it: Chromium, Firefox and Safari.

The name of a file, or of its container, doesn't tell this: a wav may hold ADPCM, an m4a ALAC. All
other files are converted before they are played.

References
----------
.. [1] RFC 9639 (FLAC), RFC 7845 (Ogg Opus), Vorbis I specification, section 4.2.2.
.. [2] ISO/IEC 14496-12 and -14 (boxes and ``esds``), 14496-3 (AudioSpecificConfig).
.. [3] Microsoft's ``WAVEFORMATEX`` and ``WAVEFORMATEXTENSIBLE``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, cast

from audiosearch.audio.containers import sound_chunks
from audiosearch.audio.mp3 import frames_span, skip_id3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_RATES_HZ = range(3_000, 192_001)
_MAX_CHANNELS = 2  # of more, browsers guess the places, or play only some
_PCM, _EXTENSIBLE = 1, 0xFFFE  # format tags of wav
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
_PCM_BITS = (8, 16, 24)  # Firefox plays other integers and floats as silence or not at all
_FLAC_BITS = (16, 24)
_MP4_PATH = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_AAC = (0x40, 0x67)  # object types of an elementary stream: MPEG-4, and MPEG-2 of low complexity
_AAC_PROFILES = (2, 5, 29)  # low complexity, and high efficiency 1 and 2
_MAX_READS = 1_000  # of one file: nested boxes and empty chunks could ask for millions
_MAX_BYTES = 4_096  # of one read


class _Sound(NamedTuple):
    """A sound that browsers may play: its media type, number of channels and sample rate."""

    media_type: str
    channels: int
    rate_hz: int


def browser_media_type(path: str) -> str | None:
    """Return the media type of a file that all browsers play; None for any other file.

    Parameters
    ----------
    path : str
        Only the content of the file counts, not its name.

    Raises
    ------
    OSError
        If it can't be read.
    """
    with open(path, "rb") as file:
        try:
            sound = _sound(path, _BoundedFile(file))
        except (EOFError, IndexError):  # it is cut short, or has too many parts
            return None
    if sound is None or not 1 <= sound.channels <= _MAX_CHANNELS or sound.rate_hz not in _RATES_HZ:
        return None
    return sound.media_type


def _sound(path: str, file: _BoundedFile) -> _Sound | None:
    head = file.at(0, 64)
    if head.startswith(b"RIFF"):
        return _wav(file)
    if head.startswith(b"OggS"):
        return _ogg(file)
    if head[4:8] == b"ftyp":
        return _mp4(file)
    start = skip_id3(head)
    if file.at(start, 4) == b"fLaC":
        return _flac(file.at(start + 8, 34))
    # Layer III has no rates or channels that browsers lack. The free format is no frame here.
    return _Sound("audio/mpeg", 2, 44_100) if frames_span(path) else None


class _BoundedFile:
    """A file from which a bounded number of small pieces can be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._n_left = _MAX_READS
        self.size = os.fstat(file.fileno()).st_size

    def at(self, position: int, n_bytes: int) -> bytes:
        """Return the bytes at a position; fewer at the end of the file."""
        self.seek(position)
        return self.read(n_bytes)

    def seek(self, position: int) -> int:
        """Move to a position in bytes."""
        return self._file.seek(min(position, self.size))

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes.

        Raises
        ------
        EOFError
            If too many pieces have been read.
        """
        self._n_left -= 1
        if self._n_left < 0:
            raise EOFError
        return self._file.read(min(n_bytes, _MAX_BYTES))


def _number(content: bytes, start: int, n_bytes: int = 2) -> int:
    """Return a number in little-endian byte order."""
    return int.from_bytes(content[start : start + n_bytes], "little")


def _wav(file: _BoundedFile) -> _Sound | None:
    chunks = sound_chunks(cast("BinaryIO", file))
    if [chunk.name for chunk in chunks] != [b"fmt ", b"data"]:
        return None
    fmt, data = chunks
    if not data.n_bytes or data.start + data.n_bytes > file.size:  # a wrong length
        return None
    content = file.at(fmt.start, min(fmt.n_bytes, 40))
    tag, channels, bits = _number(content, 0), _number(content, 2), _number(content, 14)
    if tag == _EXTENSIBLE and content[24:40] == _PCM_GUID and _number(content, 18) == bits:
        tag = _PCM
    if tag != _PCM or bits not in _PCM_BITS or _number(content, 12) != channels * bits // 8:
        return None
    return _Sound("audio/wav", channels, _number(content, 4, 4))


def _flac(info: bytes) -> _Sound | None:
    """Read the 34 bytes of a FLAC's ``STREAMINFO``."""
    facts = int.from_bytes(info[10:18], "big")
    rate, channels, bits = facts >> 44, (facts >> 41 & 7) + 1, (facts >> 36 & 31) + 1
    return _Sound("audio/flac", channels, rate) if bits in _FLAC_BITS else None


def _ogg(file: _BoundedFile) -> _Sound | None:
    head = file.at(0, 512)
    packet = head[27 + head[26] :]
    if packet.startswith(b"\x01vorbis"):
        return _Sound("audio/ogg", packet[11], _number(packet, 12, 4))
    if packet.startswith(b"OpusHead"):
        return _Sound("audio/ogg", packet[9], 48_000)
    return None


def _mp4(file: _BoundedFile) -> _Sound | None:
    for start, end in _boxes(file, b"moov", (0, file.size)):
        for entries in _boxes_at(file, _MP4_PATH, (start, end)):
            entry = file.at(entries[0] + 8, 128)  # after the version and the number of entries
            if entry[4:8] in {b"mp4a", b"alac", b"ac-3", b"ec-3", b"Opus", b"fLaC", b"enca"}:
                return _mp4_audio(entry)
    return None


def _boxes(file: _BoundedFile, kind: bytes, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the positions of the contents of boxes of a kind: start and end in bytes."""
    position, end = span
    while position + 8 <= end:
        head = file.at(position, 16)
        n_bytes, n_head = int.from_bytes(head[:4], "big"), 8
        if n_bytes == 1:
            n_bytes, n_head = int.from_bytes(head[8:16], "big"), 16
        elif n_bytes == 0:
            n_bytes = end - position
        if n_bytes < n_head:
            return
        if head[4:8] == kind:
            yield position + n_head, min(position + n_bytes, end)
        position += n_bytes


def _boxes_at(
    file: _BoundedFile, kinds: tuple[bytes, ...], span: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Yield the positions of the contents of nested boxes."""
    for inner in _boxes(file, kinds[0], span):
        if len(kinds) == 1:
            yield inner
        else:
            yield from _boxes_at(file, kinds[1:], inner)


def _mp4_audio(entry: bytes) -> _Sound | None:
    """Read a sample entry of an mp4: AAC, unless it is none or in QuickTime's older form."""
    version, rate = int.from_bytes(entry[16:18], "big"), int.from_bytes(entry[32:34], "big")
    if entry[4:8] != b"mp4a" or version or entry[40:44] != b"esds":
        return None
    _, body = _descriptor(entry[48:], 3)
    kind, body = _descriptor(body[3:], 4)  # after the id and flags
    profile, settings = _descriptor(body[13:], 5)
    if not (kind and profile) or body[0] not in _AAC:
        return None
    channels = int.from_bytes(settings[:2], "big") >> 3 & 15
    return _Sound("audio/mp4", channels, rate) if settings[0] >> 3 in _AAC_PROFILES else None


def _descriptor(content: bytes, tag: int) -> tuple[bool, bytes]:
    """Return whether a descriptor has a tag, and its bytes after the length."""
    at = 1
    while content[at] & 0x80:
        at += 1
    return content[0] == tag, content[at + 1 :]
