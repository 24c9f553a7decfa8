"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch.cli.output import Format

IndexDir = Annotated[
    Path,
    typer.Option(
        "--index",
        metavar="DIR",
        envvar="AUDIOSEARCH_INDEX",
        help="The folder of the index.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="auto|vggish|compact|FILE.tflite",
        help="What listens. auto: the index's own, or else VGGish where it can be had.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A VGGish checkpoint to use; AUDIOSEARCH_WEIGHTS names one for good.",
    ),
]
Pca = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PCA parameters (.npz) in place of Google's published ones."),
]
Excerpt = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        metavar="SECONDS",
        help="Embed only about that much of each file, evenly spaced over it.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j",
        "--jobs",
        min=1,
        metavar="N",
        help="How many processes decode, and threads embed; as many as there are cores.",
    ),
]
OutputFormat = Annotated[
    Format, typer.Option("--format", help="A table is tab-separated columns when piped.")
]
NullSeparated = Annotated[
    bool, typer.Option("-0", "--null", help="Only paths, separated by NUL, as for xargs -0.")
]

DEFAULT_INDEX = Path("index")


def help_without_command(context: typer.Context) -> None:
    """Print a group's help where none of its commands was named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
