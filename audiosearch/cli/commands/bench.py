"""``audiosearch bench``."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.network_options import Network
from audiosearch.cli.option_groups import OptionGroup
from audiosearch.cli.options import CsvSafe, Jobs, ModelName, OutputFormat
from audiosearch.cli.output import Format, show_rows
from audiosearch.models.runtime_choice import LITERT


def bench(
    model: ModelName = "auto",
    *,
    network: Annotated[Network, OptionGroup(partial(Network, runtime=LITERT))],
    jobs: Jobs = None,
    rounds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of rounds. The medians are reported.")
    ] = defaults.BENCH_ROUNDS,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Measure this machine: decoding, log-mel, network, end to end, and search."""
    from rich.spinner import Spinner

    from audiosearch.bench import Bench
    from audiosearch.cli.console import spinner
    from audiosearch.models import registry
    from audiosearch.system import n_cores

    with network.requested(model) as request:
        resolved = registry.resolve_request(request)
    benchmark = Bench(resolved, n_jobs=jobs)
    with spinner(f"Round 1 of {rounds} ...") as live:
        for number in benchmark.rounds(rounds):
            live.update(Spinner("dots", text=f"Round {number + 1} of {rounds} ..."))
    rows = [asdict(figure) for figure in benchmark.figures()]
    about = {
        "model": resolved.name,
        "fingerprint": resolved.weights_digest,
        "runtime": str(resolved.runtime),
        "cores": n_cores(),
        "jobs": jobs or n_cores(),
        "rounds": rounds,
    }
    columns = ("part", "what", "value", "unit")
    show_rows(rows, key="figures", columns=columns, output=output, csv_safe=csv_safe, about=about)
