"""``audiosearch evaluate``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt, OutputFormat
from audiosearch.cli.output import Format, print_json, show_rows


def evaluate(
    by: Annotated[
        Literal["artist", "album", "genre", "folder"],
        typer.Option(help="Label that neighbors should share."),
    ],
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Measure how often neighbors share a label, with plain and with whitened vectors."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.search.evaluate import Label
    from audiosearch.search.evaluate import evaluate as evaluate_index

    with Index(location) as index:
        evaluation = evaluate_index(index, Label(by)).to_json()
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
        say("The index has too few tracks for whitening.")
    show_rows(rows, key="scores", columns=("score", "plain", "whitened"), output=output)
