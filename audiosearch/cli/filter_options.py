"""Options that filter tracks by their tags, length, folder and sounds."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer

from audiosearch.cli.option_groups import OptionGroup
from audiosearch.library.filters import Filters, Range

# Metavar and meaning of each filter. It has a --not- counterpart.
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


def _options() -> Iterator[inspect.Parameter]:
    for prefix, words in (("", "Only tracks"), ("not_", "No tracks")):
        for name, (metavar, meaning) in _FILTERS.items():
            option = typer.Option(
                f"--{prefix}{name}".replace("_", "-"),
                metavar=metavar,
                help=f"{words} {meaning}.",
                rich_help_panel="Filters (each can be repeated)",
            )
            yield inspect.Parameter(
                prefix + name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[list[str] | None, option],
            )


def _parse(**texts: list[str] | None) -> Filters:
    """Turn the texts of the options into `Filters`."""

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


FilterOptions = Annotated[Filters, OptionGroup(_parse, tuple(_options()))]
