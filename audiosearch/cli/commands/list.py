"""``audiosearch list``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, NullSeparated, OutputFormat, with_filters
from audiosearch.cli.output import Format, show_rows
from audiosearch.library.filters import EVERYTHING, Filters

COLUMNS = ("id", "title", "artist", "album", "seconds", "path", "sounds")


@with_filters
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
        int | None, typer.Option(min=1, metavar="N", help="List at most N tracks.")
    ] = None,
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
    null: NullSeparated = False,
    filters: Filters = EVERYTHING,
) -> None:
    """List the tracks in the index."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.search import listing

    with Index(location) as index:
        tracks = listing.list_tracks(
            index, " ".join(words or ()), filters=filters, sort=sort, limit=limit
        )
        if not tracks:
            say("No track matches." if index.n_tracks else "The index is empty.")
    rows = [{"id": track.id, **track.to_json()} for track in tracks]
    show_rows(rows, key="tracks", columns=COLUMNS, output=output, csv_safe=csv_safe, null=null)
