"""``audiosearch duplicates``."""

from __future__ import annotations

from audiosearch import defaults
from audiosearch.cli.options import IndexAt, NullSeparated, OutputFormat
from audiosearch.cli.output import Format, show_rows

COLUMNS = ("group", "id", "format", "seconds", "size", "path")


def duplicates(
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List groups of tracks that are the same recording, best copy first."""
    from audiosearch.library.index import Index
    from audiosearch.search.duplicates import duplicates as find_duplicates

    with Index(location) as index:
        groups = find_duplicates(index)
    rows = [
        {
            "group": number,
            "id": track.id,
            "format": track.format,
            "seconds": track.seconds,
            "size": track.size,
            "title": track.title,
            "artist": track.artist,
            "path": track.path,
            "artists": track.artists,
        }
        for number, group in enumerate(groups, start=1)
        for track in group
    ]
    show_rows(rows, key="duplicates", columns=COLUMNS, output=output, null=null)
