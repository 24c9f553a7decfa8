"""``audiosearch prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt

if TYPE_CHECKING:
    from audiosearch.library.index import Track


def prune(
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Don't ask for confirmation.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on even if a disk seems not to be mounted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the tracks to be removed.")
    ] = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Remove tracks from the index whose files are missing."""
    from audiosearch.cli.console import confirm, say
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files
    from audiosearch.paths import is_url

    with Index(location) as index:
        missing = files.missing_files(index)
        if dry_run:
            _show_plan(missing.tracks)
        else:
            for track in missing.tracks:
                say(track.path, label="missing: ", style="yellow")
        files.prune(index, missing, force=force, dry_run=True)  # refuses before it asks
        if dry_run:
            return
        if missing.tracks and not yes:
            confirm(f"Remove {counted(len(missing.tracks), 'track')} from the index?")
        files.prune(index, missing, force=force)
        n_urls = sum(is_url(path) for _, path in index.fields(("id", "path")))
    unchecked = f"; {counted(n_urls, 'URL')} not checked" if n_urls else ""
    say(f"{len(missing.tracks)} removed from the index{unchecked}")


def _show_plan(tracks: list[Track]) -> None:
    from audiosearch.cli.console import say
    from audiosearch.cli.output import Format, show_rows
    from audiosearch.cli.text import counted

    rows = [{"path": track.path, "state": "missing"} for track in tracks]
    if rows:
        show_rows(rows, key="files", columns=("state", "path"), output=Format.TABLE)
    say(f"{counted(len(rows), 'track')} would be removed from the index")
