"""``audiosearch export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def export(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write to. Created if missing.")
    ],
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write a single file, OUT/tracks.parquet.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace files of these names even if they are not an earlier export."
        ),
    ] = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Write all vectors and tracks to OUT/vectors.npy and OUT/tracks.jsonl, for `import`."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import export_import

    with Index(location) as index:
        write = export_import.export_parquet if parquet else export_import.export
        n_tracks = write(index, out, force=force)
        say(f"{n_tracks} exported; the vectors are from {index.spec}")
