"""``audiosearch query``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch import defaults
from audiosearch.cli.filter_options import FilterOptions
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import (
    CsvSafe,
    IndexAt,
    ModelName,
    MomentOutputFormat,
    NullSeparated,
    Whiten,
    file_name,
)
from audiosearch.cli.output import MomentFormat
from audiosearch.cli.usage import is_given
from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.search.query import SearchResult


def query(
    context: typer.Context,
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
    moments: Annotated[
        bool,
        typer.Option(
            "--moments",
            help="Find stretches of tracks, as long as the clip, in place of whole tracks.",
        ),
    ] = False,
    per_track: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"Most moments in one track. Default: {defaults.MOMENTS_PER_TRACK}; with "
            "--within, all.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Use the clip from this time on, like 1:02.5."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Use the clip up to this time.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Find moments in this file or track alone. Implies --moments.",
        ),
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
    *,
    network: NetworkOptions,
    output: MomentOutputFormat = MomentFormat.TABLE,
    csv_safe: CsvSafe = False,
    null: NullSeparated = False,
    filters: FilterOptions,
) -> None:
    """Find the tracks that sound most like CLIP.

    Without a clip, `--sound WORDS` finds the tracks with the highest scores of that sound.
    """
    from audiosearch.cli.console import warn
    from audiosearch.cli.hits import show_hits
    from audiosearch.cli.moments import time_range
    from audiosearch.search.query import SearchOptions

    moments = moments or within is not None
    more: dict[str, Any] = {}
    search: Callable[..., SearchResult]
    if moments:
        from audiosearch.search.similar_moments import similar_moments as search

        more["per_track"] = per_track
        whiten = is_given(context, "whiten")  # the variable is only for tracks
        more["within"] = None if within is None else file_name(within)
    else:
        from audiosearch.search.similar import similar as search

        _check_without_moments(per_track, output)
    with network.requested(model) as request:
        result = search(
            location,
            map(file_name, clips or ()),
            named=tracks or (),
            unlike=map(file_name, unlike or ()),
            k=k,
            part=time_range(start, end),
            options=SearchOptions(
                filters,
                whiten,
                min_similarity,
                include_self,
                is_distinct=no_duplicates,
                sound_weight=sound_weight,
            ),
            request=request,
            **more,
        )
    for warning in result.warnings:
        warn(warning)
    if not result.hits:
        noun, place = "moment" if moments else "track", within or "the index"
        nothing_else = f" No other {noun} in {place} matches."
        warn("No hits." + ("" if result.warnings else nothing_else))
    show_hits(result, output, has_moments=moments, csv_safe=csv_safe, null=null)


def _check_without_moments(per_track: int | None, output: MomentFormat) -> None:
    """Check that nothing is asked of a query for tracks that only moments have."""
    from audiosearch.cli.moment_formats import plain_format

    if per_track is not None:
        raise UsageError("--per-track needs --moments.", hint="Add --moments, or leave it out.")
    plain_format(output, needs="--moments")
