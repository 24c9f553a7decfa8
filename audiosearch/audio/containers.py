"""Tell from a container's bytes whether a file is complete, without decoding it.

Decoders don't report all of this: some stop silently at the end of the first of two joined files,
or estimate the length of a file that is cut short.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from audiosearch.audio.parts import is_in_parts, open_binary
from audiosearch.audio.recording import CUT_SHORT, WRONG_LENGTH

if TYPE_CHECKING:
    from typing import BinaryIO


_Order: TypeAlias = Literal["big", "little"]


class _SizeField(NamedTuple):
    """Position of a size in a file's head, and the bytes that this size leaves out."""

    start: int
    stop: int
    order: _Order
    n_not_counted: int


class Chunk(NamedTuple):
    """A part of a wav or aiff: its name, position, size in bytes, and byte order."""

    name: bytes
    start: int
    n_bytes: int
    order: _Order


_SAMPLE_CHUNKS = {b"data", b"SSND"}
_SOUND_CHUNKS = _SAMPLE_CHUNKS | {b"fmt ", b"COMM"}
_SIZE_FIELDS = {
    b"RIFF": _SizeField(4, 8, "little", 8),  # wav, avi
    b"RIFX": _SizeField(4, 8, "big", 8),
    b"RF64": _SizeField(20, 28, "little", 8),
    b"FORM": _SizeField(4, 8, "big", 8),  # aiff
    b".snd": _SizeField(8, 12, "big", 24),  # au
    b"FRM8": _SizeField(4, 12, "big", 12),  # dff
    b"DSD ": _SizeField(12, 20, "little", 0),  # dsf
    b"riff": _SizeField(16, 24, "little", 0),  # w64
}
_ASF, _ASF_PROPERTIES = bytes.fromhex("3026b2758e66cf11"), bytes.fromhex("a1dcab8c47a9cf11")
_HEAD_BYTES = 8_192
_TOLERANCE_BYTES = 64  # some programs count the first bytes too
_STREAMED_BYTES = 0x7F00_0000  # programs that write to a pipe declare this size or more
_OGG_PAGE_BYTES = 65_307  # at most
_OGG_END_OF_STREAM = 4  # flag
_WRAP_BYTES = 2**32 - 2**16

#: The first bytes of formats whose decoders may stop at a second file that is joined to the first.
_STARTS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"fLaC\0\0\0\x22",
        rb"OggS\0[\x02\x06]",  # the first page of a stream
        *(rb"(?:RIFF|RIFX|RF64)....(?:WAVE|AVI )", rb"FORM....AIF[FC]", rb"....ftyp"),
        *(rb"TTA1[\x01-\x03]", rb"caff\0\x01..desc", rb"DSD \x1c\0{7}", rb"FRM8.{8}DSD "),
        rb"\.snd\0\0\0.{5}\0\0\0[\x01-\x1b]",  # au
        rb"FLV\x01[\x01\x04\x05]\0\0\0\x09",
        rb"wvpk.{12}\0{4}",  # a block that starts at sample 0
        rb"\x1a\x45\xdf\xa3.{1,8}\x42\x86",  # matroska
        re.escape(_ASF),
    )
]
_START_BYTES = 32


def container_damage(path: str) -> str | None:
    """Return what a file's container reveals about its length; None if nothing is wrong.

    Returns
    -------
    str or None
        `CUT_SHORT` if the file is shorter than declared, or lacks the last page of an Ogg stream.
        `WRONG_LENGTH` if a wav or aiff declares no samples although it has some, or 4 GiB too few.
    """
    with open_binary(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEAD_BYTES)
        if _length_is_wrong(file, size):
            return WRONG_LENGTH
        if head.startswith(b"OggS"):
            is_cut = not _ends_an_ogg_stream(file, size)
        else:
            is_cut = size + _TOLERANCE_BYTES < _declared_bytes(head)
    return CUT_SHORT if is_cut else None


