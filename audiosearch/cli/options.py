"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.output import Format, MomentFormat
from audiosearch.errors import UsageError
from audiosearch.models.specs import AUTO, model_choices

IndexAt = Annotated[
    str,
    typer.Option(
        "--index",
        metavar="DIR|milvus://HOST:PORT/NAME",
        envvar="AUDIOSEARCH_INDEX",
        help="Index to use: a folder or a Milvus address.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar=f"{AUTO}|{model_choices()}",
        help="Embedding model. auto: the index's model; for a new index VGGish if available, "
        "else compact.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="VGGish checkpoint to use. AUDIOSEARCH_WEIGHTS sets it permanently.",
    ),
]
Pca = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PCA parameters (.npz) to use instead of Google's."),
]
Excerpt = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        metavar="SECONDS",
        help="Embed only about this much of each file, spread evenly over it.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j",
        "--jobs",
        min=1,
        metavar="N",
        help="Number of decoder processes and embedding threads. Default: one per core.",
    ),
]
NoSounds = Annotated[
    bool, typer.Option("--no-sounds", help="Don't find the sounds that are heard in the files.")
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Skip matching files in folders; patterns as in .gitignore. A file "
        ".audiosearchignore can hold more.",
    ),
]
Extensions = Annotated[
    str | None,
    typer.Option(
        "--ext",
        metavar="mp3,flac,...",
        help="Take only files with these suffixes from folders.",
    ),
]
Moments = Annotated[
    bool,
    typer.Option(
        "--moments", help="Make a new index with moments: queries can then find places in files."
    ),
]
MomentHop = Annotated[
    float | None,
    typer.Option(
        metavar="|".join(map(str, defaults.MOMENT_HOPS)),
        help=f"Seconds from the start of one moment to the next. Default: {defaults.MOMENT_HOP}.",
    ),
]
OutputFormat = Annotated[
    Format,
    typer.Option("--format", help="Output format. In a pipe, a table is tab-separated columns."),
]
MomentOutputFormat = Annotated[
    MomentFormat,
    typer.Option(
        "--format",
        help="Output format. In a pipe, a table is tab-separated columns. The last three are for "
        "moments: labels for Audacity, a selection table for Raven, a playlist for VLC.",
    ),
]
CsvSafe = Annotated[
    bool,
    typer.Option(
        "--csv-safe",
        help="Put ' before CSV texts that a spreadsheet program would read as a formula.",
    ),
]
NullSeparated = Annotated[
    bool, typer.Option("-0", "--null", help="Print only paths, separated by NUL, for xargs -0.")
]
Prefix = Annotated[
    list[str] | None,
    typer.Option(metavar="OLD=NEW", help="Replace OLD at the start of a path with NEW."),
]

Whiten = Annotated[
    bool,
    typer.Option(
        "--whiten/--no-whiten",
        envvar="AUDIOSEARCH_WHITEN",
        help="Rank by whitened vectors: a PCA fitted to the library spreads them apart.",
    ),
]


def parse_suffixes(extensions: str) -> set[str]:
    """Return the suffixes that a value of ``--ext`` names, with the dot."""
    names = extensions.replace(",", " ").split()
    return {f".{name.lstrip('*').lstrip('.').lower()}" for name in names}


def file_name(argument: str) -> str:
    """Return the file that an argument names: "-" is standard input."""
    from audiosearch.audio.pipes import STDIN

    return STDIN if argument == "-" else argument


def prefix_pairs(texts: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Return the prefix and its replacement in each value of --prefix."""
    pairs = [text.partition("=") for text in texts or ()]
    for old, equals, new in pairs:
        if not equals or not old:
            raise UsageError(
                f"{old}{equals}{new} is not OLD=NEW.", hint="Enter --prefix like /music=D:/Music."
            )
    return tuple((old, new) for old, _, new in pairs)
