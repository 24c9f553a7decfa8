"""Compare songs of a Subsonic server with tracks of an index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from audiosearch.audio.tags import read_recording_ids
from audiosearch.library.track import fold, plain_words, split_list
from audiosearch.paths import is_url
from audiosearch.search.path_suffixes import folders_and_name, is_number

if TYPE_CHECKING:
    from audiosearch.library.track import Track

_TOLERANCE_SECONDS = 3.0  # servers round durations, and programs count padding or not
_PATH, _RECORDING_ID, _TAGS = 3, 2, 1
_KNOWN_FILES = 512  # whose MusicBrainz ids are remembered


class Closeness(NamedTuple):
    """Evidence that a song and a track are the same. A larger one is better evidence."""

    kind: int  # what they have in common: `_PATH`, `_RECORDING_ID` or `_TAGS`
    n_parts: int  # of their paths, from the end; 0 if the paths don't count
    is_same_size: bool
    minus_seconds: float  # difference of their durations, negative
    is_whole_path: bool  # whether the track's path ends with all of the song's

    @property
    def is_certain(self) -> bool:
        """Whether no other song can be closer, except a copy in the same place."""
        return self.is_whole_path or (self.kind == _PATH and self.is_same_size)


@dataclass(frozen=True, slots=True)
class Song:
    """A song as a Subsonic server describes it.

    Attributes
    ----------
    fields : dict
        All fields of the song. Only ``id`` is always there.
    """

    fields: dict[str, Any]

    @property
    def id(self) -> str:
        """Id on the server."""
        return str(self.fields["id"])

    def text(self, name: str) -> str:
        """Return a field as text; empty if it is missing."""
        return str(self.fields.get(name) or "")

    def number(self, name: str) -> float:
        """Return a field as a number; 0 if it is missing."""
        value = self.fields.get(name)
        return float(value) if isinstance(value, (int, float)) else 0.0


def closeness(track: Track, song: Song) -> Closeness | None:
    """Return how sure it is that a track and a song are the same; None if they are not.

    They are the same if they have in common

    - the end of their paths: all of the song's, or a telling part and the duration or size,
    - the MusicBrainz id of the recording, which is read from the track's file, and the duration,
    - or the title, an artist, and the duration.
    """
    seconds = song.number("duration")
    difference = abs(track.seconds - seconds) if track.seconds and seconds else None
    is_same_size = track.size > 0 and track.size == song.number("size")
    n_shared, is_whole_path = _shared_parts(track, song)
    if is_whole_path or (n_shared and is_same_size):
        kind = _PATH
    elif difference is not None and difference > _TOLERANCE_SECONDS:
        return None
    elif difference is not None and _is_telling(track, song, n_shared):
        kind = _PATH
    elif _is_same_recording(track, song):
        kind = _RECORDING_ID
    elif _has_same_tags(track, song):
        kind = _TAGS
    else:
        return None
    n_parts = n_shared if kind == _PATH else 0
    return Closeness(kind, n_parts, is_same_size, -(difference or 0.0), is_whole_path)


def title_of(track: Track) -> str:
    """Return the title of a track, or else the name of its file, as servers do."""
    return track.title or PurePosixPath(track.path.replace("\\", "/")).stem


def _shared_parts(track: Track, song: Song) -> tuple[int, bool]:
    """Return how many parts the ends of two paths share, and whether they are all of the song's.

    A path without a folder is never all of it: many songs have the same name.
    """
    parts = folders_and_name(song.text("path"))
    pairs = zip(reversed(parts), reversed(folders_and_name(track.path)), strict=False)
    n_shared = sum(1 for _ in takewhile(lambda pair: fold(pair[0]) == fold(pair[1]), pairs))
    return n_shared, n_shared == len(parts) > 1


def _is_telling(track: Track, song: Song, n_shared: int) -> bool:
    """Return whether the shared end of two paths is more than a number, and the artist no other."""
    parts = folders_and_name(track.path)[-n_shared:] if n_shared else []
    shared = [*parts[:-1], *(PurePosixPath(name).stem for name in parts[-1:])]
    if all(map(is_number, shared)):
        return False
    return not track.artist or not any(_artists(song)) or _has_same_artist(track, song)


def _is_same_recording(track: Track, song: Song) -> bool:
    recording_id = song.text("musicBrainzId").lower()
    return bool(recording_id) and recording_id in _recording_ids(track.path, track.mtime_ns)


@lru_cache(_KNOWN_FILES)
def _recording_ids(path: str, mtime_ns: int) -> frozenset[str]:  # noqa: ARG001  (part of the key)
    """Return the MusicBrainz ids in a file; none if it can't be read from here."""
    try:
        return frozenset() if is_url(path) else read_recording_ids(path)
    except (OSError, ValueError):
        return frozenset()


def _has_same_tags(track: Track, song: Song) -> bool:
    if _plain(title_of(track)) != _plain(song.text("title")):
        return False
    if track.artist is None:  # servers write "[Unknown Artist]" or the like
        return all(not name or "unknown" in fold(name) for name in _artists(song))
    return _has_same_artist(track, song)


def _has_same_artist(track: Track, song: Song) -> bool:
    on_server = " / ".join(f" {_plain(name)} " for name in _artists(song))
    return any(f" {_plain(artist)} " in on_server for artist in split_list(track.artist))


def _artists(song: Song) -> list[str]:
    artists = song.fields.get("artists")
    listed = artists if isinstance(artists, list) else []
    names = [str(item.get("name") or "") for item in listed if isinstance(item, dict)]
    return [song.text("artist"), song.text("displayArtist"), *names]


def _plain(text: str) -> str:
    """Return a text without case, accents and signs, or folded if it has nothing but signs."""
    return " ".join(plain_words(text)) or fold(text)
