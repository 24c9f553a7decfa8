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
    """Remove tracks, or all tracks in folders, from the index. Audio files are kept."""
    from audiosearch.cli.console import confirm, say
    from audiosearch.library.index import Index
    from audiosearch.maintenance.files import forget, named_tracks

    with Index(location) as index:
        n_tracks = len(named_tracks(index, tracks))
        if n_tracks > 1 and not yes and sys.stdin.isatty():
            confirm(f"Remove {n_tracks} tracks from the index?")
        n_tracks = forget(index, tracks)
    say(f"{n_tracks} removed")
