"""Read the rows of a damaged SQLite file page by page, without its B-trees.

References
----------
.. [1] "Database File Format", https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from audiosearch.library.sqlite.write_ahead_log import (
    DATABASE_HEADER_BYTES,
    MAGIC,
    committed_pages,
    page_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE_LEAF = 0x0D


class Pages:
    """The pages of a database file and its write-ahead log.

    Parameters
    ----------
    content : bytes-like
        Content of the file.
    wal : bytes
        Content of the write-ahead log; empty if there is none.
    """

    def __init__(self, content: bytes | memoryview, wal: bytes = b"") -> None:
        self._content = content
        header = bytes(content[:DATABASE_HEADER_BYTES])
        self._page_bytes = page_bytes(header, wal)
        is_intact = header.startswith(MAGIC) and len(header) == DATABASE_HEADER_BYTES
        self._usable_bytes = self._page_bytes - (header[20] if is_intact else 0)
        self._logged = {
            number: wal[offset : offset + self._page_bytes]
            for number, offset in committed_pages(
                lambda n, at: wal[at : at + n], len(wal), self._page_bytes
            )
        }
        self._n_pages = max(-(-len(content) // self._page_bytes), *self._logged, 0)

    def __getitem__(self, number: int) -> bytes:
        """Return a page by its number, from 1. It is shorter or empty if the file is truncated."""
        start = (number - 1) * self._page_bytes
        return self._logged.get(number) or bytes(self._content[start : start + self._page_bytes])

    def to_bytes(self) -> Iterator[bytes]:
        """Yield the pages, as a database that needs no log. Missing parts are zero."""
        for number in range(1, self._n_pages + 1):
            yield self[number].ljust(self._page_bytes, b"\0")

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the rowid and the values of every row of every table that can be read.

        Free pages hold removed rows. They are skipped if the list of free pages can be read.
        """
        free = self._free()
        for number in range(1, self._n_pages + 1):
            if number not in free:
                page = self[number]
                for offset in self._cells(page, DATABASE_HEADER_BYTES if number == 1 else 0):
                    try:
                        yield self._row(page, offset)
                    except (IndexError, ValueError, struct.error):  # damaged
                        continue

    def _cells(self, page: bytes, start: int) -> tuple[int, ...]:
        if len(page) < start + 8 or page[start] != _TABLE_LEAF:
            return ()
        (n_cells,) = struct.unpack_from(">H", page, start + 3)
        n_cells = min(n_cells, (len(page) - start - 8) // 2)
        return struct.unpack_from(f">{n_cells}H", page, start + 8)

    def _row(self, page: bytes, offset: int) -> tuple[int, list[Any]]:
        n_bytes, offset = _varint(page, offset)
        rowid, offset = _varint(page, offset)
        payload = self._payload(page, offset, n_bytes)
        if len(payload) < n_bytes:
            raise ValueError(n_bytes)
        return rowid, _values(payload)

    def _payload(self, page: bytes, offset: int, n_bytes: int) -> bytes:
        """Return a cell's payload, including the part of it in overflow pages."""
        usable = self._usable_bytes
        if n_bytes <= usable - 35:
            return page[offset : offset + n_bytes]
        minimum = (usable - 12) * 32 // 255 - 23
        local = minimum + (n_bytes - minimum) % (usable - 4)
        local = local if local <= usable - 35 else minimum
        payload = bytearray(page[offset : offset + local])
        (number,) = struct.unpack_from(">I", page, offset + local)
        seen: set[int] = set()
        while len(payload) < n_bytes and 0 < number <= self._n_pages and number not in seen:
            seen.add(number)
            overflow = self[number]
            (number,) = struct.unpack_from(">I", overflow)
            payload += overflow[4:usable]
        return bytes(payload[:n_bytes])

    def _free(self) -> set[int]:
        header = self[1]
        free: set[int] = set()
        if not header.startswith(MAGIC) or len(header) < DATABASE_HEADER_BYTES:
            return free
        (trunk,) = struct.unpack_from(">I", header, 32)
        while 0 < trunk <= self._n_pages and trunk not in free:
            free.add(trunk)
            page = self[trunk].ljust(self._page_bytes, b"\0")
            trunk, n_leaves = struct.unpack_from(">II", page)
            free.update(struct.unpack_from(f">{min(n_leaves, len(page) // 4 - 2)}I", page, 8))
        return free


def _values(record: bytes) -> list[Any]:
    header_end, offset = _varint(record, 0)
    if header_end > len(record):
        raise ValueError(header_end)
    types = []
    while offset < header_end:
        serial_type, offset = _varint(record, offset)
        types.append(serial_type)
    values = []
    for serial_type in types:
        value, offset = _value(record, offset, serial_type)
        values.append(value)
    return values


def _value(record: bytes, offset: int, serial_type: int) -> tuple[Any, int]:
    """Decode the value of a serial type. Return it and the offset of the next value."""
    constants = {0: None, 8: 0, 9: 1}
    if serial_type in constants:
        return constants[serial_type], offset
    n_bytes = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8}.get(serial_type, (serial_type - 12) // 2)
    content = record[offset : offset + n_bytes]
    if serial_type in (10, 11) or len(content) < n_bytes:
        raise ValueError(serial_type)
    if serial_type == 7:
        return struct.unpack(">d", content)[0], offset + n_bytes
    if serial_type < 7:
        return int.from_bytes(content, "big", signed=True), offset + n_bytes
    return content if serial_type % 2 == 0 else content.decode(errors="replace"), offset + n_bytes


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """Decode a number of one to nine bytes. Return it and the offset after it."""
    number = 0
    for i in range(8):
        byte = data[offset + i]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, offset + i + 1
    return number << 8 | data[offset + 8], offset + 9
