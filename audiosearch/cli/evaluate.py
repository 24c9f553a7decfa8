"""``audiosearch evaluate``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt, OutputFormat
from audiosearch.cli.output import Format, print_json, show_rows


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(evaluate)


def evaluate(
    by: Annotated[
        Literal["artist", "album", "genre", "folder"],
        typer.Option(help="What neighbours should have in common."),
    ],
    location: IndexAt = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Measure how well neighbours share the library's own labels, plain and whitened."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.search.evaluate import Label
    from audiosearch.search.evaluate import evaluate as evaluated

    with Index(location) as index:
        evaluation = evaluated(index, Label(by)).to_json()
    if output is Format.JSON:
        print_json(evaluation)
        return
    whitened = evaluation["whitened"] or {}
    rows = [
        {"score": name, "plain": value, "whitened": whitened.get(name)}
        for name, value in evaluation["plain"].items()
    ]
    say(f"{evaluation['tracks']} tracks, {evaluation['labels']} labels with two or more")
    if not whitened:
        say("The library is too small to whiten.")
    show_rows(rows, key="scores", columns=("score", "plain", "whitened"), output=output)
