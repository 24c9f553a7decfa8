"""``audiosearch relocate``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def relocate(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Former path of the folder.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Current path of the folder.")],
    location: IndexAt = defaults.INDEX,
) -> None:
    """Update the paths of tracks after a folder moved. No file is read."""
    from audiosearch.cli.console import say, warn
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files
    from audiosearch.paths import is_url

    with Index(location) as index:
        n_tracks = files.relocate(index, old, new)
    say(f"{n_tracks} relocated")
    if not is_url(new) and not os.path.isdir(new):
        warn(f"There is no folder {new}. If the name is wrong, relocate the tracks back from it.")
