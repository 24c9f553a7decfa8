"""``audiosearch reembed``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt, Jobs, Weights
from audiosearch.models.specs import model_choices


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(reembed)


def reembed(
    model: Annotated[
        str,
        typer.Option("--model", metavar=model_choices(), help="Which to use."),
    ],
    weights: Weights = None,
    jobs: Jobs = None,
    force: Annotated[
        bool, typer.Option("--force", help="Forget tracks that cannot be embedded anew.")
    ] = False,
    location: IndexAt = DEFAULT_INDEX,
) -> None:
    """Embed the whole index by another model; until that is done, the old one answers."""
    from audiosearch.cli.console import model_progress, say, stderr
    from audiosearch.cli.progress import IngestProgress
    from audiosearch.ingest.reembed import Reembedding
    from audiosearch.models.registry import ModelRequest

    with model_progress() as progress:
        reembedding = Reembedding(location, ModelRequest(model, weights, progress), n_jobs=jobs)
    n_embedded = 0
    with reembedding:
        try:
            with IngestProgress(
                stderr(), len(reembedding), lambda: reembedding.audio_seconds
            ) as bar:
                for path, error in reembedding:
                    bar.advance(path)
                    if error is not None:
                        say(str(error), label="failed: ", style="bold red")
                    n_embedded += error is None
        except KeyboardInterrupt:
            say("Interrupted: what was embedded is kept; the same command goes on from there.")
            raise typer.Exit(130) from None
        lost = reembedding.commit(force=force)
    forgotten = f", {len(lost)} forgotten" if lost else ""
    say(f"{n_embedded} embedded{forgotten}; the index answers by {reembedding.spec}")
