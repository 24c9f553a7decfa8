"""APEv2 tags at the end of a file, as in .ape, .wv, .mpc and some .mp3 files.

References
----------
.. [1] "APEv2 specification", https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from audiosearch.audio.parts import open_binary

if TYPE_CHECKING:
    from typing import BinaryIO

_MAGIC = b"APETAGEX"
_FOOTER_BYTES, _ID3V1_BYTES = 32, 128
_MAX_BYTES = 64 << 20  # with images; larger sizes are errors
_KIND_BITS, _IS_TEXT = 0b110, 0  # of the flags of an item


def read_apev2(path: str) -> dict[str, list[str]]:
    """Return the texts of an APEv2 tag, by lower-case name; empty if there is no tag.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    with open_binary(path) as file:
        items = _items(file)
    result: dict[str, list[str]] = {}
    start = 0
    while start + 8 < len(items):
        n_bytes, flags = struct.unpack_from("<II", items, start)
        name_end = items.find(b"\0", start + 8)
        if name_end <= start + 8:  # an item has a name
            break
        name = items[start + 8 : name_end].decode(errors="replace").lower()
        start = name_end + 1 + n_bytes
        if flags & _KIND_BITS == _IS_TEXT:
            text = items[name_end + 1 : start].decode(errors="replace")
            result.setdefault(name, []).extend(text.split("\0"))
    return result


def _items(file: BinaryIO) -> bytes:
    """Return the bytes of the items. The tag ends with the file, or before an ID3v1 tag."""
    end = file.seek(0, os.SEEK_END)
    for footer_end in (end, end - _ID3V1_BYTES):
        start = footer_end - _FOOTER_BYTES
        if start < 0:
            continue
        file.seek(start)
        footer = file.read(_FOOTER_BYTES)
        if footer.startswith(_MAGIC):
            (n_bytes,) = struct.unpack_from("<I", footer, 12)  # of the items and the footer
            if _FOOTER_BYTES <= n_bytes <= min(footer_end, _MAX_BYTES):
                file.seek(footer_end - n_bytes)
                return file.read(n_bytes - _FOOTER_BYTES)
    return b""
