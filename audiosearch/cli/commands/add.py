"""``audiosearch add``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import (
    Excerpt,
    Exclude,
    Extensions,
    IndexAt,
    Jobs,
    ModelName,
    MomentHop,
    Moments,
    NoSounds,
    parse_suffixes,
)
from audiosearch.cli.usage import CheckedCommand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from audiosearch.audio.input_files import InputFiles
    from audiosearch.embedding.reader import Reader
    from audiosearch.ingest.add import ReprocessPolicy


class OptionalRayAddress(CheckedCommand):
    """Command whose ``--ray`` takes the next word only if that is an address."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Insert the default address after a ``--ray`` that has none."""
        from audiosearch.ingest.ray.connection import AUTO, is_address

        n_options = args.index("--") if "--" in args else len(args)
        completed = list(args)
        for i in reversed(range(n_options)):
            if args[i] == "--ray" and not (i + 1 < n_options and is_address(args[i + 1])):
                completed.insert(i + 1, AUTO)
        return super().parse_args(ctx, completed)


def add(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Audio files and folders, also as URLs."),
    ],
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    *,
    network: NetworkOptions,
    excerpt: Excerpt = None,
    jobs: Jobs = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Also try unchanged files that failed before.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Embed all files again, unchanged ones too.")
    ] = False,
    exclude: Exclude = None,
    extensions: Extensions = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Embed on a Ray cluster with -j workers. ADDRESS is HOST:PORT, ray://HOST:PORT, "
            "local, or auto (the default): the cluster running here, else all cores.",
        ),
    ] = None,
    no_sounds: NoSounds = False,
    moments: Moments = False,
    moment_hop: MomentHop = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the files to be added, and why.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 1 if any file failed.")
    ] = False,
) -> None:
    """Add files and folders to the index. Unchanged files are skipped."""
    from audiosearch.audio.decode import SUFFIXES
    from audiosearch.cli.ingest_run import run_ingest
    from audiosearch.ingest.add import Ingest, ReprocessPolicy, Status

    suffixes = parse_suffixes(extensions) if extensions else SUFFIXES
    reprocess = (
        ReprocessPolicy.ALL
        if force
        else ReprocessPolicy.FAILED
        if retry
        else ReprocessPolicy.CHANGED
    )
    opened = _open_reader(
        paths,
        exclude or [],
        suffixes,
        ray,
        jobs,
        connect=not dry_run,
        has_sounds=not no_sounds,
    )
    with opened as (files, reader):
        if dry_run:
            _show_plan(location, files, reprocess, reader)
            return
        with network.requested(model) as request:
            ingest = Ingest(
                location,
                files.paths,
                folder_aliases=files.folder_aliases,
                request=request,
                excerpt_seconds=excerpt,
                reprocess=reprocess,
                reader=reader,
                moments=moments,
                moment_hop=moment_hop,
            )
        results = run_ingest(ingest)
    n_failed = sum(result.status is Status.FAILED for result in results)
    if n_failed == len(results) or (strict and n_failed):
        raise typer.Exit(1)


@contextlib.contextmanager
def _open_reader(
    paths: list[str],
    exclude: list[str],
    suffixes: AbstractSet[str],
    ray: str | None,
    jobs: int | None,
    *,
    connect: bool,
    has_sounds: bool,
) -> Iterator[tuple[InputFiles, Reader]]:
    """Yield the files to add and the reader that embeds them."""
    from audiosearch.audio.input_files import InputFiles
    from audiosearch.embedding.reader import Reader

    files = InputFiles(paths, exclude=exclude, suffixes=suffixes)
    if ray is None:
        yield files, Reader(n_jobs=jobs, has_sounds=has_sounds, input_files=files)
        return
    from audiosearch.ingest.ray.connection import connected
    from audiosearch.ingest.ray.reader import RayReader

    with connected(ray) if connect else contextlib.nullcontext(1) as n_cpus:
        yield files, RayReader(files, n_workers=jobs or n_cpus, has_sounds=has_sounds)


def _show_plan(
    location: str, files: InputFiles, reprocess: ReprocessPolicy, reader: Reader
) -> None:
    from audiosearch.cli.output import Format, show_rows
    from audiosearch.ingest.add import ReprocessPolicy
    from audiosearch.ingest.plan import states
    from audiosearch.library.file_state import State

    skipped = {
        ReprocessPolicy.CHANGED: {State.UNCHANGED, State.FAILED},
        ReprocessPolicy.FAILED: {State.UNCHANGED},
        ReprocessPolicy.ALL: set(),
    }[reprocess]
    planned = states(location, files.paths, folder_aliases=files.folder_aliases, reader=reader)
    rows = [{"path": path, "state": state.value} for path, state in planned if state not in skipped]
    show_rows(rows, key="files", columns=("state", "path"), output=Format.TABLE)
