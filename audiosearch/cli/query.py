"""``audiosearch query``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli.options import (
    DEFAULT_INDEX,
    IndexAt,
    ModelName,
    NullSeparated,
    OutputFormat,
    Weights,
    Whiten,
    with_filters,
)
from audiosearch.cli.output import Format, show_rows
from audiosearch.library.filters import EVERYTHING, Filters

COLUMNS = ("rank", "similarity", "id", "title", "artist", "album", "seconds", "path")


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(with_filters(query))


def query(
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLIP...",
            help="A track's path or #ID, any audio file, or a playlist; several stand for their "
            "centroid.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many hits.")] = 10,
    tracks: Annotated[
        list[str] | None,
        typer.Option("--track", metavar="WORDS", help="One more clip: the track with these words."),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="CLIP", help="What hits should not sound like."),
    ] = None,
    whiten: Whiten = False,
    min_similarity: Annotated[
        float | None, typer.Option(metavar="COSINE", help="The least similarity of a hit.")
    ] = None,
    include_self: Annotated[
        bool, typer.Option("--include-self", help="Let the clips themselves be hits.")
    ] = False,
    location: IndexAt = DEFAULT_INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
    which: Filters = EVERYTHING,
) -> None:
    """Find the tracks that sound most like CLIP."""
    from audiosearch.cli.console import model_progress, warn
    from audiosearch.models.registry import ModelRequest
    from audiosearch.search.similar import SearchOptions, similar

    with model_progress() as progress:
        answer = similar(
            location,
            clips or (),
            named=tracks or (),
            unlike=unlike or (),
            k=k,
            ranking=SearchOptions(which, whiten, min_similarity, include_self),
            request=ModelRequest(model, weights, progress),
        )
    for warning in answer.warnings:
        warn(warning)
    if not answer.hits:
        warn("There are no hits: the index holds no other track that fits.")
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
    about = {"model": answer.spec.model}
    show_rows(rows, key="hits", columns=COLUMNS, output=output, null=null, about=about)
