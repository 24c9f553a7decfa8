"""Songs of a Subsonic server that sound like others, found in an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from audiosearch.library.filters import EVERYTHING
from audiosearch.library.index_reader import IndexReader
from audiosearch.players.subsonic.client import (
    MISSING_PARAMETER,
    NOT_FOUND,
    ServerError,
    SubsonicError,
    items,
)
from audiosearch.players.subsonic.lookup import songs_of, track_of
from audiosearch.players.subsonic.matching import Song
from audiosearch.playlists import PlaylistOptions, PlaylistRequest, playlist
from audiosearch.playlists.main_artists import main_artists
from audiosearch.playlists.songs import is_song, songs_only
from audiosearch.search.options import SearchOptions
from audiosearch.search.similar import similar
from audiosearch.time_limit import TimeLimit, limited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audiosearch.library.filters import Filters
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.players.subsonic.client import SubsonicClient
    from audiosearch.search.query import Hit
    from audiosearch.types import StrPath

T = TypeVar("T")

_MAX_COUNT = 500  # songs of an answer
_MAX_SEEDS = 25  # songs of an album or artist that others are compared with
_SPARE = 50  # further tracks that are tried if the server doesn't know all of them
_INDEX_SECONDS = 30.0
#: Methods that list what is in an album, artist or folder, and where they do.
_CONTAINERS = (
    ("getAlbum", "album", "song"),
    ("getArtist", "artist", "album"),
    ("getMusicDirectory", "directory", "child"),
)


class _Match(NamedTuple):
    song: Song
    track: Track
    similarity: float


class SimilarSongs:
    """Answers the methods of Subsonic that ask for similar songs.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.
    artist_gap : int
        Songs between two by the same artist in what an app plays, where possible.

    Attributes
    ----------
    methods : dict
        Functions by name of the method. They take a client of the server and the parameters of a
        request, and return the content of the answer.

    Raises
    ------
    LibraryError
        If the index doesn't exist or can't be opened.
    """

    def __init__(self, location: StrPath, *, artist_gap: int) -> None:
        self._reader = IndexReader(location, "index")
        try:
            self._with_index(_prepare)
        except BaseException:
            self.close()
            raise
        self._artist_gap = artist_gap
        self.methods: dict[str, Callable[[SubsonicClient, dict[str, str]], dict[str, Any]]] = {
            "getSimilarSongs": lambda *request: {"similarSongs": self._similar_songs(*request)},
            "getSimilarSongs2": lambda *request: {"similarSongs2": self._similar_songs(*request)},
            "getSonicSimilarTracks": self._sonic_similar_tracks,
            "findSonicPath": self._sonic_path,
        }

    def close(self) -> None:
        """Close the index."""
        self._reader.close()

    def _with_index(self, function: Callable[[Index], T]) -> T:
        def call(opened: Callable[[], Index]) -> T:
            with limited(TimeLimit(_INDEX_SECONDS)):
                return function(opened())

        return self._reader.submit(call).result()

    def _similar_songs(self, client: SubsonicClient, parameters: dict[str, str]) -> dict[str, Any]:
        """Return songs that sound like a song, or like those of an album, artist or folder."""
        seeds = _songs_under(client, _required(parameters, "id"))
        matches = self._matches(client, seeds, _count(parameters, 50))
        return {"song": [match.song.fields for match in self._spread(matches)]}

    def _sonic_similar_tracks(
        self, client: SubsonicClient, parameters: dict[str, str]
    ) -> dict[str, Any]:
        """Return the songs that sound like a song, the most similar first."""
        seed = _song(client, _required(parameters, "id"))
        self._track(seed)
        return _sonic_matches(self._matches(client, [seed], _count(parameters, 10)))

    def _sonic_path(self, client: SubsonicClient, parameters: dict[str, str]) -> dict[str, Any]:
        """Return songs that lead from one song to another, with their similarity to the first."""
        ends = [_song(client, _required(parameters, name)) for name in ("startSongId", "endSongId")]
        start, end = map(self._track, ends)
        count = max(2, _count(parameters, 25))
        tracks, similarities = self._with_index(lambda index: _path(index, start, end, count))
        songs = [ends[0], *songs_of(client, tracks[1:-1]), ends[1]][: len(tracks)]
        matches = [
            _Match(song, track, similarity)
            for song, track, similarity in zip(songs, tracks, similarities, strict=True)
            if song is not None
        ]
        return _sonic_matches(matches)

    def _track(self, song: Song) -> Track:
        track = self._with_index(lambda index: track_of(index, song))
        if track is None:
            raise _failure(f"The index has no track for {song.text('title')}.", NOT_FOUND)
        return track

    def _matches(self, client: SubsonicClient, seeds: Sequence[Song], count: int) -> list[_Match]:
        """Return the most similar songs that the server knows, without copies, best first."""
        hits = self._with_index(lambda index: _hits(index, seeds, 2 * count + _SPARE))
        known = {song.id for song in seeds}
        matches: list[_Match] = []
        while hits and len(matches) < count:
            batch, hits = hits[: count - len(matches)], hits[count - len(matches) :]
            songs = songs_of(client, [hit.track for hit in batch])
            for hit, song in zip(batch, songs, strict=True):
                if song is not None and song.id not in known:
                    known.add(song.id)
                    matches.append(_Match(song, hit.track, hit.similarity or 0.0))
        return matches

    def _spread(self, matches: list[_Match]) -> list[_Match]:
        """Return matches in an order that keeps those by the same artist apart, where possible."""
        tags = [match.track.artist for match in matches]
        names = self._with_index(lambda index: list(map(main_artists(index).of, tags)))
        waiting, order = list(range(len(matches))), list[int]()
        while waiting:
            recent = {names[i] for i in order[max(0, len(order) - self._artist_gap) :]} - {""}
            following = next((i for i in waiting if names[i] not in recent), waiting[0])
            waiting.remove(following)
            order.append(following)
        return [matches[i] for i in order]


def _prepare(index: Index) -> None:
    """Bring the indexes of vectors and texts up to date, so that the first request is fast."""
    index.vector_index()
    index.search_text("a", limit=1)


def _failure(reason: str, code: int = 0) -> SubsonicError:
    return SubsonicError(reason, hint="Send another request.", reason=reason, code=code)


def _required(parameters: dict[str, str], name: str) -> str:
    if not parameters.get(name):
        raise _failure(f"Required parameter is missing: {name}.", MISSING_PARAMETER)
    return parameters[name]


def _count(parameters: dict[str, str], default: int) -> int:
    text = parameters.get("count") or str(default)
    if not text.isdecimal():
        raise _failure(f"{text} is not a number of songs.")
    return int(min(float(text), _MAX_COUNT))  # int(text) refuses thousands of digits


def _song(client: SubsonicClient, song_id: str) -> Song:
    songs = items(client.call("getSong", id=song_id), "song")
    if not songs:
        raise _failure("Song not found.", NOT_FOUND)
    return Song(songs[0])


def _songs_under(client: SubsonicClient, id_: str) -> list[Song]:
    """Return the song with an id, or some songs of the album, artist or folder with that id."""
    try:
        return [_song(client, id_)]
    except SubsonicError as exc:
        error = exc
    for method, *names in _CONTAINERS:
        try:
            contents = items(client.call(method, id=id_), *names)
        except ServerError:
            continue
        fields = [song for item in contents[:_MAX_SEEDS] for song in _inside(client, method, item)]
        all_songs = [Song(song) for song in fields if not song.get("isDir")]
        songs = [song for song in all_songs if is_song(song.number("duration"))] or all_songs
        step = -(-len(songs) // _MAX_SEEDS) or 1
        return songs[::step]
    raise error


def _inside(client: SubsonicClient, method: str, item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the songs of an album or folder that a method listed; a song as it is."""
    if method == "getArtist":
        return items(client.call("getAlbum", id=str(item["id"])), "album", "song")
    if item.get("isDir"):
        answer = client.call("getMusicDirectory", id=str(item["id"]))
        return items(answer, "directory", "child")
    return [item]


