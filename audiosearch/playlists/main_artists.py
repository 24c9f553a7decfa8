"""Main artists of tracks: the first artist in a tag that names several."""

from __future__ import annotations

import itertools
import re
from functools import cached_property
from typing import TYPE_CHECKING

from audiosearch.library.track import fold, split_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from audiosearch.library.index import Index

# A run of spaces or brackets is only tried from its start, which keeps the time linear.
_GUEST = re.compile(
    r"(?<![\s,(\[])[\s,(\[]+(?:(?:feat|ft)\.\s*|(?:feat|ft|featuring)\s+)", re.IGNORECASE
)
# Between artists of equal rank, but also in the names of bands.
_JOIN = re.compile(
    r"(?:(?<![\s(\[])[\s(\[]+)?[&+,/|\u00d7\u2022\u3001\uff06]"
    r"|(?<![\s(\[])[\s(\[]+(?:(?:and|x|vs\.?|with|meets|presents)\s|w/)",
    re.IGNORECASE,
)

_MAX_JOINS = 20  # of one tag that are looked at


class MainArtists:
    """Main artists of the tracks of a library.

    The main artist is A in the tags "A; B" and "A feat. B". In tags like "A & B", "A, B" and
    "A vs. B", it is A if some track of the library is by A. Otherwise it is the whole tag, because
    that may be the name of a band.

    Parameters
    ----------
    tags : callable
        Returns the artist and album artist tags of the library. It is called at most once, and
        only if a tag can't be understood without them.

    Examples
    --------
    >>> artists = MainArtists(lambda: ["Anna", "Anna & Bob", "Simon & Garfunkel"])
    >>> artists.of("Anna feat. Bob"), artists.of("Anna & Bob"), artists.of("Simon & Garfunkel")
    ('anna', 'anna', 'simon & garfunkel')
    """

    def __init__(self, tags: Callable[[], Iterable[str]]) -> None:
        self._tags = tags
        self._known: dict[str | None, str] = {None: ""}  # main artist by tag

    def of(self, tag: str | None) -> str:
        """Return the main artist in an artist tag, folded; empty if there is no tag."""
        if tag not in self._known:
            self._known[tag] = self._main_artist(tag or "")
        return self._known[tag]

    def _main_artist(self, tag: str) -> str:
        artist = without_guests(next(iter(split_list(tag)), ""))
        joins = itertools.islice(_JOIN.finditer(artist), _MAX_JOINS)
        starts = (artist[: match.start()] for match in joins)
        return next((fold(start) for start in starts if fold(start) in self._names), fold(artist))

    @cached_property
    def _names(self) -> frozenset[str]:
        """Folded names of all artists of the library."""
        artists = (artist for tag in self._tags() for artist in split_list(tag))
        return frozenset(fold(without_guests(artist)) for artist in artists)


def main_artists(index: Index) -> MainArtists:
    """Return the main artists of an index."""
    return MainArtists(index.storage.artists)


def without_guests(text: str) -> str:
    """Return an artist or a title without the guests that it names at its end.

    Examples
    --------
    >>> without_guests("Song (feat. Bob)"), without_guests("Anna ft. Bob")
    ('Song', 'Anna')
    """
    return _GUEST.split(text, maxsplit=1)[0]
