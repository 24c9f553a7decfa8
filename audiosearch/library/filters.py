"""Which tracks may be hits: conditions on their tags, length, year and place."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from audiosearch.errors import UsageError
from audiosearch.paths import absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIST_SEPARATORS = re.compile(r"\s*[;,/|]\s*")


def split_values(text: str) -> list[str]:
    """Return what a text lists, such as a genre: "Jazz; Soul" is two."""
    return _LIST_SEPARATORS.split(text)


#: Functions that the conditions use, by their SQL names.
SQL_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "folded": lambda text: None if text is None else text.casefold(),
    "lists": lambda texts, wanted: (
        texts is not None and wanted in (texts.casefold(), *split_values(texts.casefold()))
    ),
}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from one to another, both included.

    Examples
    --------
    >>> Range.parsed("1990..1999")
    Range(min=1990.0, max=1999.0)
    >>> Range.parsed("60.."), Range.parsed("1984")
    (Range(min=60.0, max=inf), Range(min=1984.0, max=1984.0))
    """

    min: float = -math.inf
    max: float = math.inf

    @classmethod
    def parsed(cls, text: str) -> Range:
        """Return the range that is written ``LEAST..MOST``; either may be left out.

        Raises
        ------
        UsageError
            Where it is none.
        """
        least, dots, most = text.partition("..")
        try:
            ends = cls(float(least or "-inf"), float((most if dots else least) or "inf"))
        except ValueError:
            ends = cls(math.nan, math.nan)
        if not ends.min <= ends.max or not text.strip("."):
            raise UsageError(f"{text} is no range.", hint="Write it as 1990..1999, 60.. or ..600.")
        return ends


@dataclass(frozen=True, slots=True)
class Filters:
    """What a track must be, and what it must not be.

    Of several values for one thing, one must fit. Texts are compared whatever their case;
    a genre that lists several fits each of them. What is not known fits nothing.

    Attributes
    ----------
    artist, album, genre : tuple of str
        The artist may be the album's artist too.
    year, seconds : tuple of Range
    folder : tuple of str
        Folders, at any depth.
    exclude : Filters or None
        What must not fit, not even one of it.
    """

    artist: tuple[str, ...] = ()
    album: tuple[str, ...] = ()
    genre: tuple[str, ...] = ()
    year: tuple[Range, ...] = ()
    seconds: tuple[Range, ...] = ()
    folder: tuple[str, ...] = ()
    exclude: Filters | None = None

    def to_sql(self) -> tuple[str, list[Any]]:
        """Return the conditions as SQL on the table of tracks, with its values."""
        clauses, values = [], []
        for clause, some in _conditions(self):
            clauses.append(clause)
            values += some
        for clause, some in _conditions(self.exclude) if self.exclude else ():
            clauses.append(f"NOT coalesce({clause}, 0)")
            values += some
        return " AND ".join(clauses) or "1", values


EVERYTHING = Filters()


def _conditions(filters: Filters) -> Iterator[tuple[str, list[Any]]]:
    """Yield for each thing that has values the condition that one of them fits, and the values."""
    alternatives: dict[str, list[list[Any]]] = {
        "(folded(artist) = ? OR folded(album_artist) = ?)": [
            [artist.casefold()] * 2 for artist in filters.artist
        ],
        "folded(album) = ?": [[album.casefold()] for album in filters.album],
        "lists(genre, ?)": [[genre.casefold()] for genre in filters.genre],
        "year BETWEEN ? AND ?": [[span.min, span.max] for span in filters.year],
        "(seconds > 0 AND seconds BETWEEN ? AND ?)": [
            [span.min, span.max] for span in filters.seconds
        ],
        "substr(path, 1, ?) = ?": [_prefix(folder) for folder in filters.folder],
    }
    for clause, values in alternatives.items():
        if values:
            yield f"({' OR '.join([clause] * len(values))})", list(chain.from_iterable(values))


def _prefix(folder: str) -> list[Any]:
    prefix = os.fsencode(os.path.join(absolute(folder), ""))
    return [len(prefix), prefix]
