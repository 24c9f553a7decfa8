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
    """Remove tracks, or all tracks in folders, from the index. Audio files are kept."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance.files import forget

    with Index(location) as index:
        n_tracks = forget(index, tracks)
    say(f"{n_tracks} removed")
