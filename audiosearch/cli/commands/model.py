"""``audiosearch model``: status, fetch, verify, path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli.options import (
    CsvSafe,
    ModelName,
    OutputFormat,
    Pca,
    Weights,
)
from audiosearch.cli.output import Format, show_facts, show_path
from audiosearch.cli.usage import CheckedCommand, command_group
from audiosearch.models.specs import PREFERRED, downloads

if TYPE_CHECKING:
    from audiosearch.models.remote_file import RemoteFile

model_group = command_group("Show, download and check the embedding models.")


@model_group.command(cls=CheckedCommand)
def status(output: OutputFormat = Format.TABLE, csv_safe: CsvSafe = False) -> None:
    """Show which models are on this machine, and where."""
    from audiosearch.models import registry

    facts = registry.status()
    if output is Format.TABLE:
        facts = {name: value or "none on this machine" for name, value in facts.items()}
    show_facts(facts, output, csv_safe=csv_safe)


def _downloads() -> dict[str, RemoteFile]:
    """Return every file to download by name, also those of models of other packages."""
    from audiosearch.models.installed import all_specs

    return downloads(all_specs()) | downloads()


def _check_download(name: str) -> str:
    """Return the name of a download, or fail if there is none of that name."""
    if name not in downloads() and name not in _downloads():
        choices = ", ".join(f"'{choice}'" for choice in _downloads())
        message = f"'{name}' is not one of {choices}."
        raise typer.BadParameter(message)
    return name


@model_group.command(cls=CheckedCommand)
def fetch(
    what: Annotated[
        str,
        typer.Argument(
            metavar="|".join(downloads()), help="File to download.", callback=_check_download
        ),
    ] = PREFERRED,
) -> None:
    """Download VGGish (288 MB) and convert it, or download its PCA parameters.

    It also downloads the files of models that other packages bring.
    """
    from audiosearch.cli.console import say
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.models import registry

    with model_progress() as progress:
        if registry.find_spec(what) is not None:
            path = registry.fetch(what, progress).path
        else:
            path = _downloads()[what].fetch(progress)
    say(f"{what} is ready: {path}")


@model_group.command(cls=CheckedCommand)
def verify(weights: Weights = None, pca: Pca = None) -> None:
    """Check with Google's smoke test that the VGGish weights are the published ones.

    The embeddings of a 1 kHz sine of 3 s must have the published mean and standard deviation
    within 10 %. If the PCA parameters are available, the post-processed values must match too.
    """
    from audiosearch.cli.console import warn
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.errors import DownloadError, WeightsError
    from audiosearch.models import registry
    from audiosearch.models.postprocess import postprocessor_for
    from audiosearch.models.smoke_test import smoke_test

    with model_progress() as progress:
        vggish = registry.resolve(registry.PREFERRED, weights=weights, progress=progress)
        try:
            post = postprocessor_for(vggish, pca, progress)
        except DownloadError as exc:
            warn(f"{exc} Only the weights were checked.")
            post = None
    checks = smoke_test(vggish.load(), post)
    for check in checks:
        verdict = "ok" if check.passed else "differs"
        print(f"{check.name}\t{check.value:.6g}\t{check.expected:.6g}\t{verdict}")
    if not all(check.passed for check in checks):
        raise WeightsError(
            f"{registry.describe(vggish.name, vggish.weights_digest)} fails Google's smoke test: "
            "these are not the published weights.",
            hint="`audiosearch model fetch` downloads the published ones.",
        )


@model_group.command(cls=CheckedCommand)
def path(model: ModelName = "vggish", weights: Weights = None) -> None:
    """Print the path of the model's LiteRT file."""
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.models import registry

    with model_progress() as progress:
        resolved = registry.resolve(model, weights=weights, progress=progress)
    show_path(os.fspath(resolved.path))
