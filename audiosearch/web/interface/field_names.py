"""Texts of errors that name options of the command line, for clients who send fields.

Errors are raised by functions that the command line calls too, so their hints may name its options.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from audiosearch.times import parse_time
from audiosearch.web.interface.schemas import FilterParams

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_CODE = re.compile(r"(`[^`]*`)")
_COMMAND = re.compile("`[a-z]")  # with or without "audiosearch" before it
_VALUE = r"[0-9](?:[0-9:.]*[0-9])?|[A-Z]{2,}(?:\.[a-z]+)?"  # a number, a time or a placeholder
_OPTION = re.compile(rf"(?<![\w-])(?:--([a-z][a-z-]*)|-([a-z]))(?![\w-])(?: ({_VALUE}))?")
#: Commands of the owner of the server, by the options that they have.
_COMMANDS = {
    "index": "audiosearch serve",
    "model": "audiosearch model path",  # keeps a copy of the file
    "weights": "audiosearch model path",
}
_NAMES = {"path or #ID": "id"}  # clients know no paths


def request_fields(openapi: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of all fields of requests, given the description of the interface."""
    return frozenset(_fields(openapi))


def _fields(openapi: Mapping[str, Any]) -> Iterator[str]:
    schemas = openapi["components"]["schemas"]
    for methods in openapi["paths"].values():
        for route in methods.values():
            yield from (parameter["name"] for parameter in route.get("parameters", []))
            for content in route.get("requestBody", {}).get("content", {}).values():
                yield from schemas[content["schema"]["$ref"].rpartition("/")[2]]["properties"]


def with_field_names(text: str, fields: Collection[str]) -> str:
    """Return a text that names fields in place of options of the command line.

    Commands stay, because they are for the owner of the server. So do options that are no field,
    but for a few, which get their command.

    Parameters
    ----------
    text : str
        Code in it is between backticks.
    fields : collection of str
        Names of all fields.

    Examples
    --------
    >>> with_field_names("Leave out --not-genre, or add `--from 1:02`.", {"unless.genre", "from"})
    'Leave out `unless.genre`, or add `from=62`.'
    >>> with_field_names("Run `audiosearch refresh --moments`.", {"moments"})
    'Run `audiosearch refresh --moments`.'
    """

    def field(option: re.Match[str]) -> str:
        return _field(option[1] or option[2], option[3] or "", fields) or option[0]

    def quoted(option: re.Match[str]) -> str:
        name = field(option)
        return name if name == option[0] else f"`{name}`"

    pieces = _CODE.split(text)
    for i, piece in enumerate(pieces):
        if not _COMMAND.match(piece):
            pieces[i] = _OPTION.sub(field if piece.startswith("`") else quoted, piece)
    translated = "".join(pieces)
    for name, known in _NAMES.items():
        translated = translated.replace(name, known)
    return translated


def _field(option: str, value: str, fields: Collection[str]) -> str | None:
    """Return the field of an option, with its value if that is a number or time."""
    if option in _COMMANDS:
        return f"{_COMMANDS[option]} --{option} {value}".strip()
    name = option.replace("-", "_")
    negated = re.sub("^not?_", "", name)
    if name in FilterParams.model_fields:
        name = f"only.{name}"
    elif name.startswith("not_") and negated in FilterParams.model_fields:
        name = f"unless.{negated}"
    elif name.startswith("no_") and negated in fields:
        return f"{negated}=false"
    if name not in fields:
        return None
    return f"{name}={parse_time(value):g}" if value[:1].isdecimal() else name
