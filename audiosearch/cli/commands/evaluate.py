"""``audiosearch evaluate``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, OutputFormat
from audiosearch.cli.output import Format, print_json, show_rows


def evaluate(
    by: Annotated[
        Literal["artist", "album", "genre", "folder"],
        typer.Option(help="Label that neighbors should share."),
    ],
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Measure how often neighbors share a label, with plain and with whitened vectors."""
    from audiosearch.cli.console import say, say_hint, warn
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.search.evaluate import Label
    from audiosearch.search.evaluate import evaluate as evaluate_index

    with Index(location) as index:
        evaluation = evaluate_index(index, Label(by)).to_json()
    if evaluation["labels"] == 1:
        warn(
            f"Only one {by} has two tracks or more, so the scores don't show how well tracks are "
            "told apart."
        )
        say_hint("Choose another label with --by.")
    if output is Format.JSON:
        print_json(evaluation)
        return
    whitened = evaluation["whitened"] or {}
    rows = [
        {"score": name, "plain": value, "whitened": whitened.get(name)}
        for name, value in evaluation["plain"].items()
    ]
    labels = counted(evaluation["labels"], "label")
    say(f"{counted(evaluation['tracks'], 'track')}, {labels} with two or more")
    if not whitened:
        say("The index has too few tracks for whitening.")
    show_rows(
        rows, key="scores", columns=("score", "plain", "whitened"), output=output, csv_safe=csv_safe
    )
