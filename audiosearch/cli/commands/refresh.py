"""``audiosearch refresh``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt, Jobs
from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.library.index import Index


def refresh(
    sounds: Annotated[
        bool,
        typer.Option(
            "--sounds",
            help="Instead of tags, find the sounds in files that were added without them, or by a "
            "version with another tagger.",
        ),
    ] = False,
    jobs: Jobs = None,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Read the tags of all files again, without embedding anything."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    if jobs is not None and not sounds:
        raise UsageError("-j is only for --sounds.", hint="Leave out -j, or add --sounds.")
    with Index(location) as index:
        if sounds:
            _refresh_sounds(index, jobs)
            return
        n_changed = sum(1 for _ in files.refresh(index))
    say(f"{n_changed} changed")


def _refresh_sounds(index: Index, jobs: int | None) -> None:
    from audiosearch.audio.discovery import is_missing
    from audiosearch.cli.console import say, stderr
    from audiosearch.cli.progress import IngestProgress
    from audiosearch.ingest.sounds import SoundRefresh

    refreshing = SoundRefresh(index, n_jobs=jobs)
    n_missing = n_failed = 0
    try:
        with IngestProgress(stderr(), len(refreshing), lambda: refreshing.audio_seconds) as bar:
            for path, error in refreshing:
                bar.advance(path)
                if error is not None and is_missing(path):
                    n_missing += 1
                elif error is not None:
                    say(str(error), label="failed: ", style="bold red")
                    n_failed += 1
    except KeyboardInterrupt:
        say("Interrupted. The sounds found so far are kept; run the same command to continue.")
        raise typer.Exit(130) from None
    n_updated = len(refreshing) - n_missing - n_failed
    say(f"{n_updated} updated, {n_missing} missing, {n_failed} failed")
    if n_failed and not n_updated:
        raise typer.Exit(1)
