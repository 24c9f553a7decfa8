"""The rows of an SQLite file, page by page, whatever is left of its trees.

References
----------
.. [1] "Database File Format", https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"SQLite format 3\0"
_DEFAULT_PAGE_BYTES = 4096
_HEADER_BYTES = 100
_TABLE_LEAF = 0x0D
_WAL_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24


class Pages:
    """The pages of a database file, those in its write-ahead log among them.

    Parameters
    ----------
    content : bytes-like
        The file.
    wal : bytes
        Its write-ahead log; empty where there is none.
    """

    def __init__(self, content: bytes | memoryview, wal: bytes = b"") -> None:
        self._content = content
        self._page_bytes, self._usable_bytes = _page_bytes(bytes(content[:_HEADER_BYTES]), wal)
        self._logged = _committed(wal, self._page_bytes)
        self._n_pages = max(-(-len(content) // self._page_bytes), *self._logged, 0)

    def __getitem__(self, number: int) -> bytes:
        """Return a page, by its number from 1, as far as the file goes."""
        if number in self._logged:
            return self._logged[number]
        start = (number - 1) * self._page_bytes
        return bytes(self._content[start : start + self._page_bytes])

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the rowid and the values of every row that can be read, of every table.

        Free pages, with what was removed, are passed over where the list of them can be read.
        """
        free = self._free()
        for number in range(1, self._n_pages + 1):
            if number not in free:
                page = self[number]
                for at in self._cells(page, _HEADER_BYTES if number == 1 else 0):
                    try:
                        yield self._row(page, at)
                    except (IndexError, ValueError, struct.error):  # damaged
                        continue

    def _cells(self, page: bytes, start: int) -> tuple[int, ...]:
        if len(page) < start + 8 or page[start] != _TABLE_LEAF:
            return ()
        (n_cells,) = struct.unpack_from(">H", page, start + 3)
        n_cells = min(n_cells, (len(page) - start - 8) // 2)
        return struct.unpack_from(f">{n_cells}H", page, start + 8)

    def _row(self, page: bytes, at: int) -> tuple[int, list[Any]]:
        n_bytes, at = _varint(page, at)
        rowid, at = _varint(page, at)
        payload = self._payload(page, at, n_bytes)
        if len(payload) < n_bytes:
            raise ValueError(n_bytes)
        return rowid, _values(payload)

    def _payload(self, page: bytes, at: int, n_bytes: int) -> bytes:
        """Return a cell's payload, of which a long one goes on in pages of its own."""
        usable = self._usable_bytes
        if n_bytes <= usable - 35:
            return page[at : at + n_bytes]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (n_bytes - least) % (usable - 4)
        local = local if local <= usable - 35 else least
        payload = page[at : at + local]
        (number,) = struct.unpack_from(">I", page, at + local)
        seen: set[int] = set()
        while len(payload) < n_bytes and 0 < number <= self._n_pages and number not in seen:
            seen.add(number)
            overflow = self[number]
            (number,) = struct.unpack_from(">I", overflow)
            payload += overflow[4:usable]
        return payload[:n_bytes]

    def _free(self) -> set[int]:
        header = self[1]
        free: set[int] = set()
        if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
            return free
        (trunk,) = struct.unpack_from(">I", header, 32)
        while 0 < trunk <= self._n_pages and trunk not in free:
            free.add(trunk)
            page = self[trunk].ljust(self._page_bytes, b"\0")
            trunk, n_leaves = struct.unpack_from(">II", page)
            free.update(struct.unpack_from(f">{min(n_leaves, len(page) // 4 - 2)}I", page, 8))
        return free


def _page_bytes(header: bytes, wal: bytes) -> tuple[int, int]:
    """Return how large a page is, and how much of it is in use."""
    if header.startswith(_MAGIC):
        (n_bytes,) = struct.unpack_from(">H", header, 16)
        n_bytes = 65_536 if n_bytes == 1 else n_bytes
        if n_bytes >= 512 and not n_bytes & (n_bytes - 1):
            return n_bytes, n_bytes - header[20]
    if len(wal) >= _WAL_HEADER_BYTES:
        (n_bytes,) = struct.unpack_from(">I", wal, 8)
        if 512 <= n_bytes <= 65_536 and not n_bytes & (n_bytes - 1):
            return n_bytes, n_bytes
    return _DEFAULT_PAGE_BYTES, _DEFAULT_PAGE_BYTES


def _committed(wal: bytes, page_bytes: int) -> dict[int, bytes]:
    """Return the pages in a write-ahead log, as of its last commit."""
    committed: dict[int, bytes] = {}
    since: dict[int, bytes] = {}
    salts = wal[16:24]
    for at in range(_WAL_HEADER_BYTES, len(wal), _FRAME_HEADER_BYTES + page_bytes):
        start = at + _FRAME_HEADER_BYTES
        page = wal[start : start + page_bytes]
        if len(page) < page_bytes or wal[at + 8 : at + 16] != salts:  # left from an earlier round
            break
        number, n_pages_at_commit = struct.unpack_from(">II", wal, at)
        since[number] = page
        if n_pages_at_commit:
            committed |= since
            since = {}
    return committed


def _values(record: bytes) -> list[Any]:
    header_end, at = _varint(record, 0)
    if header_end > len(record):
        raise ValueError(header_end)
    kinds = []
    while at < header_end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values = []
    for kind in kinds:
        value, at = _value(record, at, kind)
        values.append(value)
    return values


def _value(record: bytes, at: int, kind: int) -> tuple[Any, int]:
    """Return a value of a serial type, and where the next one begins."""
    constants = {0: None, 8: 0, 9: 1}
    if kind in constants:
        return constants[kind], at
    n_bytes = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8}.get(kind, (kind - 12) // 2)
    content = record[at : at + n_bytes]
    if kind in (10, 11) or len(content) < n_bytes:
        raise ValueError(kind)
    if kind == 7:
        return struct.unpack(">d", content)[0], at + n_bytes
    if kind < 7:
        return int.from_bytes(content, "big", signed=True), at + n_bytes
    return content if kind % 2 == 0 else content.decode(errors="replace"), at + n_bytes


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and where the next one begins."""
    number = 0
    for i in range(8):
        byte = data[at + i]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + i + 1
    return number << 8 | data[at + 8], at + 9
