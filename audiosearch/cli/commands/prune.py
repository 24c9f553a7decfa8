"""``audiosearch prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def prune(
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Don't ask for confirmation.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on even if all files are missing.")
    ] = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Remove tracks from the index whose files are missing."""
    from audiosearch.cli.console import say
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    with Index(location) as index:
        missing = files.missing_files(index)
        for track in missing.tracks:
            say(track.path, label="missing: ", style="yellow")
        if missing.tracks and not yes:
            question = f"Remove {counted(len(missing.tracks), 'track')} from the index?"
            typer.confirm(question, abort=True, err=True)
        files.prune(index, missing, force=force)
    say(f"{len(missing.tracks)} removed from the index")
