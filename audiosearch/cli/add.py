"""``audiosearch add``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from audiosearch.cli.options import DEFAULT_INDEX, Excerpt, IndexAt, Jobs, ModelName, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from audiosearch.embedding.reader import Reader
    from audiosearch.ingest.add import AddResult, Ingest, ReprocessPolicy


class _RayMayBeBare(TyperCommand):
    """A command whose ``--ray`` takes the word behind it only where that is an address."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put in what a bare ``--ray`` stands for."""
        from audiosearch.ingest.ray.connection import AUTO, is_address

        n_options = args.index("--") if "--" in args else len(args)
        given = list(args)
        for i in reversed(range(n_options)):
            if args[i] == "--ray" and not (i + 1 < n_options and is_address(args[i + 1])):
                given.insert(i + 1, AUTO)
        return super().parse_args(ctx, given)


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command(cls=_RayMayBeBare)(add)


def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Audio files and folders of them; with --ray, URLs too."
        ),
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
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Read on a Ray cluster, with -j workers: the one at HOST:PORT or ray://HOST:PORT; "
            "the one running here, or else all cores (auto, unless given); or local.",
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
    from audiosearch.audio.decode import SUFFIXES
    from audiosearch.cli.console import model_progress
    from audiosearch.ingest.add import Ingest, ReprocessPolicy, Status
    from audiosearch.models.registry import ModelRequest

    suffixes = _suffixes(extensions) if extensions else SUFFIXES
    reprocess = (
        ReprocessPolicy.ALL
        if force
        else ReprocessPolicy.FAILED
        if retry
        else ReprocessPolicy.CHANGED
    )
    with _reader(paths, exclude or [], suffixes, ray, jobs, connect=not dry_run) as (
        files,
        reader,
    ):
        if dry_run:
            _show_plan(location, files, reprocess, reader)
            return
        with model_progress() as progress:
            ingest = Ingest(
                location,
                files,
                request=ModelRequest(model, weights, progress),
                excerpt_seconds=excerpt,
                reprocess=reprocess,
                reader=reader,
            )
        outcomes = run(ingest)
    n_failed = sum(outcome.status is Status.FAILED for outcome in outcomes)
    if n_failed == len(outcomes) or (strict and n_failed):
        raise typer.Exit(1)


@contextlib.contextmanager
def _reader(
    paths: list[str],
    exclude: list[str],
    suffixes: AbstractSet[str],
    ray: str | None,
    jobs: int | None,
    *,
    connect: bool,
) -> Iterator[tuple[list[str], Reader]]:
    """Give the files there are, and who reads them, for as long as a block lasts."""
    from audiosearch.audio.discovery import find_audio
    from audiosearch.embedding.reader import Reader

    if ray is None:
        yield find_audio(paths, exclude=exclude, suffixes=suffixes), Reader(n_jobs=jobs)
        return
    from audiosearch.audio.remote import InputFiles
    from audiosearch.ingest.ray.connection import connected
    from audiosearch.ingest.ray.reader import RayReader

    sources = InputFiles(paths, exclude=exclude, suffixes=suffixes)
    with connected(ray) if connect else contextlib.nullcontext(1) as n_cpus:
        yield sources.paths, RayReader(sources, n_workers=jobs or n_cpus)


def _suffixes(extensions: str) -> set[str]:
    names = extensions.replace(",", " ").split()
    return {f".{name.lstrip('*').lstrip('.').lower()}" for name in names}


def _show_plan(location: str, files: list[str], reprocess: ReprocessPolicy, reader: Reader) -> None:
    from audiosearch.cli.output import Format, show_rows
    from audiosearch.ingest.add import ReprocessPolicy, states
    from audiosearch.library.file_state import State

    left_alone = {
        ReprocessPolicy.CHANGED: {State.UNCHANGED, State.FAILED},
        ReprocessPolicy.FAILED: {State.UNCHANGED},
        ReprocessPolicy.ALL: set(),
    }[reprocess]
    rows = [
        {"path": path, "state": state.value}
        for path, state in states(location, files, reader=reader)
        if state not in left_alone
    ]
    show_rows(rows, key="files", columns=("state", "path"), output=Format.TABLE)


def run(ingest: Ingest) -> list[AddResult]:
    """Add the files under a progress bar, and report on standard error."""
    from time import perf_counter

    from audiosearch.cli.console import say, stderr
    from audiosearch.cli.progress import IngestProgress

    outcomes: list[AddResult] = []
    started = perf_counter()
    try:
        with IngestProgress(stderr(), len(ingest), lambda: ingest.audio_seconds) as bar:
            for outcome in ingest:
                outcomes.append(outcome)
                bar.advance(outcome.path)
    except KeyboardInterrupt:
        say("Interrupted: what was added is kept; the same command goes on from there.")
        raise typer.Exit(130) from None
    finally:
        _report(outcomes, perf_counter() - started)
    return outcomes


def _report(outcomes: list[AddResult], wall_seconds: float) -> None:
    from audiosearch.cli.console import say, warn
    from audiosearch.cli.output import clock
    from audiosearch.ingest.add import Status

    failures: dict[str, list[AddResult]] = {}
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
