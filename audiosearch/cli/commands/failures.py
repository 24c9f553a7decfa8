"""``audiosearch failures``."""

from __future__ import annotations

from audiosearch import defaults
from audiosearch.cli.options import CsvSafe, IndexAt, NullSeparated, OutputFormat
from audiosearch.cli.output import Format, show_rows


def failures(
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
    null: NullSeparated = False,
) -> None:
    """List files that could not be added, and why. `add --retry` tries them again."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index

    with Index(location) as index:
        rows = [
            {"path": failure.path, "reason": failure.reason} for failure in index.storage.failures()
        ]
    if not rows:
        say("No file failed.")
    show_rows(
        rows,
        key="failures",
        columns=("reason", "path"),
        output=output,
        csv_safe=csv_safe,
        null=null,
    )
