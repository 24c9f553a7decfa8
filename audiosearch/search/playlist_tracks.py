"""Find the tracks and files that the entries of a playlist file name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from audiosearch import time_limit
from audiosearch.paths import is_url, normal_forms
from audiosearch.playlist_files.text import readable
from audiosearch.search.path_suffixes import PathSuffixes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.playlist_files import Entry, PlaylistFile

_LOOKUP_COST = 10  # tracks that can be read in one pass in the time of one lookup by path


@dataclass(frozen=True, slots=True)
class Match:
    """Track or file that an entry of a playlist names.

    Attributes
    ----------
    track : Track or None
    file : str or None
        Absolute path of an existing file that isn't in the index.
    problem : str
        Phrase that says why the entry names neither; empty if it names one.
    """

    track: Track | None = None
    file: str | None = None
    problem: str = ""


class PlaylistTracks:
    """Finds the tracks and files that playlists name.

    An entry is tried as a path relative to the playlist, and as a stored path: as written and
    decoded, with backslashes and slashes, in Unicode's normal forms NFC and NFD. If there is no
    such track or file, the entry names the track whose path ends like it: see
    `PathSuffixes.find`.

    Parameters
    ----------
    index : Index
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def find(self, playlist: PlaylistFile, *, with_files: bool) -> Iterator[Match]:
        """Yield the match of each entry, in order.

        Parameters
        ----------
        playlist : PlaylistFile
        with_files : bool
            Whether an entry may name a file that isn't in the index. Otherwise, the entry names
            the track whose path ends like it.
        """
        paths = [_possible_paths(entry, playlist.folder) for entry in playlist]
        distinct = list(dict.fromkeys(path for candidates in paths for path in candidates))
        stored = self._tracks_at(self._index.storage.sizes_and_times(distinct))
        for entry, candidates in zip(playlist, paths, strict=True):
            time_limit.check()
            match = self._exact(candidates, stored, on_disk=playlist.folder is not None)
            if match.track is None and not (with_files and match.file):
                match = self._by_suffix(entry, with_files=with_files)
            yield match

    @cached_property
    def _suffixes(self) -> PathSuffixes:
        return PathSuffixes(self._index)

    def _tracks_at(self, paths: Collection[str]) -> dict[str, Track]:
        """Return the tracks with the given paths, by path."""
        if len(paths) * _LOOKUP_COST > self._index.n_tracks:
            wanted = frozenset(paths)
            return {track.path: track for track in self._index if track.path in wanted}
        tracks = map(self._index.storage.track_at, paths)
        return {track.path: track for track in tracks if track is not None}

    def _exact(self, paths: list[str], stored: dict[str, Track], *, on_disk: bool) -> Match:
        """Return the first path that is a track, or else, on this machine, a file."""
        for path in paths:
            track = stored.get(path)
            if track is None and on_disk and os.path.isabs(path) and os.path.isfile(path):
                track = self._index.resolve(os.path.realpath(path))
                if track is None:
                    return Match(file=path)
            if track is not None:
                return Match(track)
        return Match()

    def _by_suffix(self, entry: Entry, *, with_files: bool) -> Match:
        track, n_tracks = self._suffixes.find(entry)
        if track is not None:
            return Match(track)
        name = readable(entry.path)
        if n_tracks:
            return Match(problem=f"{name} may be any of {n_tracks:,} tracks")
        what = "neither a track nor a file" if with_files else "not a track of the index"
        return Match(problem=f"{name} is {what}")


def _possible_paths(entry: Entry, folder: str | None) -> list[str]:
    """Return the paths under which an entry's file may be stored, the likeliest first."""
    paths = []
    for path in (entry.path, *entry.alternatives):
        for slashed in (path, path.replace("\\", "/")):
            for text in (slashed, *normal_forms(slashed)):
                if folder is not None and not is_url(text):
                    paths.append(os.path.normpath(os.path.join(folder, text)))
                paths.append(text)
    return list(dict.fromkeys(paths))
