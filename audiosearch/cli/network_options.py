"""Options that say with which weights, and how, the network of a model runs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli.option_groups import OptionGroup
from audiosearch.cli.options import Weights
from audiosearch.models.runtime_choice import AUTO, F32, PRECISIONS, RUNTIMES, RuntimeChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.models.registry import ModelRequest

Runtime = Annotated[
    str,
    typer.Option(
        metavar="|".join(RUNTIMES),
        help="Library that runs the network. auto: LiteRT; for many files OpenVINO, if it is "
        "installed and faster here.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="|".join(PRECISIONS),
        help="Precision of the network. bf16 is faster than f32, less exact, and needs OpenVINO "
        "and a processor with bf16.",
    ),
]


@dataclass(frozen=True, slots=True)
class Network:
    """Weights, runtime and precision of a network, as the options give them."""

    weights: Weights = None
    runtime: Runtime = AUTO
    precision: Precision = F32

    @contextlib.contextmanager
    def requested(self, model: str) -> Iterator[ModelRequest]:
        """Yield the request for a model with this network, and show its download or conversion.

        Raises
        ------
        UsageError
            If there is no such runtime or precision, or the runtime doesn't have the precision.
        """
        from audiosearch.cli.model_progress import model_progress
        from audiosearch.models.registry import ModelRequest

        choice = RuntimeChoice(self.runtime, self.precision)
        with model_progress() as progress:
            yield ModelRequest(model, self.weights, progress, choice)


NetworkOptions = Annotated[Network, OptionGroup(Network)]
