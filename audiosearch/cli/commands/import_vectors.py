"""``audiosearch import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def import_vectors(
    vectors: Annotated[
        Path,
        typer.Argument(
            metavar="VECTORS.npy", help="Array of shape (tracks, dimension). Any vector length."
        ),
    ],
    fields: Annotated[
        Path,
        typer.Argument(metavar="FIELDS", help="JSON, JSON lines or CSV with a row per vector."),
    ],
    location: IndexAt = defaults.INDEX,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model that produced the vectors. Default: the index's model; for a new index "
            "vggish.",
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="THEIRS=OURS",
            help="Read field THEIRS as field OURS. `list --format json` shows our fields.",
        ),
    ] = None,
) -> None:
    """Add vectors from elsewhere to the index, with the fields of their tracks."""
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
