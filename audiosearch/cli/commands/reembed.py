"""``audiosearch reembed``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt, Jobs, NoSounds, Precision, Runtime, Weights
from audiosearch.models.specs import model_choices


def reembed(
    model: Annotated[
        str,
        typer.Option("--model", metavar=model_choices(), help="New embedding model."),
    ],
    weights: Weights = None,
    runtime: Runtime = "auto",
    precision: Precision = "f32",
    jobs: Jobs = None,
    force: Annotated[
        bool, typer.Option("--force", help="Remove tracks that can't be embedded again.")
    ] = False,
    no_sounds: NoSounds = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Embed the whole index with another model. Until then, queries use the old vectors."""
    from audiosearch.cli.console import say, stderr
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.cli.progress import IngestProgress
    from audiosearch.ingest.reembed import Reembedding
    from audiosearch.models.registry import ModelRequest
    from audiosearch.models.runtime_choice import RuntimeChoice

    with model_progress() as progress:
        reembedding = Reembedding(
            location,
            ModelRequest(model, weights, progress, RuntimeChoice(runtime, precision)),
            sounds=not no_sounds,
            n_jobs=jobs,
        )
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
            say("Interrupted. The new vectors so far are kept; run the same command to continue.")
            raise typer.Exit(130) from None
        lost = reembedding.commit(force=force)
    removed = f", {len(lost)} removed" if lost else ""
    say(f"{n_embedded} embedded{removed}; the index now uses {reembedding.spec}")
