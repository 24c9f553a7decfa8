"""Find the songs of MPD's database that are tracks of the index, and the other way round."""

from __future__ import annotations

import itertools
from functools import cached_property
from pathlib import PurePosixPath
from posixpath import splitext
from typing import TYPE_CHECKING, Any

from audiosearch.library.track import Track
from audiosearch.paths import is_url, normal_forms
from audiosearch.players.mpd.connection import is_sendable, parts
from audiosearch.playlist_files import (
    FIRST_CUE_TRACK,
    Entry,
    PathStyle,
    PlaylistFile,
    files_of_cue_track,
)
from audiosearch.search.path_suffixes import PathSuffixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mpd import MPDClient

    from audiosearch.search.playlist_tracks import PlaylistTracks

_MAX_SONGS = 1_000  # with the same file name that are compared
_MAX_SEARCHES = 20  # for single songs; then the whole database is read once
_PAGE = 10_000  # songs


class Songs:
    """Songs of MPD's database by the paths of tracks.

    MPD names a song by its path below its music folder. MPD tells the folder to clients that use
    its socket on the same machine. Otherwise, the song is the one whose path ends like that of the
    track (see `PathSuffixes.find`), and tells how the folders of MPD and the index correspond.

    Parameters
    ----------
    client : MPDClient
    prefixes : sequence of (str, str)
        See `audiosearch.players.SendOptions`.

    Attributes
    ----------
    music_folder : str or None
        MPD's music folder, if it is known.
    """

    def __init__(self, client: MPDClient, prefixes: Sequence[tuple[str, str]] = ()) -> None:
        self._client = client
        self._style = PathStyle(prefixes=tuple(prefixes))
        self._n_searches = 0
        self.music_folder = _music_folder(client)
        # Pairs of a folder of the index and the same folder below MPD's music folder.
        self._folders = [] if self.music_folder is None else [(f"{self.music_folder}/", "")]
        if prefixes:
            self._folders.append(("", ""))

    def uris(self, tracks: Sequence[Track]) -> dict[int, str]:
        """Return MPD's names of the songs that it knows, by id of the track."""
        paths = {track.id: self._path(track) for track in tracks}
        found: dict[int, str] = {}
        for folders in self._folders:
            self._find_below(folders, paths, found)
        for track in tracks:
            if track.id in found:
                continue
            uri = self._by_suffix(track, paths[track.id])
            if uri is None:
                continue
            found[track.id] = uri
            folders = _folders_without_common_end(paths[track.id], uri)
            if folders not in self._folders:
                self._folders.append(folders)
                self._find_below(folders, paths, found)
        self._find_urls(paths, found)
        return found

    def tracks(
        self, songs: Iterable[tuple[str, float]], playlist_tracks: PlaylistTracks
    ) -> dict[str, Track]:
        """Return the tracks of songs, by MPD's names of the songs.

        Parameters
        ----------
        songs : iterable of (str, float)
            Names of songs with their durations in seconds; 0 if unknown.
        playlist_tracks : PlaylistTracks
        """
        entries = []
        for uri, seconds in songs:
            names = (uri, *files_of_cue_track(uri))
            paths = [
                folder + name.removeprefix(below)
                for folder, below in self._folders
                for name in names
                if name.startswith(below)
            ]
            unmapped = [
                old + path.removeprefix(new)
                for old, new in self._style.prefixes
                for path in (*names, *paths)
                if path.startswith(new)
            ]
            entries.append(
                Entry(uri, seconds=seconds, alternatives=(*unmapped, *paths, *names[1:]))
            )
        playlist = PlaylistFile("MPD's queue", tuple(entries))
        matches = playlist_tracks.find(playlist, with_files=False)
        pairs = zip(entries, matches, strict=True)
        return {entry.path: match.track for entry, match in pairs if match.track is not None}

    def _path(self, track: Track) -> str:
        """Return a track's path as MPD's machine may write it."""
        path = self._style.apply(track.path)
        has_drive_or_host = path[1:3] == ":\\" or path.startswith("\\\\")
        return path.replace("\\", "/") if has_drive_or_host else path

    def _find_below(
        self, folders: tuple[str, str], paths: Mapping[int, str], found: dict[int, str]
    ) -> None:
        """Find the songs in a folder, given that folder's names in the index and in MPD."""
        folder, below = folders
        candidates = [
            (track_id, (below + form).lstrip("/"))
            for track_id, path in paths.items()
            if track_id not in found and path.startswith(folder) and not is_url(path)
            for form in _normal_forms(path.removeprefix(folder))
        ]
        known = self._known({uri for _, uri in candidates if uri and is_sendable(uri)})
        for track_id, uri in candidates:
            if uri in known:
                found.setdefault(track_id, uri)

    def _known(self, uris: Iterable[str]) -> set[str]:
        """Return those names that are songs of the database."""
        known = set[str]()
        for part in parts(sorted(uris)):
            known |= self._known_part(part)
        return known

    def _known_part(self, pending: list[str]) -> set[str]:
        from mpd import CommandError, FailureResponseCode

        known = set[str]()
        while pending and not self._is_fetched:
            self._client.command_list_ok_begin()
            for uri in pending:
                self._client.lsinfo(uri)
            try:
                self._client.command_list_end()
                n_known = len(pending)
            except CommandError as exc:  # the list ends at the first unknown name
                if exc.errno is not FailureResponseCode.NO_EXIST:
                    raise
                n_known = exc.offset
                self._n_searches += 1
            known.update(pending[:n_known])
            pending = pending[n_known + 1 :]
        return known.union(self._names.intersection(pending)) if pending else known

    @property
    def _is_fetched(self) -> bool:
        """Whether all songs are, or should be, fetched, because many single ones were looked up."""
        return self._n_searches > _MAX_SEARCHES

    def _by_suffix(self, track: Track, path: str) -> str | None:
        """Return the song whose path ends like a track's path; None if there is none.

        MPD reads its whole database for each search, so for many tracks it is fetched once.
        """
        uri = self._like(Entry.from_track(track, path))
        return self._behind_cue_sheet(path) if uri is None else uri

    def _behind_cue_sheet(self, path: str) -> str | None:
        """Return the file that MPD plays, but lists as tracks of its CUE sheet only."""
        if not is_sendable(path):
            return None
        stem, suffix = splitext(path)
        for sheet in (f"{stem}.cue", path):
            first = self._like(Entry(f"{sheet}/{FIRST_CUE_TRACK}"))
            if first is not None:
                uri = splitext(first.removesuffix(f"/{FIRST_CUE_TRACK}"))[0] + suffix
                return uri if self._exists(uri) else None
        return None

    def _exists(self, uri: str) -> bool:
        """Return whether MPD has a song, even one that it doesn't list."""
        from mpd import CommandError

        try:
            self._client.lsinfo(uri)
        except CommandError:
            return False
        return True

    def _like(self, entry: Entry) -> str | None:
        """Return the song whose path ends like that of an entry; None if there is none."""
        self._n_searches += 1
        suffixes = self._suffixes if self._is_fetched else PathSuffixes(self._alike(entry.path))
        match, _ = suffixes.find(entry)
        return None if match is None else match.path

    def _alike(self, path: str) -> list[Track]:
        """Return the songs with the same file name, and the same folder if there are many."""
        parts = PurePosixPath(path).parts
        for text in ("/".join(parts[-1:]), "/".join(parts[-2:])):
            songs = {
                song["file"]: _as_track(song)
                for form in _normal_forms(text)
                if form and is_sendable(form)
                for song in self._client.search("file", form, "window", (0, _MAX_SONGS))
            }
            if len(songs) < _MAX_SONGS:
                return list(songs.values())
        return []

    @cached_property
    def _suffixes(self) -> PathSuffixes:
        return PathSuffixes(self._all)

    @cached_property
    def _names(self) -> set[str]:
        return {track.path for track in self._all}

    @cached_property
    def _all(self) -> list[Track]:
        """All songs, read in parts, because MPD limits the size of an answer."""
        tracks: list[Track] = []
        for start in itertools.count(0, _PAGE):
            window = "window", (start, start + _PAGE)
            songs = self._client.find("modified-since", "0", *window)
            tracks += map(_as_track, songs)
            if len(songs) < _PAGE:
                break
        return tracks

    def _find_urls(self, paths: Mapping[int, str], found: dict[int, str]) -> None:
        """Let MPD play the files on web servers that its database doesn't have."""
        urls = {i: path for i, path in paths.items() if i not in found and is_url(path)}
        schemes = tuple(self._client.urlhandlers()) if urls else ()
        found.update(
            {i: url for i, url in urls.items() if url.startswith(schemes) and is_sendable(url)}
        )


