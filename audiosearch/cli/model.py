"""``audiosearch model``: status, fetch, verify, path."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli.options import (
    ModelName,
    OutputFormat,
    Pca,
    Weights,
    help_without_command,
)
from audiosearch.cli.output import Format, show_facts
from audiosearch.models.specs import PREFERRED, SPECS, downloads

commands = typer.Typer(help="The models: what is at hand, download, check.")
commands.callback(invoke_without_command=True)(help_without_command)


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.add_typer(commands, name="model")


@commands.command()
def status(output: OutputFormat = Format.TABLE) -> None:
    """Say which models are at hand, and where."""
    from audiosearch.models import registry

    show_facts(registry.status(), output)


def _check_download(name: str) -> str:
    """Return the name of a download, or fail if there is none of that name."""
    if name not in downloads():
        choices = ", ".join(f"'{choice}'" for choice in downloads())
        message = f"'{name}' is not one of {choices}."
        raise typer.BadParameter(message)
    return name


@commands.command()
def fetch(
    what: Annotated[
        str,
        typer.Argument(
            metavar="|".join(downloads()), help="What to download.", callback=_check_download
        ),
    ] = PREFERRED,
) -> None:
    """Download VGGish (288 MB) and convert it, or its PCA parameters."""
    from audiosearch.cli.console import model_progress, say
    from audiosearch.models import registry

    with model_progress() as progress:
        if what in SPECS:
            path = registry.fetch(what, progress).path
        else:
            path = downloads()[what].fetch(progress)
    say(f"{what} is at hand: {path}")


@commands.command()
def verify(weights: Weights = None, pca: Pca = None) -> None:
    """Check by Google's smoke test that VGGish's weights are the published ones.

    3 s of a 1 kHz sine must give the published mean and standard deviation within 10 %, and
    post-processed too where the PCA parameters can be had.
    """
    from audiosearch.cli.console import model_progress, warn
    from audiosearch.errors import DownloadError, WeightsError
    from audiosearch.models import registry
    from audiosearch.models.postprocess import postprocessor_for
    from audiosearch.models.smoke_test import smoke_test

    with model_progress() as progress:
        model = registry.resolve(registry.PREFERRED, weights=weights, progress=progress)
        try:
            post = postprocessor_for(model, pca, progress)
        except DownloadError as exc:
            warn(f"{exc} Only the weights are checked.")
            post = None
    checks = smoke_test(model.load(), post)
    for check in checks:
        verdict = "ok" if check.passed else "differs"
        typer.echo(f"{check.name}\t{check.value:.6g}\t{check.expected:.6g}\t{verdict}")
    if not all(check.passed for check in checks):
        raise WeightsError(
            f"{registry.describe(model.name, model.weights_digest)} fails Google's smoke test: these "
            "are not the published weights.",
            hint="`audiosearch model fetch` downloads the published ones.",
        )


@commands.command()
def path(model: ModelName = "vggish", weights: Weights = None) -> None:
    """Print where the model's LiteRT file is."""
    from audiosearch.cli.console import model_progress
    from audiosearch.models import registry

    with model_progress() as progress:
        chosen = registry.resolve(model, weights=weights, progress=progress)
    typer.echo(chosen.path)
