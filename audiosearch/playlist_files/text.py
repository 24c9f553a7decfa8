"""Text of playlist files, in the encodings that programs write.

Bytes that aren't UTF-8 are kept with ``surrogateescape``, as in paths. Only the reader of a path
can find out what they mean, by trying which file exists.
"""

from __future__ import annotations

import codecs
import io
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Encodings of programs that don't write Unicode, the most common first.
_LEGACY_ENCODINGS = ("cp1252", "latin-1", "mac_roman", "cp1251", "cp932")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAX_LINES = 2_000_000  # of a text file, comments and empty lines included
MAX_PATH_LENGTH = 4_096  # characters; Linux allows as many bytes
_CLOCK = re.compile(r"(?:([0-9]{1,6}):)?([0-9]{1,6}):([0-9]{1,6}(?:\.[0-9]*)?)")


class TooLarge(Exception):
    """A playlist file exceeds a limit. The message is a phrase that follows its name."""


def decode_text(content: bytes) -> str:
    r"""Return the text of a file in UTF-8, UTF-16 or UTF-32, with or without byte order mark.

    Examples
    --------
    >>> decode_text("é".encode("utf-16")), decode_text(b"caf\xe9")
    ('é', 'caf\udce9')
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if content[1:4:2] == b"\0\0":  # two ASCII characters, such as those of #EXTM3U
        return content.decode("utf-16-le", errors="replace")
    if content[0:3:2] == b"\0\0":
        return content.decode("utf-16-be", errors="replace")
    return content.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")


def lines_of(content: bytes) -> Iterator[str]:
    """Yield the lines of a text file that may end like those of any operating system.

    Raises
    ------
    TooLarge
        If there are more than `MAX_LINES`.
    """
    for number, line in enumerate(io.StringIO(decode_text(content), newline=None)):
        if number == MAX_LINES:
            raise TooLarge(f"it has more than {MAX_LINES:,} lines")
        yield line.removesuffix("\n").lstrip("\ufeff")


def in_legacy_encodings(text: str) -> list[str]:
    """Return the texts that bytes which aren't UTF-8 may mean; empty if there are none.

    Parameters
    ----------
    text : str
        Text with these bytes as surrogates.
    """
    raw = text.encode(errors="surrogateescape")
    if is_utf8(text):
        return []
    texts = []
    for encoding in _LEGACY_ENCODINGS:
        try:
            texts.append(raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return texts


def is_utf8(text: str) -> bool:
    """Return whether a text can be written as UTF-8: whether it has no surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(text: str) -> str:
    """Return a text without surrogates, by guessing the encoding of bytes that aren't UTF-8.

    Examples
    --------
    >>> readable("caf" + chr(0xDCE9))
    'café'
    """
    try:
        return next(iter(in_legacy_encodings(text)), text)
    except UnicodeEncodeError:  # surrogates that don't stand for bytes
        return text.encode(errors="replace").decode()


def is_usable_path(path: str) -> bool:
    """Return whether a file can have this path."""
    try:
        path.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return bool(path.strip()) and "\0" not in path and len(path) <= MAX_PATH_LENGTH


def parse_seconds(text: str, *, units_per_second: float = 1) -> float:
    """Return a duration in seconds; 0 if the text isn't a positive duration.

    Parameters
    ----------
    text : str
        A number, or a time such as "3:45" or "1:02:05".
    units_per_second : float
        Unit of a number.

    Examples
    --------
    >>> parse_seconds("12.5"), parse_seconds("3:45"), parse_seconds("-1"), parse_seconds("1.2.3")
    (12.5, 225.0, 0.0, 0.0)
    >>> parse_seconds("12500", units_per_second=1_000)
    12.5
    """
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        return 3_600 * hours + 60 * minutes + seconds
    try:
        number = float(text) / units_per_second
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