def _declared_bytes(head: bytes) -> int:
    """Return the size in bytes that a file declares; 0 if it declares none, or was streamed."""
    if head.startswith(_ASF) and (at := head.find(_ASF_PROPERTIES)) >= 0:
        return int.from_bytes(head[at + 40 : at + 48], "little")
    if head.startswith(b"caff"):
        return _declared_caf_bytes(head)
    field = _SIZE_FIELDS.get(head[:4])
    if field is None:
        return 0
    declared = int.from_bytes(head[field.start : field.stop], field.order)
    streamed = _STREAMED_BYTES if field.stop - field.start == 4 else _STREAMED_BYTES << 32
    return declared + field.n_not_counted if declared < streamed else 0


def _declared_caf_bytes(head: bytes) -> int:
    position = 8
    while len(header := head[position : position + 12]) == 12:
        n_bytes = int.from_bytes(header[4:], "big", signed=True)
        if header[:4] == b"data":
            return position + 12 + n_bytes  # -1 if it is unknown
        position += 12 + max(0, n_bytes)
    return 0


def _ends_an_ogg_stream(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - 2 * _OGG_PAGE_BYTES))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    is_whole = len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return is_whole and bool(page[5] & _OGG_END_OF_STREAM)


def next_start(path: str, position: int) -> int | None:
    """Return the position of another file that is joined to a file of the same format, if any.

    Parameters
    ----------
    path : str
    position : int
        Position in bytes up to which the first file was decoded.

    Returns
    -------
    int or None
        Position in bytes of the other file's first byte. None for a file that is fetched in parts:
        the search would fetch all of it.
    """
    if is_in_parts(path):
        return None
    with open(path, "rb") as file:
        head = file.read(_START_BYTES)
        pattern = next((pattern for pattern in _STARTS if pattern.match(head)), None)
        if pattern is None:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = pattern.search(content, max(position, 1))  # a file's own start doesn't count
            return start.start() if start else None


def _length_is_wrong(file: BinaryIO, size: int) -> bool:
    for chunk in sound_chunks(file)[-1:]:
        n_left = size - chunk.start - chunk.n_bytes
        if n_left >= _WRAP_BYTES:
            return True
        if chunk.n_bytes == 0 and n_left > 8:
            file.seek(chunk.start)
            if not _is_chunk(file.read(8), chunk.order, n_left):
                return True
    return False


def streamed_head(file: BinaryIO) -> bytes:
    """Return a wav's bytes up to the samples, changed to declare that their number is unknown."""
    for chunk in sound_chunks(file):
        if chunk.name == b"data":
            file.seek(0)
            return file.read(chunk.start - 4) + b"\xff" * 4
    return b""


def sound_chunks(file: BinaryIO) -> list[Chunk]:
    """Return the chunks that make the sound of a wav or aiff; the samples are the last one.

    The list is empty for other files, and for those without samples.
    """
    chunks = []
    file.seek(0)
    head = file.read(12)
    order: _Order = "little" if head[:4] == b"RIFF" else "big"
    if (head[:4], head[8:11]) not in {(b"RIFF", b"WAV"), (b"FORM", b"AIF")}:
        return []
    position = 12
    while len(header := file.read(8)) == 8 and header[:4] != bytes(4):  # zeros are no chunk
        n_bytes = int.from_bytes(header[4:], order)
        if header[:4] in _SOUND_CHUNKS:
            chunks.append(Chunk(header[:4], position + 8, n_bytes, order))
        if header[:4] in _SAMPLE_CHUNKS:
            return chunks
        position += 8 + n_bytes + n_bytes % 2
        file.seek(position)
    return []


def _is_chunk(header: bytes, order: _Order, n_left: int) -> bool:
    """Return whether 8 bytes look like the header of a chunk that fits into the rest of a file."""
    name, n_bytes = header[:4], int.from_bytes(header[4:], order)
    return name.isascii() and name.decode().isprintable() and n_bytes <= n_left
