"""Playlists that an index keeps, by their names."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.errors import LibraryError, UsageError
from audiosearch.json_input import parse_json
from audiosearch.normal_form import normal_form

# Control characters, line separators, and what stands for bytes that aren't UTF-8.
_FORBIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class SavedTrack(NamedTuple):
    """A track of a saved playlist.

    Attributes
    ----------
    id : int
        Id of the track; 0 if unknown. No other track ever gets it.
    path : str
        Path of the track when the playlist was saved. A track that was removed and added again has
        this path, and another id.
    """

    id: int
    path: str


@dataclass(frozen=True, slots=True)
class PlaylistSummary:
    """A saved playlist without its tracks.

    Attributes
    ----------
    name : str
    n_tracks : int
    seconds : float
        Total duration of the tracks when it was saved.
    saved : str
        Time when it was saved, in UTC, such as "2026-05-17T20:15:00Z".
    """

    name: str
    n_tracks: int
    seconds: float
    saved: str


@dataclass(frozen=True, slots=True)
class SavedPlaylist:
    """A saved playlist.

    Attributes
    ----------
    summary : PlaylistSummary
    tracks : tuple of SavedTrack
        In order. A track may come several times.
    settings : dict
        What else the program that saved it wants to find again, as JSON.
    """

    summary: PlaylistSummary
    tracks: tuple[SavedTrack, ...]
    settings: dict[str, Any]

    def content(self) -> str:
        """Return the tracks and settings as JSON in ASCII."""
        return json.dumps({"tracks": self.tracks, "settings": self.settings})

    @classmethod
    def of(cls, summary: PlaylistSummary, content: str | bytes) -> SavedPlaylist:
        """Return the playlist with a summary and a text from `content`.

        Raises
        ------
        ValueError
            If the text is damaged.
        """
        try:
            values = parse_json(content)
            tracks = tuple(SavedTrack(int(i), str(path)) for i, path in values["tracks"])
            return cls(summary, tracks, dict(values["settings"]))
        except (KeyError, TypeError) as exc:
            raise ValueError("it is incomplete") from exc


def checked_name(name: str) -> str:
    """Return the name of a playlist as it is stored: in NFC, without spaces at its ends.

    Raises
    ------
    UsageError
        If it is empty or too long, or has characters that a name can't have.

    Examples
    --------
    >>> checked_name(" AC/DC & friends ")
    'AC/DC & friends'
    """
    text = normal_form("NFC", name).strip()
    hint = f"Use a text of up to {defaults.MAX_PLAYLIST_NAME_LENGTH} characters on one line."
    if not text:
        raise UsageError("The name of the playlist is empty.", hint=hint)
    if len(text) > defaults.MAX_PLAYLIST_NAME_LENGTH:
        raise UsageError(
            f"The name of the playlist has {counted(len(text), 'character')}.", hint=hint
        )
    if _FORBIDDEN.search(text):
        raise UsageError("The name of the playlist has control characters.", hint=hint)
    if text in {".", ".."}:  # browsers take them for folders in an address
        raise UsageError(f"A playlist can't have the name {text}.", hint=hint)
    return text


def too_many_playlists() -> LibraryError:
    """Return the error that an index has as many playlists as it may have."""
    return LibraryError(
        f"There are {defaults.MAX_SAVED_PLAYLISTS:,} saved playlists, which is the limit.",
        hint="Remove one that you no longer need: `audiosearch playlists remove NAME`.",
    )


def damaged_playlist(name: str) -> LibraryError:
    """Return the error that a stored playlist can't be read."""
    return LibraryError(
        f"The saved playlist {name} is damaged.",
        hint="Remove it with `audiosearch playlists remove NAME`, or save it again.",
    )
