"""``audiosearch query``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import (
    CsvSafe,
    IndexAt,
    ModelName,
    NullSeparated,
    OutputFormat,
    Weights,
    Whiten,
    file_name,
    with_filters,
)
from audiosearch.cli.output import Format, show_rows
from audiosearch.library.filters import EVERYTHING, Filters

COLUMNS = ("rank", "similarity", "id", "title", "artist", "album", "seconds", "path", "sounds")


@with_filters
def query(
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLIP...",
            help="A track's path or #ID, any audio file, or a playlist; - is standard input. "
            "Several clips are averaged.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Number of hits.")] = defaults.HITS,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="WORDS",
            help="Also search with the track that has these words in its tags or path.",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="CLIP", help="Clip that hits should not sound like."),
    ] = None,
    whiten: Whiten = defaults.WHITEN_QUERY,
    min_similarity: Annotated[
        float | None,
        typer.Option(metavar="COSINE", help="Lowest cosine similarity of a hit, -1 to 1."),
    ] = None,
    sound_weight: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="Weight of the score of --sound beside the similarity to the clips. Default: "
            "sounds only filter.",
        ),
    ] = None,
    include_self: Annotated[
        bool, typer.Option("--include-self", help="Show the clips themselves as hits too.")
    ] = False,
    no_duplicates: Annotated[
        bool,
        typer.Option(
            "--no-duplicates", help="Show each recording once, and no copies of the clips."
        ),
    ] = False,
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
    null: NullSeparated = False,
    filters: Filters = EVERYTHING,
) -> None:
    """Find the tracks that sound most like CLIP.

    Without a clip, `--sound WORDS` finds the tracks with the highest scores of that sound.
    """
    from audiosearch.cli.console import warn
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.models.registry import ModelRequest
    from audiosearch.search.query import SearchOptions
    from audiosearch.search.similar import similar

    with model_progress() as progress:
        result = similar(
            location,
            map(file_name, clips or ()),
            named=tracks or (),
            unlike=map(file_name, unlike or ()),
            k=k,
            options=SearchOptions(
                filters,
                whiten,
                min_similarity,
                include_self,
                is_distinct=no_duplicates,
                sound_weight=sound_weight,
            ),
            request=ModelRequest(model, weights, progress),
        )
    for warning in result.warnings:
        warn(warning)
    if not result.hits:
        warn("No hits. No other track in the index matches.")
    rows = [
        {
            "rank": hit.rank,
            "similarity": hit.similarity,
            "sound_score": hit.sound_score,
            "id": hit.track.id,
            "path": hit.track.path,
            "title": hit.track.title,
            "artist": hit.track.artist,
            "album": hit.track.album,
            "seconds": hit.track.seconds,
            "artists": hit.track.artists,
            "genre": hit.track.genre,
            "genres": hit.track.genres,
            "sounds": [asdict(sound) for sound in hit.track.sounds],
        }
        for hit in result.hits
    ]
    about = {"model": result.spec.model}
    columns = list(COLUMNS)
    if any(hit.sound_score is not None for hit in result.hits):
        columns.insert(columns.index("similarity") + 1, "sound_score")
    show_rows(
        rows, key="hits", columns=columns, output=output, csv_safe=csv_safe, null=null, about=about
    )
