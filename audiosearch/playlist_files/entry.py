"""One track in a playlist file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiosearch.library.track import Track


@dataclass(frozen=True, slots=True)
class Entry:
    """One track in a playlist file.

    Attributes
    ----------
    path : str
        Path or URL as written in the file: absolute, or relative to the folder of the playlist.
    title, artist, album : str or None
        Tags; None if they are unknown.
    seconds : float
        Duration in seconds; 0 if it is unknown.
    """

    path: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    seconds: float = 0.0

    @classmethod
    def from_track(cls, track: Track, path: str | None = None) -> Entry:
        """Return the entry of a track of the index.

        Parameters
        ----------
        track : Track
        path : str, optional
            Path to write instead of the path of the track: see `PathStyle.apply`.
        """
        return cls(path or track.path, track.title, track.artist, track.album, track.seconds)
