"""``audiosearch optimize``."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, OutputFormat
from audiosearch.cli.output import Format, print_json, show_rows
from audiosearch.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_COLUMNS = ("when", "kind", "recall", "query_ms", "memory_bytes")
_PIPED_COLUMNS = ("when", "kind", "recall", "ms", "bytes", "query_ms", "memory_bytes")


def optimize(
    target_recall: Annotated[
        float,
        typer.Option(metavar="0..1", help="Recall at 10 to keep: share of true neighbors found."),
    ] = defaults.TARGET_RECALL,
    max_memory: Annotated[
        str | None, typer.Option(metavar="2GB", help="Limit of the memory that searches keep.")
    ] = None,
    whiten: Annotated[
        bool, typer.Option("--whiten", help="Index whitened vectors too, within the same limit.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Return to exact search over all tracks.")
    ] = False,
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Make queries of a large index faster or smaller in memory, and measure the recall."""
    from audiosearch.cli.console import say, spinner
    from audiosearch.library.index import Index
    from audiosearch.maintenance.optimize import make_exact
    from audiosearch.maintenance.optimize import optimize as optimize_index

    if exact and max_memory is not None:
        raise UsageError(
            "--exact can't be combined with --max-memory.", hint="Leave out --max-memory."
        )
    if exact and whiten:
        raise UsageError("--exact can't be combined with --whiten.", hint="Leave out --whiten.")
    max_bytes = None if max_memory is None else _parse_bytes(max_memory)
    with Index(location) as index, spinner("Trying index types ..."):
        if exact:
            result = make_exact(index)
        else:
            result = optimize_index(
                index, target_recall=target_recall, max_bytes=max_bytes, whiten=whiten
            )
    if output is Format.JSON:
        print_json(result.to_json())
        return
    if result.after == result.before:
        say(
            "Nothing changed: search is fast already, or no other index type is twice as fast at "
            "this recall."
        )
    rows = [
        {"when": when, **measured, "query_ms": measured["ms"], "memory_bytes": measured["bytes"]}
        for when, measured in result.to_json().items()
    ]
    columns = _COLUMNS if sys.stdout.isatty() else _PIPED_COLUMNS
    show_rows(rows, key="measured", columns=columns, output=output, csv_safe=csv_safe)


def _parse_bytes(text: str) -> int:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", text.strip().lower())
    if parts is None:
        raise UsageError(f"{text} is not a size.", hint="Enter a size like 500MB or 2GB.")
    return int(float(parts[1]) * _UNITS[parts[2] or ""])
