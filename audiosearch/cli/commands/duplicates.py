"""``audiosearch duplicates``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, Jobs, NullSeparated, OutputFormat
from audiosearch.cli.output import Format, show_rows

if TYPE_CHECKING:
    from audiosearch.search.duplicates import DuplicateSearch

COLUMNS = ("group", "relation", "id", "format", "seconds", "size", "path")


def duplicates(
    threshold: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Share of the two spectrograms, aligned in time, that must match: 0 to 1.",
        ),
    ] = defaults.DUPLICATE_THRESHOLD,
    jobs: Jobs = None,
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
    null: NullSeparated = False,
) -> None:
    """List groups of tracks that are the same recording or a part of it, best copy first.

    The first run reads the files of all candidates. What it needs of them is kept in the index.
    """
    from audiosearch.cli.console import say, spinner
    from audiosearch.library.index import Index
    from audiosearch.search.duplicates import DuplicateSearch

    with Index(location) as index:
        search = DuplicateSearch(index, threshold=threshold, n_jobs=jobs)
        _read(search)
        with spinner("Comparing ..."):
            groups = search.groups()
    if not groups:
        say("No duplicates.")
    rows = [
        {
            "group": number,
            "relation": copy.relation.value,
            "id": copy.track.id,
            "format": copy.track.format,
            "seconds": copy.track.seconds,
            "size": copy.track.size,
            "title": copy.track.title,
            "artist": copy.track.artist,
            "path": copy.track.path,
            "artists": copy.track.artists,
        }
        for number, group in enumerate(groups, start=1)
        for copy in group
    ]
    show_rows(rows, key="duplicates", columns=COLUMNS, output=output, csv_safe=csv_safe, null=null)


def _read(search: DuplicateSearch) -> None:
    """Read the files that a search needs, with a progress bar.

    Each failure is one line. Each different hint follows once, at the end.
    """
    from audiosearch.cli.console import say_failed, say_hint, warn
    from audiosearch.cli.progress import file_progress
    from audiosearch.cli.text import counted

    if search.n_unread:
        warn(
            f"Only the bytes of {counted(search.n_unread, 'track')} can be compared: the files are "
            "missing."
        )
    if not len(search):
        return
    hints: dict[str, None] = {}
    with file_progress(search, kept="What was read is") as bar:
        for path, error in search:
            bar.advance(path)
            if error is not None:
                say_failed(str(error))
                hints[error.hint] = None
    for hint in hints:
        say_hint(hint)
