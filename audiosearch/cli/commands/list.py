"""``audiosearch list``."""

from __future__ import annotations

from audiosearch import defaults
from audiosearch.cli.options import IndexAt, NullSeparated, OutputFormat
from audiosearch.cli.output import Format, show_rows

COLUMNS = ("id", "title", "artist", "album", "seconds", "path")


def list_tracks(
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List the tracks in the index."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index

    with Index(location) as index:
        rows = [{"id": track.id, **track.to_json()} for track in index]
    if not rows:
        say("The index is empty.")
    show_rows(rows, key="tracks", columns=COLUMNS, output=output, null=null)
