"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from audiosearch import defaults
from audiosearch.cli.output import Format, MomentFormat
from audiosearch.errors import UsageError
from audiosearch.library.filters import Filters, Range
from audiosearch.models.runtime_choice import PRECISIONS, RUNTIMES
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
Runtime = Annotated[
    str,
    typer.Option(
        metavar="|".join(RUNTIMES),
        help="Library that runs the network. auto: LiteRT; for many files OpenVINO, if it is "
        "installed and faster here.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="|".join(PRECISIONS),
        help="Precision of the network. bf16 is faster than f32, less exact, and needs OpenVINO "
        "and a processor with bf16.",
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


# Filter options: metavar and meaning. Each has a --not- counterpart.
_FILTERS = {
    "artist": ("NAME", "by this artist"),
    "album": ("NAME", "on this album"),
    "genre": ("NAME", "of this genre"),
    "year": ("1990..1999", "from these years"),
    "seconds": ("60..600", "with a length in this range"),
    "under": ("FOLDER", "in this folder or below it"),
    "sound": ("WORDS", 'in which this is heard, such as guitar or "dog barking"'),
}
_RANGES = {"year", "seconds"}
_ATTRIBUTES = {"under": "folder"}  # attributes of Filters that are not named like their option


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the filter options to a command, which receives them as its ``filters`` parameter."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [p for name, p in signature.parameters.items() if name != "filters"]
    parameters += _filter_parameters()

    @functools.wraps(command)
    def with_parsed_filters(**values: Any) -> None:
        names = [name for name in values if name.removeprefix("not_") in _FILTERS]
        filters = _parse_filters({name: values.pop(name) for name in names})
        command(**values, filters=filters)

    with_parsed_filters.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_parsed_filters.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_parsed_filters


@functools.cache  # building them takes a moment
def _filter_parameters() -> list[inspect.Parameter]:
    """Return the filter options as parameters of a function."""
    parameters = []
    for prefix, words in (("", "Only tracks"), ("not_", "No tracks")):
        for name, (metavar, meaning) in _FILTERS.items():
            option = typer.Option(
                f"--{prefix}{name}".replace("_", "-"),
                metavar=metavar,
                help=f"{words} {meaning}.",
                rich_help_panel="Filters (each can be repeated)",
            )
            annotation = Annotated[list[str] | None, option]
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(
                inspect.Parameter(prefix + name, kind, default=None, annotation=annotation)
            )
    return parameters


def _parse_filters(texts: dict[str, list[str] | None]) -> Filters:
    """Turn the texts of the filter options into `Filters`."""

    def parse(prefix: str) -> dict[str, Any]:
        return {
            _ATTRIBUTES.get(name, name): tuple(_values(name, texts[prefix + name] or ()))
            for name in _FILTERS
        }

    exclude = parse("not_")
    return Filters(**parse(""), exclude=Filters(**exclude) if any(exclude.values()) else None)


def _values(name: str, texts: Sequence[str]) -> Iterable[Any]:
    """Return the values of a filter, given the texts of its option."""
    if name == "sound" and texts:
        from audiosearch.models.sound_names import matching_any

        return matching_any(texts)
    return map(Range.parsed, texts) if name in _RANGES else texts


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


def help_without_command(context: typer.Context) -> None:
    """Print a group's help if no command of it was given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
