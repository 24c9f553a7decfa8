"""``audiosearch list``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch import defaults
from audiosearch.cli.filter_options import FilterOptions
from audiosearch.cli.options import CsvSafe, IndexAt, MomentOutputFormat, NullSeparated
from audiosearch.cli.output import MomentFormat, show_rows
from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.library.track import Track
    from audiosearch.search.moments.sounds_over_time import HeardMoment

COLUMNS = ("id", "title", "artist", "album", "seconds", "sounds", "path")
MOMENT_COLUMNS = ("sound_score", "moment", "title", "artist", "path")


def list_tracks(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS...", help="List only tracks with all of these words in tags or path."
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="id|path|title|artist|album|year|seconds",
            help="Sort by this; -year reverses. Default: the best match of WORDS first, else by "
            "id.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="List at most N tracks or moments.")
    ] = None,
    moments: Annotated[
        bool,
        typer.Option(
            "--moments",
            help="List the stretches of tracks in which --sound is heard: the best score first; "
            "with --sort, those of a track by time.",
        ),
    ] = False,
    location: IndexAt = defaults.INDEX,
    output: MomentOutputFormat = MomentFormat.TABLE,
    csv_safe: CsvSafe = False,
    null: NullSeparated = False,
    *,
    filters: FilterOptions,
) -> None:
    """List the tracks in the index."""
    from audiosearch.cli.console import say
    from audiosearch.cli.moment_formats import plain_format
    from audiosearch.library.index import Index
    from audiosearch.search import listing

    if moments and not filters.sound:
        raise UsageError("--moments needs --sound.", hint="Name a sound, such as --sound siren.")
    plain = None if moments else plain_format(output, needs="--moments")
    find: Callable[..., list[Any]] = listing.list_moments if moments else listing.list_tracks
    with Index(location) as index:
        found = find(index, " ".join(words or ()), filters=filters, sort=sort, limit=limit)
        if not found:
            noun = "moment" if moments else "track"
            say(f"No {noun} matches." if index.n_tracks else "The index is empty.")
    if plain is None:
        _show_moments(found, output, csv_safe=csv_safe, null=null)
        return
    rows = [_row(track) for track in found]
    show_rows(rows, key="tracks", columns=COLUMNS, output=plain, csv_safe=csv_safe, null=null)


def _row(track: Track) -> dict[str, Any]:
    return {"id": track.id, **track.to_json()}


def _show_moments(moments: list[HeardMoment], output: MomentFormat, **options: Any) -> None:
    from audiosearch.cli.hits import moment_fields
    from audiosearch.cli.moment_formats import LabeledStretch, show_stretches

    stretches = [
        LabeledStretch(track, start, end, f"{score:.3f}", {"Score": score})
        for track, start, end, score in moments
    ]
    rows = [
        _row(moment.track) | moment_fields(stretch, output) | {"sound_score": moment.score}
        for moment, stretch in zip(moments, stretches, strict=True)
    ]
    options |= {"key": "moments", "columns": MOMENT_COLUMNS}
    show_stretches(rows, stretches, output=output, **options)
