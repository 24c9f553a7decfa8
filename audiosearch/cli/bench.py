"""``audiosearch bench``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli.options import Jobs, ModelName, OutputFormat, Weights
from audiosearch.cli.output import Format, show_rows


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(bench)


def bench(
    model: ModelName = "auto",
    weights: Weights = None,
    jobs: Jobs = None,
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Measure so often, and take the medians.")
    ] = 3,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Measure this machine: decoding, mel, network, end to end, and search."""
    from audiosearch.bench import Bench
    from audiosearch.cli.console import model_progress, stderr
    from audiosearch.models import registry
    from audiosearch.models.runtime import n_cores

    with model_progress() as progress:
        chosen = registry.resolve(model, weights=weights, progress=progress)
    measured = Bench(chosen, n_jobs=jobs)
    with stderr().status(f"Round 1 of {rounds} ...") as status:
        for number in measured.rounds(rounds):
            status.update(f"Round {number + 1} of {rounds} ...")
    rows = [asdict(figure) for figure in measured.figures()]
    about = {
        "model": chosen.name,
        "fingerprint": chosen.weights_digest,
        "cores": n_cores(),
        "jobs": jobs or n_cores(),
        "rounds": rounds,
    }
    columns = ("part", "what", "value", "unit")
    show_rows(rows, key="figures", columns=columns, output=output, about=about)
