"""Data on standard output, in the requested format."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from audiosearch.cli.text import SOUNDS, joined_names, printable
from audiosearch.errors import UsageError
from audiosearch.escapes import json_text

Row = Mapping[str, Any]

# Beginnings of cells that spreadsheet programs read as formulas: = + - @, and the same in full
# width. Some programs skip white space before them.
_FORMULA = re.compile("[\t\r\n\0]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")


class Format(str, Enum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"


class MomentFormat(str, Enum):
    """Output formats of stretches: all of `Format`, and those of other programs."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"
    AUDACITY = "audacity"
    RAVEN = "raven"
    M3U8 = "m3u8"


def show_rows(
    rows: Sequence[Row],
    *,
    key: str,
    columns: Sequence[str],
    output: Format,
    null: bool = False,
    csv_safe: bool = False,
    about: Row | None = None,
) -> None:
    """Print rows in a format.

    Parameters
    ----------
    rows : sequence of mappings
        Rows that all have the same keys. The paths formats need a "path" key.
    key : str
        Name of the rows in JSON: ``{**about, key: rows}``.
    columns : sequence of str
        Keys that a table shows, in order.
    output : Format
    null : bool
        Print NUL-separated paths instead of ``output``.
    csv_safe : bool
        Put a single quote before CSV cells that spreadsheet programs would read as formulas.
    about : mapping, optional
        Further keys of the JSON object.

    Raises
    ------
    UsageError
        If paths are requested and the rows have none.
    """
    if (null or output is Format.PATHS) and rows and "path" not in rows[0]:
        raise UsageError(
            f"The {key} have no paths to print.", hint="Use --format table, json or csv."
        )
    if null:
        _write_paths(rows, end=b"\0")
    elif output is Format.PATHS:
        _write_paths(rows, end=b"\n")
    elif output is Format.JSON:
        print_json({**(about or {}), key: list(rows)})
    elif output is Format.JSONL:
        for row in rows:
            print_json(row, indent=None)
    elif output is Format.CSV:
        _write_csv(rows, columns, is_safe=csv_safe)
    elif rows and sys.stdout.isatty():
        from audiosearch.cli.terminal_table import print_table

        print_table(rows, columns)
    else:
        for row in rows:
            print("\t".join(_cell(column, row[column]) for column in columns))


def show_facts(facts: Row, output: Format, *, csv_safe: bool = False) -> None:
    """Print the facts about one thing: a JSON object, a CSV row, or a table with a line per fact.

    See `show_rows` for the parameters.

    Raises
    ------
    UsageError
        If paths are requested.
    """
    if output is Format.PATHS:
        raise UsageError(
            "There are no paths to print here.", hint="Use --format table, json or csv."
        )
    if output is Format.JSON:
        print_json(facts)
    elif output is not Format.TABLE:
        show_rows([facts], key="facts", columns=list(facts), output=output, csv_safe=csv_safe)
    else:
        rows = [{"fact": name, "value": value} for name, value in facts.items()]
        show_rows(rows, key="facts", columns=["fact", "value"], output=output)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON, with escapes that JSON readers restore: see `json_text`."""
    print(json_text(value, indent=indent))


def show_path(path: str) -> None:
    """Print a path: its bytes, or escaped on a terminal."""
    _write_paths([{"path": path}], end=b"\n")


def write_bytes(content: bytes) -> None:
    """Write the contents of a text file: its bytes, or escaped on a terminal."""
    if sys.stdout.isatty():
        print(printable(content.decode(errors="surrogateescape"), keep="\n\t"), end="")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _write_csv(rows: Sequence[Row], columns: Sequence[str], *, is_safe: bool) -> None:
    import csv

    # Other lists repeat what a text has, so they are only in JSON.
    first = rows[0] if rows else dict.fromkeys(columns)
    fields = [n for n, value in first.items() if n == SOUNDS or not isinstance(value, list)]
    writer = csv.writer(_Lines(), lineterminator=_Lines.END)
    writer.writerow(fields)
    for row in rows:
        cells = [joined_names(row[n]) if n == SOUNDS else row[n] for n in fields]
        writer.writerow([_csv_cell(cell, is_safe=is_safe) for cell in cells])


class _Lines:
    """File that prints each line of a CSV writer with the line end of other output."""

    #: Makes the writer put quotes around a cell with either of the two.
    END = "\r\n"

    def write(self, line: str) -> None:
        """Print a line."""
        print(line.removesuffix(self.END))


def _csv_cell(value: Any, *, is_safe: bool) -> Any:
    if not isinstance(value, str):
        return value
    if is_safe and _FORMULA.match(value):
        value = f"'{value}"
    return printable(value) if sys.stdout.isatty() else value


def _write_paths(rows: Iterable[Row], *, end: bytes) -> None:
    if sys.stdout.isatty():
        for row in rows:
            print(printable(row["path"]))
    else:
        write_bytes(b"".join(os.fsencode(row["path"]) + end for row in rows))


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column in {"seconds", "at", "start", "end"}:
        return f"{value:.2f}"
    if column == SOUNDS:
        return joined_names(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6f}"
    return printable(str(value))
