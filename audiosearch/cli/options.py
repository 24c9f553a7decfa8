"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from audiosearch.cli.output import Format
from audiosearch.library.filters import Filters, Range
from audiosearch.models.specs import AUTO, model_choices

IndexAt = Annotated[
    str,
    typer.Option(
        "--index",
        metavar="DIR|milvus://HOST:PORT/NAME",
        envvar="AUDIOSEARCH_INDEX",
        help="The folder of the index, or its address in Milvus.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar=f"{AUTO}|{model_choices()}",
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

Whiten = Annotated[
    bool,
    typer.Option(
        "--whiten/--no-whiten",
        envvar="AUDIOSEARCH_WHITEN",
        help="Rank in a space fitted to the library, where its vectors crowd less.",
    ),
]

DEFAULT_INDEX = "index"

# What the options that filter take, and say; each has a counterpart that excludes.
_FILTERS = {
    "artist": ("NAME", "by this artist"),
    "album": ("NAME", "on this album"),
    "genre": ("NAME", "of this genre"),
    "year": ("1990..1999", "of these years"),
    "seconds": ("60..600", "of this length"),
    "under": ("FOLDER", "in this folder, or below"),
}


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that filter; it gets what they ask for as ``which``."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [p for name, p in signature.parameters.items() if name != "which"]
    for prefix, word in (("", "Only"), ("not_", "Not")):
        for name, (metavar, meaning) in _FILTERS.items():
            option = typer.Option(
                f"--{prefix}{name}".replace("_", "-"),
                metavar=metavar,
                help=f"{word} {meaning}.",
                rich_help_panel="Which tracks (each as often as you like)",
            )
            annotation = Annotated[list[str] | None, option]
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(
                inspect.Parameter(prefix + name, kind, default=None, annotation=annotation)
            )

    @functools.wraps(command)
    def with_which(**given: Any) -> None:
        which = _filters({name: given.pop(name) for name in list(given) if _is_filter(name)})
        command(**given, which=which)

    with_which.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_which.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_which


def _is_filter(name: str) -> bool:
    return name.removeprefix("not_") in _FILTERS


def _filters(given: dict[str, list[str] | None]) -> Filters:
    def values(prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in _FILTERS:
            parsed = Range.parsed if name in ("year", "seconds") else str
            found["folder" if name == "under" else name] = tuple(
                map(parsed, given[prefix + name] or ())
            )
        return found

    unless = values("not_")
    return Filters(**values(""), exclude=Filters(**unless) if any(unless.values()) else None)


def help_without_command(context: typer.Context) -> None:
    """Print a group's help where none of its commands was named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
