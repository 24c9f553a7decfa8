"""Tracks of CUE sheets, as MPD names them: ``album.cue/track0001``."""

from __future__ import annotations

import re
from typing import Final

#: Name below a CUE sheet of its first track.
FIRST_CUE_TRACK: Final = "track0001"

_TRACK = re.compile(r"(.+)/track\d{4}")
_SUFFIXES = (".flac", ".wav", ".mp3", ".ogg", ".m4a", ".wv", ".ape")


def files_of_cue_track(path: str) -> tuple[str, ...]:
    """Return the files in which a track of a CUE sheet may be; none if it is no such track.

    Examples
    --------
    >>> files_of_cue_track("Band/Album.flac/track0002")
    ('Band/Album.flac',)
    >>> files_of_cue_track("Band/Album.cue/track0002")[:2]
    ('Band/Album.flac', 'Band/Album.wav')
    >>> files_of_cue_track("Band/track0002.flac")
    ()
    """
    match = _TRACK.fullmatch(path)
    if match is None:
        return ()
    stem, dot, suffix = match[1].rpartition(".")
    if dot and suffix.lower() == "cue":
        return tuple(stem + other for other in _SUFFIXES)
    return (match[1],)
