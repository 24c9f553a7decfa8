"""``audiosearch remove``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def remove(
    tracks: Annotated[
        list[str], typer.Argument(metavar="TRACK...", help="Paths or #IDs of tracks, or folders.")
    ],
    yes: Annotated[
        bool,
        typer.Option("-y", "--yes", help="Don't ask. A terminal asks before several tracks go."),
    ] = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Remove tracks, or everything in folders, from the index. Audio files are kept."""
    from audiosearch.cli.console import confirm, say
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.maintenance.files import find_named, forget

    with Index(location) as index:
        found, failures = find_named(index, tracks)
        if len(found) > 1 and not yes and sys.stdin.isatty():
            confirm(f"Remove {len(found)} tracks from the index?")
        n_tracks = forget(index, tracks)
    forgotten = f", {counted(len(failures), 'failure')} forgotten" if failures else ""
    say(f"{counted(n_tracks, 'track')} removed{forgotten}")
