"""Saved playlists, in the database of an index."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from audiosearch import defaults
from audiosearch.library.saved_playlist import (
    PlaylistSummary,
    SavedPlaylist,
    damaged_playlist,
    too_many_playlists,
)

if TYPE_CHECKING:
    from audiosearch.library.sqlite.database import Database

_SUMMARY = "name, n_tracks, seconds, saved"


class PlaylistTable:
    """The table of saved playlists; it implements `PlaylistStorage`.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def playlists(self) -> list[PlaylistSummary]:
        """Return all playlists without their tracks, in any order."""
        if not self._database.has_table("playlists"):  # in an index of an older version
            return []
        rows = self._database.rows(f"SELECT {_SUMMARY} FROM playlists")
        return [_summary(row) for row in rows]

    def playlist(self, name: str) -> SavedPlaylist | None:
        """Return the playlist with a name; None if there is none."""
        if not self._database.has_table("playlists"):
            return None
        sql = f"SELECT {_SUMMARY}, content FROM playlists WHERE name = ?"
        for row in self._database.rows(sql, [name]):
            try:
                return SavedPlaylist.of(_summary(row), row["content"])
            except ValueError as exc:
                raise damaged_playlist(name) from exc
        return None

    def put_playlist(self, playlist: SavedPlaylist) -> None:
        """Store a playlist. It replaces one of the same name.

        Raises
        ------
        LibraryError
            If there are as many playlists as there may be.
        """
        database = self._database
        with database.transaction():
            sql = "SELECT count(*) FROM playlists WHERE name <> ?"
            (n_others,) = database.db.execute(sql, [playlist.summary.name]).fetchone()
            if n_others >= defaults.MAX_SAVED_PLAYLISTS:
                raise too_many_playlists()
            sql = f"INSERT OR REPLACE INTO playlists ({_SUMMARY}, content) VALUES (?, ?, ?, ?, ?)"
            database.db.execute(sql, [*astuple(playlist.summary), playlist.content()])

    def remove_playlist(self, name: str) -> bool:
        """Remove a playlist. Return whether there was one of that name."""
        with self._database.transaction():
            sql = "DELETE FROM playlists WHERE name = ?"
            return self._database.db.execute(sql, [name]).rowcount > 0


def _summary(row: dict[str, Any]) -> PlaylistSummary:
    return PlaylistSummary(row["name"], row["n_tracks"], float(row["seconds"]), row["saved"])
