"""``audiosearch add``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, Excerpt, IndexAt, Jobs, ModelName, Weights

if TYPE_CHECKING:
    from audiosearch.ingest import Ingest, Outcome, Redo


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(add)


def add(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Audio files and folders of them.")
    ],
    location: IndexAt = DEFAULT_INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    excerpt: Excerpt = None,
    jobs: Jobs = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try files again that failed and have not changed.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Embed unchanged files again too.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Leave this out of folders, as in a .gitignore; .audiosearchignore holds more.",
        ),
    ] = None,
    extensions: Annotated[
        str | None,
        typer.Option(
            "--ext", metavar="mp3,flac,...", help="Of folders, only files of these suffixes."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be added, and why.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when any file failed.")
    ] = False,
) -> None:
    """Add files and folders to the index; unchanged files are skipped."""
    from audiosearch.cli.console import model_progress
    from audiosearch.ingest import Ingest, Redo, Status
    from audiosearch.models.registry import Request
    from audiosearch.sound.decode import SUFFIXES
    from audiosearch.sound.walk import find_audio

    suffixes = _suffixes(extensions) if extensions else SUFFIXES
    files = find_audio(paths, exclude=exclude or (), suffixes=suffixes)
    redo = Redo.ALL if force else Redo.FAILED if retry else Redo.CHANGED
    if dry_run:
        _show_plan(location, files, redo)
        return
    with model_progress() as progress:
        ingest = Ingest(
            location,
            files,
            request=Request(model, weights, progress),
            excerpt_seconds=excerpt,
            redo=redo,
            n_jobs=jobs,
        )
    outcomes = run(ingest)
    n_failed = sum(outcome.status is Status.FAILED for outcome in outcomes)
    if n_failed == len(outcomes) or (strict and n_failed):
        raise typer.Exit(1)


def _suffixes(extensions: str) -> set[str]:
    names = extensions.replace(",", " ").split()
    return {f".{name.lstrip('*').lstrip('.').lower()}" for name in names}


def _show_plan(location: str, files: list[str], redo: Redo) -> None:
    from audiosearch.cli.output import Format, show_rows
    from audiosearch.ingest import Redo, states
    from audiosearch.library.known import State

    left_alone = {
        Redo.CHANGED: {State.UNCHANGED, State.FAILED},
        Redo.FAILED: {State.UNCHANGED},
        Redo.ALL: set(),
    }[redo]
    rows = [
        {"path": path, "state": state.value}
        for path, state in states(location, files)
        if state not in left_alone
    ]
    show_rows(rows, key="files", columns=("state", "path"), output=Format.TABLE)


def run(ingest: Ingest) -> list[Outcome]:
    """Add the files under a progress bar, and report on standard error."""
    from time import perf_counter

    from audiosearch.cli.console import say, stderr
    from audiosearch.cli.progress import IngestProgress

    outcomes: list[Outcome] = []
    started = perf_counter()
    try:
        with IngestProgress(stderr(), len(ingest), lambda: ingest.heard_seconds) as bar:
            for outcome in ingest:
                outcomes.append(outcome)
                bar.advance(outcome.path)
    except KeyboardInterrupt:
        say("Interrupted: what was added is kept; the same command goes on from there.")
        raise typer.Exit(130) from None
    finally:
        _report(outcomes, perf_counter() - started)
    return outcomes


def _report(outcomes: list[Outcome], wall_seconds: float) -> None:
    from audiosearch.cli.console import say, warn
    from audiosearch.cli.output import clock
    from audiosearch.ingest import Status

    failures: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status is Status.FAILED:
            failures.setdefault(outcome.hint or "", []).append(outcome)
        elif outcome.message:
            warn(f"{outcome.path}: {outcome.message}")
    for hint, alike in failures.items():
        for outcome in alike:
            say(f"{outcome.path}: {outcome.message}", label="failed: ", style="bold red")
        say(hint, label="hint: ", style="cyan")
    counts = ", ".join(
        f"{count} {status.value}"
        for status in Status
        if (count := sum(outcome.status is status for outcome in outcomes))
        or status is not Status.MOVED
    )
    sound = sum(outcome.seconds for outcome in outcomes)
    pace = f" ({clock(sound)} of sound, {sound / wall_seconds:.0f} times real time)"
    say(counts + (pace if sound else ""))
