"""``audiosearch optimize``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt, OutputFormat
from audiosearch.cli.output import Format, print_json, show_rows
from audiosearch.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(optimize)


def optimize(
    target_recall: Annotated[
        float,
        typer.Option(metavar="0..1", help="How many of the ten nearest must be found."),
    ] = 0.95,
    max_memory: Annotated[
        str | None, typer.Option(metavar="2GB", help="What searching may take of memory.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Go back to comparing with every track.")
    ] = False,
    location: IndexAt = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Make queries of a large index fast, or small in memory, and measure what that costs."""
    from audiosearch.cli.console import say, waiting
    from audiosearch.library.index import Index
    from audiosearch.maintenance.optimize import make_exact
    from audiosearch.maintenance.optimize import optimize as optimized

    if exact and max_memory is not None:
        raise UsageError("Exact search takes what it takes.", hint="Leave out --max-memory.")
    most_bytes = None if max_memory is None else _bytes(max_memory)
    with Index(location) as index, waiting("Trying arrangements ..."):
        if exact:
            found = make_exact(index)
        else:
            found = optimized(index, target_recall=target_recall, max_bytes=most_bytes)
    if output is Format.JSON:
        print_json(found.to_json())
        return
    if found.after == found.before:
        say("Searching stays as it is: it is fast, or nothing true enough is twice as fast.")
    rows = [{"when": when, **measured} for when, measured in found.to_json().items()]
    columns = ("when", "kind", "recall", "ms", "bytes")
    show_rows(rows, key="measured", columns=columns, output=output)


def _bytes(text: str) -> int:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", text.strip().lower())
    if parts is None:
        raise UsageError(f"{text} is no size.", hint="Write it as 500MB or 2GB.")
    return int(float(parts[1]) * _UNITS[parts[2] or ""])
