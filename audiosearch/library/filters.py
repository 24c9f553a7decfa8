"""Filters: conditions on tags, length, year, folder and sounds that a hit must meet."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from audiosearch.errors import UsageError
from audiosearch.paths import folder_names, path_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CACHED_TAGS = 10_000  # of which a search keeps the folded values
_GENRE_SEPARATORS = re.compile("[;,/|]")


def split_genres(genre: str) -> list[str]:
    """Split a tag that lists several genres, with any of the usual separators.

    Examples
    --------
    >>> split_genres("Jazz; Soul"), split_genres("Folk/World"), split_genres("Rock")
    (['Jazz', 'Soul'], ['Folk', 'World'], ['Rock'])
    """
    return [part.strip() for part in _GENRE_SEPARATORS.split(genre)]


def genre_values(genre: str | None) -> list[str]:
    """Return the texts that match a genre tag: the whole tag, and each genre in it.

    Examples
    --------
    >>> genre_values("Jazz; Folk/World"), genre_values("Rock")
    (['Jazz; Folk/World', 'Jazz', 'Folk/World', 'Folk', 'World'], ['Rock'])
    """
    return _values(genre, split_genres(genre or ""))


def artist_values(artist: str | None) -> list[str]:
    """Return the texts that match an artist tag: the whole tag, and each artist in it.

    Examples
    --------
    >>> artist_values("Band; Singer"), artist_values("AC/DC")
    (['Band; Singer', 'Band', 'Singer'], ['AC/DC'])
    """
    return _values(artist, [])


def _values(text: str | None, parts: list[str]) -> list[str]:
    from audiosearch.library.track import split_list  # here: every command imports this module

    return [] if text is None else list(dict.fromkeys([text, *split_list(text), *parts]))


def sql_functions() -> dict[str, Callable[..., Any]]:
    """Return the SQL functions that `Filters.to_sql` uses, by name."""
    from audiosearch.library.track import fold

    def folded(text: str | None) -> str | None:
        return None if text is None else fold(text)

    def lists_artist(text: str | None, folded_value: str) -> bool:
        return folded_value in folded_artists(text)

    def lists_genre(text: str | None, folded_value: str) -> bool:
        return folded_value in folded_genres(text)

    @lru_cache(_CACHED_TAGS)
    def folded_artists(text: str | None) -> frozenset[str]:
        return frozenset(map(fold, artist_values(text)))

    @lru_cache(_CACHED_TAGS)
    def folded_genres(text: str | None) -> frozenset[str]:
        return frozenset(map(fold, genre_values(text)))

    return {"folded": folded, "lists_artist": lists_artist, "lists_genre": lists_genre}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``min`` to ``max``, both included.

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
        """Return the range written as ``MIN..MAX``, ``MIN..``, ``..MAX`` or one number.

        Raises
        ------
        UsageError
            If the text is not a range.
        """
        first, dots, last = text.partition("..")
        try:
            span = cls(float(first or "-inf"), float((last if dots else first) or "inf"))
        except ValueError:
            span = cls(math.nan, math.nan)
        if not span.min <= span.max or not text.strip("."):
            raise UsageError(
                f"{text} is not a range of numbers.", hint="Write it as 1990..1999, 60.. or ..600."
            )
        return span


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that a track must meet.

    Different fields are AND-ed, and values for the same field are OR-ed. A missing tag never
    matches. Case doesn't matter, nor does the normal form of Unicode. A tag that lists several
    artists or genres matches each of them.

    Attributes
    ----------
    artist, album, genre : tuple of str
        Values of tags. The artist may also be the album artist.
    year, seconds : tuple of Range
        Ranges of the year, and of the length in seconds.
    folder : tuple of str
        Folders that contain the track, at any depth.
    folder_name : tuple of str
        Names of such folders, without their paths.
    sound : tuple of str
        Names of sounds (AudioSet classes), exactly, of which at least one is heard in the track:
        see `audiosearch.models.sound_names.matching` for names as people write them.
    exclude : Filters or None
        Filters of tracks to leave out: a track that meets any one of their conditions.
    """

    artist: tuple[str, ...] = ()
    album: tuple[str, ...] = ()
    genre: tuple[str, ...] = ()
    year: tuple[Range, ...] = ()
    seconds: tuple[Range, ...] = ()
    folder: tuple[str, ...] = ()
    folder_name: tuple[str, ...] = ()
    sound: tuple[str, ...] = ()
    exclude: Filters | None = None

    @property
    def names_sounds(self) -> bool:
        """Whether a condition is about sounds."""
        return bool(self.sound or (self.exclude and self.exclude.sound))

    def to_sql(self) -> tuple[str, list[Any]]:
        """Return the filters as an SQL condition on the table ``tracks``, and its values."""
        clauses, values = [], []
        for clause, clause_values in _conditions(self):
            clauses.append(clause)
            values += clause_values
        for clause, clause_values in _conditions(self.exclude) if self.exclude else ():
            clauses.append(f"NOT coalesce({clause}, 0)")
            values += clause_values
        return " AND ".join(clauses) or "1", values


EVERYTHING = Filters()


def _conditions(filters: Filters) -> Iterator[tuple[str, list[Any]]]:
    """Yield one SQL condition and its values for each field that has values."""
    from audiosearch.library.track import fold  # here, because every command imports this module

    alternatives: dict[str, list[list[Any]]] = {
        "(lists_artist(artist, ?) OR lists_artist(album_artist, ?))": [
            [fold(artist)] * 2 for artist in filters.artist
        ],
        "folded(album) = ?": [[fold(album)] for album in filters.album],
        "lists_genre(genre, ?)": [[fold(genre)] for genre in filters.genre],
        "year BETWEEN ? AND ?": [[span.min, span.max] for span in filters.year],
        "(seconds > 0 AND seconds BETWEEN ? AND ?)": [
            [span.min, span.max] for span in filters.seconds
        ],
        "substr(path, 1, ?) = ?": [
            _prefix(name) for folder in filters.folder for name in folder_names(folder)
        ],
        "instr(path, ?) > 0": [
            [os.fsencode(part)] for name in filters.folder_name for part in path_parts(name)
        ],
        "id IN (SELECT track_id FROM sounds WHERE name = ?)": [[name] for name in filters.sound],
    }
    for clause, values in alternatives.items():
        if values:
            yield f"({' OR '.join([clause] * len(values))})", list(chain.from_iterable(values))


def _prefix(folder: str) -> list[Any]:
    prefix = os.fsencode(os.path.join(folder, ""))
    return [len(prefix), prefix]
