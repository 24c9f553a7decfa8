"""Filters and other conditions as Milvus expressions."""

from __future__ import annotations

import math
import os
from itertools import chain
from typing import TYPE_CHECKING, Any

from audiosearch.library.milvus.schema import UNKNOWN, coded, folded, key
from audiosearch.paths import folder_names, normal_forms, path_parts

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from audiosearch.library.filters import Filters, Range

NOTHING = "id < 0"
_MAX_YEAR = 2.0**62  # larger years count as infinite
_WILDCARDS = str.maketrans({"%": "\\%", "_": "\\_"})
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def literal(value: str | float | list[Any]) -> str:
    """Return a text, a number or a list of them as a literal of an expression."""
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def one_of(field: str, values: Iterable[Any]) -> str:
    """Return the condition that a field has one of several values."""
    return f"{field} in {literal(list(values))}"


def inside(folder: str) -> str:
    """Return the condition that a path is in a folder, at any depth.

    Milvus orders texts by their characters. So the texts with a prefix lie between the prefix and
    the prefix with its last character increased by one.
    """
    prefix = coded(os.path.join(folder, ""))
    beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return f"(path >= {literal(prefix)} and path < {literal(beyond)})"


def contains_phrases(phrases: Iterable[list[str]]) -> str:
    """Return the condition that a track has all phrases. A phrase is a list of words in order.

    The last word of a phrase also matches longer words that begin with it.
    """
    patterns = ["% " + " ".join(phrase) + "%" for phrase in phrases]
    likes = [f"words like {literal(pattern)}" for pattern in patterns]
    return " and ".join(likes) or NOTHING


def expression(filters: Filters, fields: Container[str]) -> str:
    """Return filters as a Milvus expression; "" if all tracks pass them.

    Parameters
    ----------
    filters : Filters
    fields : container of str
        Fields of the collection. One of an older version has no ``artists`` or ``folders``.
    """
    clauses = [*_conditions(filters, fields)]
    if filters.exclude:
        clauses += [f"not ({clause})" for clause in _conditions(filters.exclude, fields)]
    return " and ".join(clauses)


def _conditions(filters: Filters, fields: Container[str]) -> Iterator[str]:
    """Yield one condition for each field that has values."""
    if filters.artist and "artists" in fields:
        yield _contains_any("artists", map(folded, filters.artist))
    elif filters.artist:
        names = [key(artist) for artist in filters.artist]
        yield _any_of([one_of("artist_key", names), one_of("album_artist_key", names)])
    if filters.album:
        yield one_of("album_key", map(key, filters.album))
    if filters.genre:
        yield _contains_any("genres", map(folded, filters.genre))
    if filters.year:
        yield _any_of(map(_in_years, filters.year))
    if filters.seconds:
        yield _any_of(map(_in_seconds, filters.seconds))
    if filters.folder:
        yield _any_of(inside(name) for folder in filters.folder for name in folder_names(folder))
    if filters.folder_name:
        yield _in_named(filters.folder_name, fields)
    if filters.sound:
        yield _contains_any("sounds", filters.sound)


def _contains_any(field: str, values: Iterable[str]) -> str:
    return f"array_contains_any({field}, {literal(list(values))})"


def _any_of(clauses: Iterable[str]) -> str:
    return f"({' or '.join(clauses)})"


def _in_named(names: Iterable[str], fields: Container[str]) -> str:
    """Return the condition that a path is in a folder with one of several names."""
    if "folders" in fields:
        forms = chain.from_iterable(map(normal_forms, names))
        return _contains_any("folders", map(coded, forms))
    return _any_of(_has_part(part) for name in names for part in path_parts(name))


def _has_part(part: str) -> str:
    return f"path like {literal(f'%{coded(part).translate(_WILDCARDS)}%')}"


def _in_years(span: Range) -> str:
    if span.min > _MAX_YEAR or span.max < -_MAX_YEAR:
        return NOTHING
    clauses = [f"year >= {max(math.ceil(max(span.min, -_MAX_YEAR)), UNKNOWN + 1)}"]
    if span.max < _MAX_YEAR:
        clauses.append(f"year <= {math.floor(span.max)}")
    return f"({' and '.join(clauses)})"


def _in_seconds(span: Range) -> str:
    if span.min == math.inf or span.max == -math.inf:
        return NOTHING
    clauses = ["seconds > 0.0"]
    if math.isfinite(span.min):
        clauses.append(f"seconds >= {span.min!r}")
    if math.isfinite(span.max):
        clauses.append(f"seconds <= {span.max!r}")
    return f"({' and '.join(clauses)})"
