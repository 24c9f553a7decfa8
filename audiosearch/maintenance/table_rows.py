"""Rows of a CSV file that any program may have written."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be read, and the reason."""

    reason: str


_MAX_COLUMNS = 1_000
_DELIMITERS = ",;\t|"
_TOO_MANY_FIELDS = BadRow(
    "more fields than the header (put double quotes around a field that contains the delimiter)"
)
_OPEN_QUOTES = BadRow("a double quote is not closed")


def table_rows(text: str, names: Container[str]) -> list[dict[str, Any] | BadRow]:
    """Return the rows of a table, with the names in the header as keys.

    The delimiter is the one with which the header has the most of the known names, or else the most
    fields.

    Parameters
    ----------
    text : str
    names : container of str
        Known names of fields.

    Raises
    ------
    ValueError
        If it has too many columns.
    csv.Error
        If a field is too long.
    """

    def n_fields(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        return sum(name in names for name in header), len(header)

    named = re.match(r"sep=(.)\r?\n", text)  # Excel's way to name the delimiter
    if named:
        delimiter, text = named[1], text[named.end() :]
    else:
        delimiter = max(_DELIMITERS, key=n_fields)
    lines = io.StringIO(text, newline="").readlines()
    read: Iterable[list[str] | BadRow] = csv.reader(lines, delimiter=delimiter)
    if not _has_valid_quotes(lines, delimiter):  # the quotes of one row must not swallow the next
        read = (_fields_of_line(line, delimiter) for line in lines)
    rows = [row for row in read if row]
    while rows and isinstance(rows[-1], list) and not any(rows[-1]):
        rows.pop()  # spreadsheets write delimiters after the last row
    header = rows.pop(0) if rows else []
    if isinstance(header, list) and len(header) > _MAX_COLUMNS:
        raise ValueError(f"it has more than {_MAX_COLUMNS:,} columns")
    return [_as_dict(header, row) for row in rows] if isinstance(header, list) else []


def _as_dict(header: list[str], row: list[str] | BadRow) -> dict[str, Any] | BadRow:
    if isinstance(row, BadRow):
        return row
    if any(row[len(header) :]):
        return _TOO_MANY_FIELDS
    return dict(itertools.zip_longest(header, row[: len(header)]))


def _fields_of_line(line: str, delimiter: str) -> list[str] | BadRow:
    """Return the fields in a line of its own, or the reason why it has none."""
    fields = next(csv.reader([line], delimiter=delimiter), [])
    return _OPEN_QUOTES if any("\n" in field or "\r" in field for field in fields) else fields


def _has_valid_quotes(lines: list[str], delimiter: str) -> bool:
    """Return whether every double quote in a table is closed before a delimiter or line end."""
    try:
        deque(csv.reader(lines, delimiter=delimiter, strict=True), maxlen=0)
    except csv.Error:
        return False
    return True
