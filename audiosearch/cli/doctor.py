"""``audiosearch doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt, OutputFormat
from audiosearch.cli.output import Format, show_rows


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(doctor)


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended; a damaged database is kept.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose vectors they are, where the database cannot say it any more.",
        ),
    ] = None,
    location: IndexAt = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Check the index: database, vectors, search file, audio files, model; exit 1 for errors."""
    from audiosearch.cli.console import say
    from audiosearch.maintenance import doctor as examination

    if repair:
        for deed in examination.repair(location, model=model) or ["nothing needs repair"]:
            say(deed)
    findings = examination.examine(location)
    rows = [asdict(finding) | {"state": finding.state.value} for finding in findings]
    show_rows(rows, key="checks", columns=("check", "state", "detail"), output=output)
    if any(finding.state is examination.State.ERROR for finding in findings):
        if not repair:
            say("`audiosearch doctor --repair` mends it.", label="hint: ", style="cyan")
        raise typer.Exit(1)
