"""Values of tags, sounds and folders of tracks, suggested while somebody types."""

from __future__ import annotations

import heapq
import ntpath
import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from audiosearch.library.filters import split_genres
from audiosearch.library.track import fold, plain_words, split_list

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from audiosearch.library.heard_sounds import HeardSound

#: Fields whose values are suggested.
FIELDS: Final = ("artist", "album", "genre", "sound", "folder", "title")
#: Fields of `Track` from which all but the sounds come.
TAG_FIELDS: Final = ("title", "artist", "album", "album_artist", "genre", "path")

_AT_A_TIME = 2  # suggestions of a field before those of the next one


class Suggestion(NamedTuple):
    """A value of a field.

    Attributes
    ----------
    field : str
        One of `FIELDS`.
    text : str
        The value as it is written in the first of its tracks.
    plain : str
        Its words, as searches compare them.
    tracks : int
        Number of tracks that have it.
    """

    field: str
    text: str
    plain: str
    tracks: int

    @classmethod
    def of(cls, field: str, text: str, tracks: int) -> Suggestion:
        """Return the suggestion of a value."""
        return cls(field, text, " ".join(plain_words(text)), tracks)


def values_of_tags(rows: Iterable[Sequence[Any]]) -> Iterator[Suggestion]:
    """Yield the values of all fields but sounds.

    Values that differ only in case or Unicode's normal form are one.

    Parameters
    ----------
    rows : iterable of sequences
        The `TAG_FIELDS` of each track.
    """
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    spellings: dict[tuple[str, str], str] = {}
    for row in rows:
        keys = set()
        for field, text in _values(*row):
            key = (field, fold(text))
            spellings.setdefault(key, text)
            keys.add(key)
        for key in keys:
            counts[key] += 1
    for key, n_tracks in counts.items():
        yield Suggestion.of(key[0], spellings[key], n_tracks)


def _values(
    title: str | None,
    artist: str | None,
    album: str | None,
    album_artist: str | None,
    genre: str | None,
    path: str,
) -> Iterator[tuple[str, str]]:
    """Yield the fields of a track and their values. A track without a title has its file's name."""
    folder, file = folder_and_file(path)
    for artists in (artist, album_artist):
        yield from (("artist", name) for name in split_list(artists))
    for part in split_list(genre):
        yield from (("genre", name) for name in split_genres(part) if name)
    for field, text in (("title", title or file), ("album", album), ("folder", folder)):
        if text and not text.isspace():
            yield field, text.strip().encode(errors="backslashreplace").decode()


def folder_and_file(path: str) -> tuple[str, str]:
    r"""Return the names of the folder that a file is in, and of the file.

    The paths of imported tracks may be Windows paths.

    Examples
    --------
    >>> folder_and_file("/music/Album/song.mp3"), folder_and_file("C:\\Album\\song.mp3")
    (('Album', 'song.mp3'), ('Album', 'song.mp3'))
    """
    module = ntpath if ntpath.splitdrive(path)[0] else posixpath
    folder, file = module.split(path)
    return module.basename(folder), file


def ranked(suggestions: Iterable[Suggestion], words: str, limit: int) -> list[Suggestion]:
    """Return the best suggestions for words: two of each field, then two more, and so on.

    In a field, values that equal the words come first, then those that begin with them, then those
    of the most tracks.
    """
    query = " ".join(plain_words(words))

    def rank(suggestion: Suggestion) -> tuple[Any, ...]:
        plain = suggestion.plain
        quality = (plain != query, not plain.startswith(query), -suggestion.tracks)
        return quality, FIELDS.index(suggestion.field), plain

    by_field: defaultdict[str, list[Suggestion]] = defaultdict(list)
    for suggestion in suggestions:
        by_field[suggestion.field].append(suggestion)
    turns = [
        (position // _AT_A_TIME, rank(suggestion), suggestion)
        for values in by_field.values()
        for position, suggestion in enumerate(heapq.nsmallest(limit, values, key=rank))
    ]
    return [suggestion for *_, suggestion in sorted(turns)[:limit]]


class SuggestionsOfTracks:
    """The values of tracks, read again after tracks change; it implements `SuggestionStorage`.

    Parameters
    ----------
    read_tags : callable
        Returns the `TAG_FIELDS` of all tracks.
    read_sounds : callable
        Returns the sounds that are heard in them.
    version : callable
        Returns a number that changes with every change of a track.
    """

    def __init__(
        self,
        read_tags: Callable[[], Iterable[Sequence[Any]]],
        read_sounds: Callable[[], Iterable[HeardSound]],
        *,
        version: Callable[[], int],
    ) -> None:
        self._read_tags, self._read_sounds, self._version = read_tags, read_sounds, version
        self._values: tuple[int, list[Suggestion]] | None = None

    def suggestions(self, words: str, fields: Collection[str]) -> list[Suggestion]:
        """Return the values of fields that have all words: see `SuggestionStorage`."""
        wanted = [f" {word}" for word in plain_words(words)]
        return [
            value
            for value in self._current()
            if value.field in fields and all(word in f" {value.plain}" for word in wanted)
        ]

    def _current(self) -> list[Suggestion]:
        version = self._version()
        if self._values is None or self._values[0] != version:
            sounds = self._read_sounds()
            values = [Suggestion.of("sound", sound.name, sound.tracks) for sound in sounds]
            self._values = version, [*values_of_tags(self._read_tags()), *values]
        return self._values[1]
