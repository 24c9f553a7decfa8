"""``audiosearch doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, OutputFormat
from audiosearch.cli.output import Format, show_rows


def doctor(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair what can be repaired. A damaged database is kept under another name.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model that produced the vectors, if the damaged database doesn't record it.",
        ),
    ] = None,
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Check database, vectors, FAISS index, audio files and model. Exits with 1 on errors."""
    from audiosearch.cli.console import say, say_hint
    from audiosearch.maintenance import doctor as checks

    if repair:
        for action in checks.repair(location, model=model) or ["Nothing needs repair."]:
            say(action)
    findings = checks.examine(location)
    rows = [asdict(finding) | {"state": finding.state.value} for finding in findings]
    show_rows(
        rows, key="checks", columns=("check", "state", "detail"), output=output, csv_safe=csv_safe
    )
    if any(finding.state is checks.State.ERROR for finding in findings):
        if not repair:
            say_hint("Run `audiosearch doctor --repair`.")
        raise typer.Exit(1)
