"""Data on standard output, in the requested format."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from audiosearch.cli.text import printable
from audiosearch.errors import UsageError

Row = Mapping[str, Any]


class Format(str, Enum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"


def show_rows(
    rows: Sequence[Row],
    *,
    key: str,
    columns: Sequence[str],
    output: Format,
    null: bool = False,
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
        _write_csv(rows, columns)
    elif rows and sys.stdout.isatty():
        from audiosearch.cli.terminal_table import print_table

        print_table(rows, columns)
    else:
        for row in rows:
            print("\t".join(_cell(column, row[column]) for column in columns))


def show_facts(facts: Row, output: Format) -> None:
    """Print the facts about one thing: a JSON object, a CSV row, or a table with a line per fact.

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
        show_rows([facts], key="facts", columns=list(facts), output=output)
    else:
        rows = [{"fact": name, "value": value} for name, value in facts.items()]
        show_rows(rows, key="facts", columns=["fact", "value"], output=output)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON. Bytes of a path that are not UTF-8 become escapes that JSON readers restore."""
    import json

    print(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent))


def _write_csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    import csv

    # A list repeats what a text has, so it is only in JSON.
    first = rows[0] if rows else dict.fromkeys(columns)
    fields = [name for name, value in first.items() if not isinstance(value, list)]
    writer = csv.DictWriter(sys.stdout, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_paths(rows: Iterable[Row], *, end: bytes) -> None:
    if sys.stdout.isatty():
        for row in rows:
            print(printable(row["path"]))
        return
    sys.stdout.flush()
    for row in rows:
        sys.stdout.buffer.write(os.fsencode(row["path"]) + end)
    sys.stdout.buffer.flush()


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "seconds":
        return f"{value:.2f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6f}"
    return printable(str(value))
