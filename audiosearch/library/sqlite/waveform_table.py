"""Waveforms of tracks, in the database of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.library.sqlite.conditions import batches, one_of
from audiosearch.library.storage import WAVEFORM_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.sqlite.database import Database
    from audiosearch.library.track import Track

# SQL condition that a waveform is valid. Others count as missing, and are made again.
_IS_VALID = f"typeof(peaks) = 'blob' AND length(peaks) = {WAVEFORM_BYTES}"


class WaveformTable:
    """The table of waveforms; it implements `WaveformStorage`.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def waveforms(self, tracks: Sequence[Track]) -> dict[int, bytes]:
        """Return the stored waveforms of tracks, by id."""
        result: dict[int, bytes] = {}
        if not self._database.has_table("waveforms"):  # in an index of an older version
            return result
        for batch in batches([track.id for track in tracks]):
            sql = f"SELECT * FROM waveforms WHERE {one_of('track_id', batch)} AND {_IS_VALID}"
            rows = self._database.rows(sql, batch)
            result |= {row["track_id"]: row["peaks"] for row in rows}
        return result

    def put_waveforms(self, waveforms: Sequence[tuple[Track, bytes]]) -> None:
        """Store waveforms of tracks, except those that were removed or have another sound now."""
        rows = [(content, track.id, track.content_hash) for track, content in waveforms]
        database = self._database
        with database.transaction():
            database.db.conn.executemany(
                "INSERT OR REPLACE INTO waveforms "
                "SELECT id, ? FROM tracks WHERE id = ? AND content_hash = ?",
                rows,
            )