def seconds_of(song: Mapping[str, Any]) -> float:
    """Return the duration of a song in seconds; 0 if it is unknown."""
    return float(song.get("duration") or song.get("time") or 0.0)


def _music_folder(client: MPDClient) -> str | None:
    from mpd import CommandError

    try:
        folder: str | None = client.config()
    except CommandError:  # only for clients on the same machine that use the socket
        return None
    return folder.rstrip("/") if folder and folder.startswith("/") else None


def _normal_forms(text: str) -> list[str]:
    return list(dict.fromkeys((text, *normal_forms(text))))


def _folders_without_common_end(path: str, uri: str) -> tuple[str, str]:
    """Return two paths without the parts at their ends that are the same.

    >>> _folders_without_common_end("/home/ann/Music/A/b.mp3", "lib/A/b.mp3")
    ('/home/ann/Music/', 'lib/')
    """
    ends = path.split("/"), uri.split("/")
    while all(ends) and ends[0][-1] == ends[1][-1]:
        for end in ends:
            end.pop()
    return "/".join([*ends[0], ""]), "/".join([*ends[1], ""]).lstrip("/")


def _as_track(song: Mapping[str, Any]) -> Track:
    return Track(
        path=song["file"],
        size=0,
        mtime_ns=0,
        content_hash="",
        seconds=seconds_of(song),
        sample_rate_hz=0,
        channels=0,
        format="",
        title=_first(song.get("title")),
        artist=_first(song.get("artist")),
    )


def _first(value: str | list[str] | None) -> str | None:
    return value[0] if isinstance(value, list) else value