def _hits(index: Index, seeds: Sequence[Song], k: int) -> list[Hit]:
    """Return the tracks that sound like songs, without copies; none if it knows no song."""
    tracks = [track for song in seeds if (track := track_of(index, song)) is not None]
    if not tracks:
        return []
    names = [f"#{track.id}" for track in tracks]
    options = SearchOptions(filters=_like(index, tracks), is_distinct=True)
    return similar(index, names, k=k, options=options).hits


def _like(index: Index, tracks: Sequence[Track]) -> Filters:
    """Return filters that only songs pass, if one of the tracks is a song."""
    return songs_only(index) if any(is_song(track.seconds) for track in tracks) else EVERYTHING


def _path(index: Index, start: Track, end: Track, count: int) -> tuple[list[Track], list[float]]:
    """Return tracks that lead from one to another, and their cosines to the first one."""
    if start.id == end.id:
        return [start], [1.0]
    request = PlaylistRequest(
        seeds=(f"#{start.id}",),
        destination=f"#{end.id}",
        filters=_like(index, [start, end]),
        options=PlaylistOptions(n_tracks=count),
    )
    tracks = playlist(index, request).tracks
    first = index.vector(start)
    return tracks, [float(index.vector(track) @ first) for track in tracks]


def _sonic_matches(matches: Sequence[_Match]) -> dict[str, Any]:
    return {
        "sonicMatch": [
            {"entry": song.fields, "similarity": min(1.0, max(0.0, similarity))}
            for song, _, similarity in matches
        ]
    }
