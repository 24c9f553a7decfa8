"""Playlists that are kept in the index under a name."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.errors import LibraryError, PlaylistNotFound, UsageError
from audiosearch.library.saved_playlist import (
    PlaylistSummary,
    SavedPlaylist,
    SavedTrack,
    checked_name,
)
from audiosearch.library.track import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index, Track


@dataclass(frozen=True, slots=True)
class LoadedPlaylist:
    """A saved playlist with the tracks that the index still has.

    Attributes
    ----------
    summary : PlaylistSummary
    tracks : list of Track
        In order.
    n_missing : int
        Number of tracks that were removed since.
    settings : dict
        See `save`.
    """

    summary: PlaylistSummary
    tracks: list[Track]
    n_missing: int
    settings: dict[str, Any]


def summaries(index: Index) -> list[PlaylistSummary]:
    """Return all saved playlists without their tracks, ordered by name."""
    stored = index.playlists.playlists() if index.keeps_playlists else []
    return sorted(stored, key=lambda summary: (fold(summary.name), summary.name))


def save(
    index: Index, name: str, tracks: Sequence[Track], settings: dict[str, Any] | None = None
) -> PlaylistSummary:
    """Keep a playlist in the index. It replaces one of the same name.

    Parameters
    ----------
    index : Index
    name : str
    tracks : sequence of Track
        At most 10,000. A track may come several times.
    settings : dict, optional
        Anything that JSON can represent, to be found again with the tracks.

    Raises
    ------
    UsageError
        If the name can't be used, or there are too many tracks or settings.
    LibraryError
        If there are too many playlists, or the index can't be written.
    """
    name = checked_name(name)
    if len(tracks) > defaults.MAX_SAVED_TRACKS:
        raise UsageError(
            f"A saved playlist can't have {counted(len(tracks), 'track')}.",
            hint=f"Save at most {defaults.MAX_SAVED_TRACKS:,} tracks, or a playlist file.",
        )
    _check_settings(settings or {})
    saved = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    seconds = sum(track.seconds for track in tracks)
    summary = PlaylistSummary(name, len(tracks), seconds, saved)
    entries = tuple(SavedTrack(track.id, track.path) for track in tracks)
    index.playlists.put_playlist(SavedPlaylist(summary, entries, settings or {}))
    return summary


def load(index: Index, name: str) -> LoadedPlaylist:
    """Return a saved playlist.

    A track that was removed and added again, at the same path, is there.

    Raises
    ------
    UsageError
        If no playlist can have this name.
    PlaylistNotFound
        If none has it.
    """
    name = checked_name(name)
    playlist = index.playlists.playlist(name)
    if playlist is None:
        raise _unknown(name)
    tracks = index.by_id([track.id for track in playlist.tracks])
    lost = [track.path for track in playlist.tracks if track.id not in tracks]
    paths = index.storage.sizes_and_times(list(dict.fromkeys(lost)))
    again = {path: index.storage.track_at(path) for path in paths}
    found = (tracks.get(track.id) or again.get(track.path) for track in playlist.tracks)
    present = [track for track in found if track is not None]
    n_missing = len(playlist.tracks) - len(present)
    return LoadedPlaylist(playlist.summary, present, n_missing, playlist.settings)


def remove(index: Index, name: str) -> None:
    """Remove a saved playlist.

    Raises
    ------
    UsageError, PlaylistNotFound
        As for `load`.
    """
    name = checked_name(name)
    if not index.playlists.remove_playlist(name):
        raise _unknown(name)


def rename(index: Index, name: str, new_name: str) -> PlaylistSummary:
    """Give a saved playlist another name. Its tracks stay, and so do those that are missing now.

    Raises
    ------
    UsageError, PlaylistNotFound
        As for `load`.
    LibraryError
        If there is a playlist of the new name, or the index can't be written.
    """
    name, new_name = checked_name(name), checked_name(new_name)
    with index.transaction():
        playlist = index.playlists.playlist(name)
        if playlist is None:
            raise _unknown(name)
        if new_name == name:
            return playlist.summary
        if index.playlists.playlist(new_name) is not None:
            raise LibraryError(
                f"There is a saved playlist {new_name} already.", hint="Choose another name."
            )
        renamed = replace(playlist, summary=replace(playlist.summary, name=new_name))
        index.playlists.remove_playlist(name)
        index.playlists.put_playlist(renamed)
    return renamed.summary


def _check_settings(settings: dict[str, Any]) -> None:
    hint = f"Use at most {defaults.MAX_SAVED_SETTINGS_LENGTH:,} characters of JSON."
    try:
        text = json.dumps(settings, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, TypeError, RecursionError) as exc:
        raise UsageError("The settings of the playlist aren't valid JSON.", hint=hint) from exc
    if len(text) > defaults.MAX_SAVED_SETTINGS_LENGTH:
        raise UsageError("The settings of the playlist are too large.", hint=hint)


def _unknown(name: str) -> PlaylistNotFound:
    return PlaylistNotFound(
        f"There is no saved playlist {name}.",
        hint="`audiosearch playlists list` shows the names of all.",
    )
