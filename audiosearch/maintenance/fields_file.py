"""Read tracks from a JSON, JSON lines or CSV file with one row for each track."""

from __future__ import annotations

import csv
import logging
import os
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from audiosearch import defaults
from audiosearch.audio.dates import parse_year
from audiosearch.errors import LibraryError, UsageError
from audiosearch.json_input import parse_json, read_limited
from audiosearch.library.index import Track
from audiosearch.library.track import Sound
from audiosearch.maintenance.table_rows import BadRow, table_rows
from audiosearch.paths import why_missing
from audiosearch.playlist_files.text import (
    MAX_PATH_LENGTH,
    decode_text,
    in_legacy_encodings,
    parse_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from pathlib import Path

#: Type of each field of `Track`, such as "int | None", by name of the field.
TRACK_FIELDS = {
    field.name: str(field.type) for field in fields(Track) if field.name not in {"id", "real_path"}
}

_ALIASES = {
    "artists": "artist",
    "genres": "genre",
    "track_name": "title",
    "artist_name": "artist",
    "album_name": "album",
    "file_name": "path",
}
MAX_FILE_BYTES = 500_000_000
_MAX_TEXT_LENGTH = 10_000
_MAX_DIGITS = 300  # of a number that is parsed
_MAX_NUMBER = 2**63  # SQLite stores only smaller integers
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_SOUNDS = TRACK_FIELDS["sounds"]  # their type
_EMPTY_VALUES = {"int": 0, "float": 0.0, "str": "", _SOUNDS: ()}
_MAX_SOUNDS = 1_000  # of a track
_OTHER_TAGGER = "imported"  # digest of the tagger of sounds that came without one
_MAX_LISTED = 10  # rows that a warning lists

log = logging.getLogger(__name__)


class UnusableValue(ValueError):
    """A value that can't be stored. The message says why."""


class Problems:
    """Rows of a file that are left out, and fields that are ignored, with the reasons.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[int]] = {}  # numbers of rows by what was done and why

    def leave_out(self, row: int, reason: str) -> None:
        """Note that a row, by its number from 1, is left out."""
        self._rows.setdefault(f"left out {{}}: {reason}", []).append(row)

    def ignore(self, row: int, name: str, reason: str) -> None:
        """Note that a field of a row is ignored."""
        self._rows.setdefault(f"ignored {name} in {{}}: {reason}", []).append(row)

    def sentences(self) -> list[str]:
        """Return a sentence for each kind of problem. It lists the rows."""
        return [
            f"{self._path}: {text.format(_listed(numbers))}."
            for text, numbers in self._rows.items()
        ]

    def warn(self) -> None:
        """Log all problems."""
        for sentence in self.sentences():
            log.warning("%s", sentence)


def _listed(numbers: list[int]) -> str:
    listed = ", ".join(map(str, numbers[:_MAX_LISTED]))
    n_more = len(numbers) - _MAX_LISTED
    return f"row{'s' * (len(numbers) > 1)} {listed}" + (f" and {n_more} more" * (n_more > 0))


def read_tracks(path: Path, names: Mapping[str, str], problems: Problems) -> list[Track | None]:
    """Read the tracks described in a file.

    A value that doesn't fit its field counts as missing. A row without a usable path is left out.

    Parameters
    ----------
    path : Path
        JSON (a list of objects), JSON lines or CSV, by its suffix. Fields of a CSV file may be
        separated by commas, semicolons, tabs or bars.
    names : mapping of str to str
        Fields of `Track`, by the names that the file uses for them. The field names of `Track`
        need no entry, and neither do ``artists``, ``genres``, ``track_name``, ``artist_name``,
        ``album_name`` and ``file_name``.
    problems : Problems
        Receives the rows that are left out and the fields that are ignored.

    Returns
    -------
    list of Track or None
        One for each row; None if it is left out.

    Raises
    ------
    LibraryError
        If the file can't be read.
    UsageError
        If ``names`` has a field that `Track` lacks.
    """
    return [
        _track(row, number, problems) for number, row in enumerate(_renamed(path, names), start=1)
    ]


def _renamed(path: Path, names: Mapping[str, str]) -> list[Any]:
    """Return the rows of a file, with the fields renamed to those of `Track`."""
    unknown = set(names.values()) - set(TRACK_FIELDS)
    if unknown:
        raise UsageError(
            f"A track has no field {', '.join(sorted(unknown))}.",
            hint=f"Choose from {', '.join(TRACK_FIELDS)}.",
        )
    track_names = _ALIASES | {name: name for name in TRACK_FIELDS} | dict(names)
    rows = read_rows(path, track_names)
    objects = [row for row in rows if isinstance(row, dict)]
    missing = [name for name in names if not any(name in row for row in objects)]
    if missing:
        raise LibraryError(
            f"{path} has no field {', '.join(missing)}.",
            hint=f"Its fields are {', '.join(objects[0])}." if objects else "It has no rows.",
        )
    return [_renamed_row(row, track_names) if isinstance(row, dict) else row for row in rows]


def _renamed_row(row: dict[str, Any], track_names: Mapping[str, str]) -> dict[str, Any]:
    """Rename the fields of a row. Of two fields for the same one, that with our name counts."""
    items = sorted(row.items(), key=lambda item: item[0] not in _ALIASES)
    return {
        track_names[name]: value
        for name, value in items
        if name in track_names and value is not None
    }


def read_rows(path: Path, names: Container[str]) -> list[Any]:
    """Return the rows of a JSON, JSON lines or CSV file; names are those of fields in a CSV file.

    Raises
    ------
    LibraryError
        If the file can't be read.
    """
    try:
        text = decode_text(read_limited(path, MAX_FILE_BYTES))
        if path.suffix.lower() in (".csv", ".tsv"):
            return table_rows(text, names)
        rows = parse_json(text) if path.suffix.lower() == ".json" else _json_lines(text)
    except (OSError, ValueError, csv.Error) as exc:
        reason = why_missing(os.fspath(path)) if isinstance(exc, FileNotFoundError) else exc
        raise LibraryError(
            f"{path} can't be read as JSON, JSON lines or CSV: {reason}.",
            hint="Name a file with the suffix .json, .jsonl or .csv, by its format.",
        ) from exc
    if isinstance(rows, dict):  # such as the output of `audiosearch list --format json`
        rows = next((value for value in rows.values() if isinstance(value, list)), None)
    if not isinstance(rows, list) or (rows and not any(isinstance(row, dict) for row in rows)):
        raise LibraryError(
            f"{path} is not a list of objects.", hint="Write one object for each vector."
        )
    return rows


def _json_lines(text: str) -> list[Any]:
    """Return the value in each line; None for an invalid one, unless all are invalid."""
    rows = []
    error = None
    for line in filter(str.strip, text.split("\n")):
        try:
            rows.append(parse_json(line))
        except ValueError as exc:
            rows.append(None)
            error = exc
    if error is not None and not any(rows):
        raise error
    return rows


def _track(row: Any, number: int, problems: Problems) -> Track | None:
    """Return the track in a row; None if the row has no usable path."""
    if not isinstance(row, dict):
        problems.leave_out(number, row.reason if isinstance(row, BadRow) else "not an object")
        return None
    if row.get("path") in (None, ""):
        problems.leave_out(number, "no path (--map NAME=path names the field with the path)")
        return None
    values = {}
    for name, kind in TRACK_FIELDS.items():
        try:
            values[name] = _value(name, row.get(name))
        except UnusableValue as exc:
            if name == "path":
                problems.leave_out(number, f"its path {exc}")
                return None
            problems.ignore(number, name, f"it {exc}")
            values[name] = _empty(kind)
    if values["sounds"] and not values["tagger"]:
        values["tagger"] = _OTHER_TAGGER
    return Track(**values)


def _empty(kind: str) -> Any:
    return None if kind.endswith("None") else _EMPTY_VALUES[kind]


def _value(name: str, value: Any) -> Any:
    """Return a value in the type of its field.

    Raises
    ------
    UnusableValue
        If it doesn't fit the field.
    """
    kind = TRACK_FIELDS[name]
    if value is None or value == "":
        return _empty(kind)
    if kind == _SOUNDS:
        return _sounds(value)
    if name in _PARSERS:
        return _PARSERS[name](value)
    if kind.startswith("str"):
        return _text(name, value) or _empty(kind)
    number = re.match(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", str(value).strip())
    if number is None:
        raise UnusableValue("is not a number")
    if len(number[0]) > _MAX_DIGITS:
        raise UnusableValue("is too large")
    is_whole = number[1] is None and number[2] is None
    parsed = int(number[0]) if is_whole else float(number[0])
    if not abs(parsed) < _MAX_NUMBER:
        raise UnusableValue("is too large")
    return int(parsed)


def _flag(value: Any) -> bool:
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise UnusableValue("is neither true nor false")
    return flag


def _sounds(value: Any) -> tuple[Sound, ...]:
    """Return the sounds in a list of objects, best first."""
    if not isinstance(value, list) or len(value) > _MAX_SOUNDS:
        raise UnusableValue("is not a list of sounds")
    by_name = {sound.name: sound for sound in map(_sound, value)}
    return tuple(sorted(by_name.values(), key=lambda sound: (-sound.score, sound.name)))


def _sound(value: Any) -> Sound:
    try:
        numbers = [float(value[name]) for name in ("score", "mean", "at")]
        sound = Sound(_text("name", value["name"]), *numbers)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise UnusableValue("is not a list of sounds") from None
    scores = (sound.score, sound.mean)
    if not sound.name or not all(0 <= n <= 1 for n in scores) or not 0 <= sound.at < _MAX_NUMBER:
        raise UnusableValue("has a sound with an impossible number or without a name")
    return sound


def _seconds(value: Any) -> float:
    """Return a length such as "225.5", "225,5 s" or "3:45"; 0 for an unknown one, such as "-1"."""
    number = (str(value).split() or [""])[0].replace(",", ".")
    seconds = parse_seconds(number)
    is_unknown = re.fullmatch(r"-[0-9.]+|0[0-9.]*", number) is not None
    if (not seconds and not is_unknown) or seconds >= _MAX_NUMBER:
        raise UnusableValue("is not a number")
    return seconds


def _text(name: str, value: Any) -> str:
    parts = value if isinstance(value, list) and name != "path" else [value]
    types = str if name == "path" else (str, int, float)  # a title may be a number
    if not all(isinstance(part, types) for part in parts if part) or isinstance(value, bool):
        raise UnusableValue("is not a text")
    text = defaults.LIST_SEPARATOR.join(str(part) for part in parts if part)
    if len(text) > (MAX_PATH_LENGTH if name == "path" else _MAX_TEXT_LENGTH):
        raise UnusableValue("is too long")
    try:
        meanings = in_legacy_encodings(text)
        if name == "path":  # Linux allows any bytes in a path
            meanings = list(filter(os.path.exists, meanings))
        text = next(iter(meanings), text)
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        raise UnusableValue("has characters that can't be stored") from exc
    if "\0" in text:
        raise UnusableValue("has characters that can't be stored")
    return text


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "year": parse_year,
    "seconds": _seconds,
    "has_cover": _flag,
}
