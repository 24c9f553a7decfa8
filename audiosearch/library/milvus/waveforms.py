"""Waveforms of tracks, in Milvus."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.milvus.database import MilvusDatabase
    from audiosearch.library.track import Track


class MilvusWaveforms:
    """Waveforms beside the settings, by the hash of the sound; it implements `WaveformStorage`.

    Waveforms of files that are no longer tracks stay: they take little room.

    Parameters
    ----------
    database : MilvusDatabase
    """

    def __init__(self, database: MilvusDatabase) -> None:
        self._database = database

    def waveforms(self, tracks: Sequence[Track]) -> dict[int, bytes]:
        """Return the stored waveforms of tracks, by id."""
        blobs = self._database.blobs(sorted({_name(track) for track in tracks}))
        return {track.id: blobs[_name(track)] for track in tracks if _name(track) in blobs}

    def put_waveforms(self, waveforms: Sequence[tuple[Track, bytes]]) -> None:
        """Store waveforms of tracks."""
        self._database.put_blobs({_name(track): content for track, content in waveforms})


def _name(track: Track) -> str:
    return f"waveform:{track.sound_hash}"
