"""``audiosearch reembed``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import IndexAt, Jobs, NoSounds
from audiosearch.models.specs import model_choices


def reembed(
    model: Annotated[
        str,
        typer.Option("--model", metavar=model_choices(), help="New embedding model."),
    ],
    *,
    network: NetworkOptions,
    jobs: Jobs = None,
    force: Annotated[
        bool, typer.Option("--force", help="Remove tracks that can't be embedded again.")
    ] = False,
    no_sounds: NoSounds = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Embed the whole index with another model. Until then, queries use the old vectors."""
    from audiosearch.cli.console import say, say_failed
    from audiosearch.cli.progress import file_progress
    from audiosearch.ingest.reembed import Reembedding

    with network.requested(model) as request:
        reembedding = Reembedding(location, request, sounds=not no_sounds, n_jobs=jobs)
    n_embedded = 0
    with reembedding:
        with file_progress(reembedding, kept="The new vectors so far are") as bar:
            for path, error in reembedding:
                bar.advance(path)
                if error is not None:
                    say_failed(str(error))
                n_embedded += error is None
        lost = reembedding.commit(force=force)
    removed = f", {len(lost)} removed" if lost else ""
    say(f"{n_embedded} embedded{removed}; the index now uses {reembedding.spec}")
