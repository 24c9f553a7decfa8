"""Saved playlists, in Milvus."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.library.saved_playlist import (
    PlaylistSummary,
    SavedPlaylist,
    damaged_playlist,
    too_many_playlists,
)

if TYPE_CHECKING:
    from audiosearch.library.milvus.database import MilvusDatabase

_KIND = "playlist"  # of the notes with the summaries
_READS = 3  # until a playlist that others write at the same time has been read


class MilvusPlaylists:
    """Saved playlists beside the settings; it implements `PlaylistStorage`.

    The tracks of a playlist are stored under a random name, and then this name with its summary. So
    of several processes that store a playlist of the same name, the last one wins.

    Parameters
    ----------
    database : MilvusDatabase
    """

    def __init__(self, database: MilvusDatabase) -> None:
        self._database = database

    def playlists(self) -> list[PlaylistSummary]:
        """Return all playlists without their tracks, in any order."""
        return [PlaylistSummary(**summary) for summary, _ in self._database.notes(_KIND)]

    def playlist(self, name: str) -> SavedPlaylist | None:
        """Return the playlist with a name; None if there is none."""
        for _ in range(_READS):
            note = self._database.note(_KIND, name)
            if note is None:
                return None
            summary, content_name = note
            if content := self._database.blobs([content_name]).get(content_name):
                with contextlib.suppress(ValueError):
                    return SavedPlaylist.of(PlaylistSummary(**summary), content)
        raise damaged_playlist(name)

    def put_playlist(self, playlist: SavedPlaylist) -> None:
        """Store a playlist. It replaces one of the same name.

        Raises
        ------
        LibraryError
            If there are as many playlists as there may be.
        """
        name = playlist.summary.name
        others = [other for other in self.playlists() if other.name != name]
        if len(others) >= defaults.MAX_SAVED_PLAYLISTS:
            raise too_many_playlists()
        former = self._database.note(_KIND, name)
        content_name = f"{_KIND}:{secrets.token_hex(16)}"
        self._database.put_blobs({content_name: playlist.content().encode()})
        self._database.put_notes(_KIND, {name: (asdict(playlist.summary), content_name)})
        if former is not None:
            self._database.remove_notes(former[1])

    def remove_playlist(self, name: str) -> bool:
        """Remove a playlist. Return whether there was one of that name."""
        former = self._database.note(_KIND, name)
        if former is None:
            return False
        self._database.remove_notes(_KIND, [name])
        self._database.remove_notes(former[1])
        return True
