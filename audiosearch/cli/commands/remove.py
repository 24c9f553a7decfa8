"""``audiosearch remove``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def remove(
    tracks: Annotated[
        list[str], typer.Argument(metavar="TRACK...", help="Paths or #IDs of tracks, or folders.")
    ],
    location: IndexAt = defaults.INDEX,
) -> None:
    """Remove tracks, or everything in folders, from the index. Audio files are kept."""
    from audiosearch.cli.console import say
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.maintenance.files import forget

    with Index(location) as index:
        n_failures = index.totals().failures
        n_tracks = forget(index, tracks)
        n_failures -= index.totals().failures
    forgotten = f", {counted(n_failures, 'failure')} forgotten" if n_failures else ""
    say(f"{counted(n_tracks, 'track')} removed{forgotten}")
