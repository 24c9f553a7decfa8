"""Read tracks from a JSON, JSON lines or CSV file with one row for each track."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from audiosearch.errors import LibraryError, UsageError
from audiosearch.library.index import Track
from audiosearch.paths import why_missing

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

#: Type of each field of `Track`, such as "int | None", by name of the field.
TRACK_FIELDS = {field.name: str(field.type) for field in fields(Track) if field.name != "id"}

_ALIASES = {
    "track_name": "title",
    "artist_name": "artist",
    "album_name": "album",
    "file_name": "path",
}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MAX_NUMBER = 2.0**63  # SQLite stores only smaller integers
_EMPTY_VALUES = {"int": 0, "float": 0.0, "str": ""}


def read_tracks(path: Path, names: Mapping[str, str]) -> list[Track]:
    """Read the tracks described in a file.

    Parameters
    ----------
    path : Path
        JSON (a list of objects), JSON lines or CSV, by its suffix. Fields of a CSV file may be
        separated by commas, semicolons, tabs or bars.
    names : mapping of str to str
        Fields of `Track`, by the names that the file uses for them. The field names of `Track`
        need no entry, and neither do ``track_name``, ``artist_name``, ``album_name`` and
        ``file_name``.

    Raises
    ------
    LibraryError
        If the file can't be read, or a value doesn't fit its field.
    UsageError
        If ``names`` has a field that `Track` lacks.
    """
    return [
        _track(row, f"{path}, row {number}")
        for number, row in enumerate(_renamed(path, names), start=1)
    ]


def _renamed(path: Path, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a file, with the fields renamed to those of `Track`."""
    unknown = set(names.values()) - set(TRACK_FIELDS)
    if unknown:
        raise UsageError(
            f"A track has no field {', '.join(sorted(unknown))}.",
            hint=f"Choose from {', '.join(TRACK_FIELDS)}.",
        )
    track_names = _ALIASES | {name: name for name in TRACK_FIELDS} | dict(names)
    rows = _rows(path, track_names)
    missing = [name for name in names if not any(name in row for row in rows)]
    if missing:
        raise LibraryError(
            f"{path} has no field {', '.join(missing)}.",
            hint=f"Its fields are {', '.join(rows[0])}." if rows else "It has no rows.",
        )
    return [
        {track_names[name]: value for name, value in row.items() if name in track_names}
        for row in rows
    ]


def _rows(path: Path, names: Container[str]) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        if path.suffix.lower() in (".csv", ".tsv"):
            return _table_rows(text, path, names)
        if path.suffix.lower() == ".json":
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, csv.Error) as exc:
        reason = why_missing(os.fspath(path)) if isinstance(exc, FileNotFoundError) else exc
        raise LibraryError(
            f"{path} can't be read as JSON, JSON lines or CSV: {reason}.",
            hint="Name a file with the suffix .json, .jsonl or .csv, by its format.",
        ) from exc
    if isinstance(rows, dict):  # such as the output of `audiosearch list --format json`
        rows = next((value for value in rows.values() if isinstance(value, list)), None)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LibraryError(
            f"{path} is not a list of objects.", hint="Write one object for each vector."
        )
    return rows


def _table_rows(text: str, path: Path, names: Container[str]) -> list[dict[str, Any]]:
    """Return the rows of a table.

    Its delimiter is the one with which the header has the most of the known names, or else the most
    fields.
    """

    def n_fields(delimiter: str) -> tuple[int, int]:
        header = next(_fields_of_rows(text, delimiter), [])
        return sum(name in names for name in header), len(header)

    named = re.match(r"sep=(.)\r?\n", text)  # Excel's way to name the delimiter
    if named:
        delimiter, text = named[1], text[named.end() :]
    else:
        delimiter = max(_DELIMITERS, key=n_fields)
    header, *rows = list(filter(any, _fields_of_rows(text, delimiter))) or [[]]
    for number, row in enumerate(rows, start=1):
        if any(row[len(header) :]):
            name = _DELIMITERS.get(delimiter, delimiter)
            raise LibraryError(
                f"{path}, row {number} has {len(row)} fields, but the header has {len(header)}.",
                hint=f"Put double quotes around each field that has a {name} in it.",
            )
    return [dict(itertools.zip_longest(header, row[: len(header)])) for row in rows]


def _fields_of_rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _track(row: dict[str, Any], where: str) -> Track:
    if not row.get("path") and row.get("path") != 0:
        raise LibraryError(
            f"{where} has no path.",
            hint="If the field has another name in the file, add --map NAME=path.",
        )
    return Track(**{name: _value(name, row.get(name), where) for name in TRACK_FIELDS})


def _value(name: str, value: Any, where: str) -> Any:
    kind = TRACK_FIELDS[name]
    if value is None or value == "":
        return None if kind.endswith("None") else _EMPTY_VALUES[kind]
    if kind.startswith("str"):
        return _text(name, str(value), where)
    number = re.match(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", str(value).strip())
    if number is None or not abs(float(number[0])) < _MAX_NUMBER:
        raise LibraryError(
            f"{where}: {name} is not a number: {value}.", hint="Correct the value or remove it."
        )
    if kind == "float":
        return float(number[0])
    is_whole = number[1] is None and number[2] is None
    return int(number[0]) if is_whole else int(float(number[0]))


def _text(name: str, text: str, where: str) -> str:
    try:
        (os.fsencode if name == "path" else str.encode)(text)
        if "\0" not in text:
            return text
    except UnicodeEncodeError:
        pass
    raise LibraryError(
        f"{where}: {name} has characters that can't be stored: {text!a}.",
        hint="Correct the value or remove it.",
    )
