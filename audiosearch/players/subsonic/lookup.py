"""Find the songs of a Subsonic server that are tracks of an index, and the other way round.

Each look-up takes a few requests, however large the server's library is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from audiosearch.library.track import fold, split_list
from audiosearch.players.subsonic.client import items
from audiosearch.players.subsonic.matching import Song, closeness, title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.players.subsonic.client import SubsonicClient
    from audiosearch.players.subsonic.matching import Closeness

C = TypeVar("C")

_PAGES = (20, 100, 200)  # songs of one search by title that are looked at, one page at a time
_MANY = 100  # songs or albums of other searches
_MAX_ALBUMS = 5  # albums of the same name that are looked at
_MAX_CANDIDATES = 100  # tracks of the index with the same words that are looked at
_MAX_CHARS = 200  # of a query: servers cut off long titles, and find their beginning
_REQUESTS_AT_ONCE = 8


def songs_of(client: SubsonicClient, tracks: Sequence[Track]) -> list[Song | None]:
    """Return the song of each track on a server; None if the server doesn't know the track.

    A track is searched by its title, then by artist and title, then in the albums of its name.

    Raises
    ------
    PlayerError
        If the server doesn't answer.
    """
    different = list({track.path: track for track in tracks}.values())
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
        songs = threads.map(lambda track: _song_of(client, track), different)
        by_path = {track.path: song for track, song in zip(different, songs, strict=True)}
    return [by_path[track.path] for track in tracks]


def track_of(index: Index, song: Song) -> Track | None:
    """Return the track of an index that is a song of a server; None if there is none."""
    path = song.text("path").replace("\\", "/")
    title = song.text("title")
    names = (
        path.replace("/", " "),
        path.rpartition("/")[2],
        f"{song.text('artist')} {title}",
        title,
    )
    candidates = {
        track.id: track
        for words in dict.fromkeys(names)
        for track in index.search_text(words, limit=_MAX_CANDIDATES)
    }
    best = _closest(candidates.values(), lambda track: closeness(track, song))
    return best and best[1]


def _song_of(client: SubsonicClient, track: Track) -> Song | None:
    best: tuple[Closeness, Song] | None = None
    for page, is_last in _candidates(client, track):
        found = _closest(page, lambda song: closeness(track, song))
        best = max(filter(None, (best, found)), key=itemgetter(0), default=None)
        if best and (is_last or best[0].is_certain):
            break
    return best and best[1]


def _candidates(client: SubsonicClient, track: Track) -> Iterator[tuple[list[Song], bool]]:
    """Yield songs that may be a track, one page at a time, the likeliest first.

    Each page comes with whether it is the last one of a search: a song found so far is then closer
    than those that other searches find.
    """
    title = title_of(track)
    offset = 0
    for size in _PAGES:
        page = _search(client, title, size, offset=offset)
        is_last = len(page) < size
        yield page, is_last
        if is_last:
            break
        offset += size
    artist = next(iter(split_list(track.artist)), "")
    if artist:
        yield _search(client, f"{artist} {title}", _MANY), True
    if track.album:
        yield from ((songs, True) for songs in _songs_of_albums(client, track.album))


def _search(client: SubsonicClient, words: str, size: int, *, offset: int = 0) -> list[Song]:
    answer = client.call(
        "search3",
        query=words[:_MAX_CHARS],
        songCount=size,
        songOffset=offset,
        artistCount=0,
        albumCount=0,
    )
    return [Song(fields) for fields in items(answer, "searchResult3", "song")]


def _songs_of_albums(client: SubsonicClient, name: str) -> Iterator[list[Song]]:
    answer = client.call("search3", query=name, albumCount=_MANY, artistCount=0, songCount=0)
    albums = items(answer, "searchResult3", "album")
    named = [album for album in albums if fold(str(album.get("name"))) == fold(name)]
    for album in named[:_MAX_ALBUMS]:
        answer = client.call("getAlbum", id=str(album["id"]))
        yield [Song(fields) for fields in items(answer, "album", "song")]


def _closest(
    candidates: Iterable[C], rank: Callable[[C], Closeness | None]
) -> tuple[Closeness, C] | None:
    """Return the first candidate with the highest rank, and the rank; None if none has a rank."""
    ranked = [(ranked, candidate) for candidate in candidates if (ranked := rank(candidate))]
    return max(ranked, key=itemgetter(0), default=None)
