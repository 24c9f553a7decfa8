"""``audiosearch query``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli.options import (
    DEFAULT_INDEX,
    IndexDir,
    ModelName,
    NullSeparated,
    OutputFormat,
    Weights,
)
from audiosearch.cli.output import Format, show_rows

COLUMNS = ("rank", "similarity", "id", "title", "artist", "album", "seconds", "path")


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(query)


def query(
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIP...",
            help="A track's path or #ID, or any audio file; several stand for their centroid.",
        ),
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="How many hits.")] = 10,
    include_self: Annotated[
        bool, typer.Option("--include-self", help="Let the clips themselves be hits.")
    ] = False,
    index_dir: IndexDir = DEFAULT_INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """Find the tracks that sound most like CLIP."""
    from audiosearch.cli.console import model_progress, warn
    from audiosearch.search import similar

    with model_progress() as progress:
        answer = similar(
            index_dir,
            clips,
            k=k,
            include_self=include_self,
            model=model,
            weights=weights,
            progress=progress,
        )
    for warning in answer.warnings:
        warn(warning)
    if not answer.hits:
        warn("There are no hits: the index holds no other track.")
    rows = [
        {
            "rank": hit.rank,
            "similarity": hit.similarity,
            "id": hit.track.id,
            "path": hit.track.path,
            "title": hit.track.title,
            "artist": hit.track.artist,
            "album": hit.track.album,
            "seconds": hit.track.seconds,
        }
        for hit in answer.hits
    ]
    about = {"model": answer.identity.model}
    show_rows(rows, key="hits", columns=COLUMNS, output=output, null=null, about=about)
