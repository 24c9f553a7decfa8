"""Types of the values in a database. SQLite stores any type in any column."""

from __future__ import annotations

import dataclasses
import sqlite3
import sys
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from audiosearch.library.track import Failure, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlite_utils import Database

#: Columns with paths, which are stored as bytes, because not all are valid Unicode.
PATHS = frozenset({"path", "real_path"})

_MAX_SECONDS = 1e9  # of a track; 30 years
_IS_TIME = f"at BETWEEN 0 AND {sys.float_info.max!r}"
_MAX_PATH_BYTES = 100_000  # Linux allows 4,096, but URLs have no limit
# SQLite stores True as 1.
_TYPES = {"str": str, "int": int, "float": float, "bool": int, "None": type(None)}
_FIELDS = {
    field.name: frozenset(_TYPES[name] for name in str(field.type).split(" | "))
    for field in chain(dataclasses.fields(Failure), dataclasses.fields(Track))
    if field.name != "sounds"
} | dict.fromkeys(PATHS, frozenset({bytes}))
# Damaged moments are removed alone: see `MomentTable.damaged`.
_CHECKED_ELSEWHERE = {"moments"}
# By the declared type of a column.
_SQL_TYPES = {"INTEGER": "integer", "REAL": "real", "TEXT": "text", "BLOB": "blob"}


def require_types(name: str, values: Iterable[Any]) -> None:
    """Check the types of values of a column of tracks or failures.

    Raises
    ------
    sqlite3.DatabaseError
        If one is wrong.
    """
    if not _FIELDS[name].issuperset(map(type, values)):
        message = f"the column {name} holds values of a wrong type"
        raise sqlite3.DatabaseError(message)


def require_row(row: Mapping[str, Any]) -> None:
    """Check the types, the duration and the path of a row of tracks or failures.

    Raises
    ------
    sqlite3.DatabaseError
        If one is wrong.
    KeyError
        If there is no such column.
    """
    types = {name: type(value) for name, value in row.items() if name != "sounds"}
    _require_row_types(tuple(types), tuple(types.values()))
    if row.get("has_cover") not in {None, 0, 1}:
        message = f"has_cover of a track is {row['has_cover']}"
        raise sqlite3.DatabaseError(message)
    if not 0.0 <= row.get("seconds", 0.0) <= _MAX_SECONDS:
        message = f"a track has a duration of {row['seconds']} s"
        raise sqlite3.DatabaseError(message)
    if len(row.get("path", b"")) > _MAX_PATH_BYTES:
        message = f"a path has more than {_MAX_PATH_BYTES:,} bytes"
        raise sqlite3.DatabaseError(message)


@lru_cache
def _require_row_types(names: tuple[str, ...], types: tuple[type, ...]) -> None:
    for name, found in zip(names, types, strict=True):
        if found not in _FIELDS[name]:
            message = f"the column {name} holds values of a wrong type"
            raise sqlite3.DatabaseError(message)


def mended(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of tracks or failures with NULL in place of each value that is not valid.

    The values are as on a page of the database, where SQLite writes 4.0 as 4.
    """
    result = dict(row)
    for name, value in row.items():
        if isinstance(value, int) and float in _FIELDS[name]:
            result[name] = float(value)
        try:
            require_row({name: result[name]})
        except sqlite3.DatabaseError:
            result[name] = None
    return result


def wrong_types(db: Database, expected: Database) -> list[str]:
    """Return a phrase for each table with values of a wrong type or size.

    Parameters
    ----------
    db : Database
    expected : Database
        Database with the present schema.
    """
    phrases = []
    for table in set(expected.table_names()) - _CHECKED_ELSEWHERE:
        known = db.table(table).columns_dict if db.table(table).exists() else {}
        conditions = [
            f"typeof([{column.name}]) NOT IN ('{_SQL_TYPES[column.type.upper()]}'"
            + (")" if column.notnull else ", 'null')")
            for column in expected.table(table).columns
            if column.name in known and column.type
        ]
        if table == "tracks":
            conditions.append(f"NOT seconds BETWEEN 0 AND {_MAX_SECONDS}")
            conditions += ["NOT has_cover BETWEEN 0 AND 1"] if "has_cover" in known else []
        if table == "sounds" and known:
            conditions.append(
                f"NOT (score BETWEEN 0 AND 1 AND mean BETWEEN 0 AND 1 AND {_IS_TIME})"
            )
        if "path" in known:
            conditions.append(f"length(path) > {_MAX_PATH_BYTES}")
        sql = f"SELECT count(*) FROM [{table}] WHERE {' OR '.join(conditions)}"
        (number,) = db.execute(sql).fetchone() if conditions else (0,)
        if number:
            phrases.append(f"rows of the table {table} with invalid values: {number:,}")
    return phrases
