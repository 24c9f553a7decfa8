"""``audiosearch refresh``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import IndexAt, Jobs, ModelName, MomentHop
from audiosearch.errors import UsageError
from audiosearch.models.runtime_choice import F32
from audiosearch.models.specs import AUTO

if TYPE_CHECKING:
    from audiosearch.ingest.refresh import FileRefresh


def refresh(
    sounds: Annotated[
        bool,
        typer.Option(
            "--sounds",
            help="Instead of tags, find the sounds in files that were added without them, or by a "
            "version with another tagger.",
        ),
    ] = False,
    moments: Annotated[
        bool | None,
        typer.Option(
            "--moments/--no-moments",
            help="Instead of tags, add moments to files that were added without them, and the "
            "sounds in them; or drop the moments of all files.",
            show_default=False,
        ),
    ] = None,
    moment_hop: MomentHop = None,
    model: ModelName = AUTO,
    *,
    network: NetworkOptions,
    jobs: Jobs = None,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Read the tags of all files again, without embedding anything."""
    from audiosearch.cli.console import say
    from audiosearch.cli.text import counted
    from audiosearch.ingest.moment_refresh import MomentRefresh
    from audiosearch.ingest.sounds import SoundRefresh
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    _check({"-j": jobs is not None}, "--sounds or --moments", is_allowed=sounds or moments is True)
    _check(
        {
            "--moment-hop": moment_hop is not None,
            "--model": model != AUTO,
            "--weights": network.weights is not None,
            "--runtime": network.runtime != AUTO,
            "--precision": network.precision != F32,
        },
        "--moments",
        is_allowed=moments is True,
    )
    if sounds and moments is False:
        raise UsageError(
            "--sounds can't be combined with --no-moments.", hint="Run one after the other."
        )
    with Index(location) as index:
        if moments:
            with network.requested(model) as request:
                refreshing = MomentRefresh(index, hop=moment_hop, request=request, n_jobs=jobs)
            _run(refreshing, "moments")
        if sounds:
            _run(SoundRefresh(index, n_jobs=jobs), "sounds")
        if moments is False:
            n_tracks = index.moments.totals()[0]
            index.set_moment_hop(None)
            say(f"moments of {counted(n_tracks, 'track')} dropped")
        elif not moments and not sounds:
            say(f"{sum(1 for _ in files.refresh(index))} changed")


def _check(is_given: dict[str, bool], needed: str, *, is_allowed: bool) -> None:
    """Refuse the first option that is given without another one that it needs."""
    option = next((name for name, given in is_given.items() if given), None)
    if option is not None and not is_allowed:
        raise UsageError(
            f"{option} is only for {needed}.", hint=f"Leave out {option}, or add {needed}."
        )


def _run(refreshing: FileRefresh, what: str) -> None:
    from audiosearch.audio.discovery import is_missing
    from audiosearch.cli.console import say, say_failed
    from audiosearch.cli.progress import file_progress

    n_missing = n_failed = 0
    with file_progress(refreshing, kept=f"The {what} found so far are") as bar:
        for path, error in refreshing:
            bar.advance(path)
            if error is not None and is_missing(path):
                n_missing += 1
            elif error is not None:
                say_failed(str(error))
                n_failed += 1
    n_updated = len(refreshing) - n_missing - n_failed
    say(f"{n_updated} updated, {n_missing} missing, {n_failed} failed")
    if n_failed and not n_updated:
        raise typer.Exit(1)
