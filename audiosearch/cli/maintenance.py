"""``audiosearch prune``, ``relocate`` and ``refresh``."""

from __future__ import annotations

from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(prune)
    app.command()(relocate)
    app.command()(refresh)


def prune(
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even if every file is gone.")] = False,
    location: IndexAt = DEFAULT_INDEX,
) -> None:
    """Forget the tracks whose files are gone."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    with Index(location) as index:
        missing = files.missing_files(index)
        for track in missing.tracks:
            say(track.path, label="gone: ", style="yellow")
        if missing.tracks and not yes:
            typer.confirm(f"Forget {len(missing.tracks)} tracks?", abort=True, err=True)
        files.prune(index, missing, force=force)
    say(f"{len(missing.tracks)} forgotten")


def relocate(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The folder as it was.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The folder as it is now.")],
    location: IndexAt = DEFAULT_INDEX,
) -> None:
    """Follow a folder that moved, without reading a file."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    with Index(location) as index:
        n_tracks = files.relocate(index, old, new)
    say(f"{n_tracks} relocated")


def refresh(location: IndexAt = DEFAULT_INDEX) -> None:
    """Read the files' tags anew, and embed nothing."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    with Index(location) as index:
        n_changed = sum(1 for _ in files.refresh(index))
    say(f"{n_changed} changed")
