"""``audiosearch export``, ``import`` and ``copy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(export)
    app.command("import")(import_vectors)
    app.command()(copy)


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, made where need be.")],
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write OUT/tracks.parquet, all in one.")
    ] = False,
    location: IndexAt = DEFAULT_INDEX,
) -> None:
    """Write OUT/vectors.npy and OUT/tracks.jsonl, which `import` reads."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import export_import

    with Index(location) as index:
        n_tracks = (export_import.export_parquet if parquet else export_import.export)(index, out)
        say(f"{n_tracks} exported; they are vectors of {index.spec}")


def import_vectors(
    vectors: Annotated[
        Path, typer.Argument(metavar="VECTORS.npy", help="Vectors of any length, shape (n, 128).")
    ],
    fields: Annotated[
        Path, typer.Argument(metavar="FIELDS", help="JSON, JSON lines or CSV, a row a vector.")
    ],
    location: IndexAt = DEFAULT_INDEX,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose vectors they are: the index's own; for a new index, vggish.",
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="THEIRS=OURS", help="Which field is which of `list --format json`."
        ),
    ] = None,
) -> None:
    """Put vectors from elsewhere into the index, with what is known of their tracks."""
    from audiosearch.cli.console import say
    from audiosearch.maintenance import export_import

    pairs = [name.partition("=") for name in names or ()]
    if not all(separator for _, separator, _ in pairs):
        raise typer.BadParameter("--map takes THEIRS=OURS, such as song=title.")
    tracks = export_import.import_vectors(
        location,
        vectors,
        fields,
        model=model,
        names={theirs: ours for theirs, _, ours in pairs},
    )
    say(f"{len(tracks)} imported")


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="An index.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another; made where there is none.")],
) -> None:
    """Copy a whole index into another one: in another folder, or in Milvus."""
    from rich.progress import Progress

    from audiosearch.cli.console import counted, say, stderr
    from audiosearch.library.index import Index
    from audiosearch.maintenance.copy import copy as copy_index

    n_copied = 0
    with Index(source) as index:
        copied = copy_index(index, target)
        console = stderr()
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("Copying", total=index.n_tracks)
            for n_copied in copied:
                bar.update(task, completed=n_copied)
    say(f"{counted(n_copied, 'track')} copied")
