"""Defaults and limits that Python, the command line, the HTTP interface and its page share."""

from __future__ import annotations

from typing import Final

INDEX: Final = "index"  # folder of the index, relative to the current folder

# Search
HITS: Final = 10  # hits of a query
MAX_HITS: Final = 1_000  # hits of a query over HTTP
TRACKS_PER_PAGE: Final = 50  # tracks listed at a time over HTTP

# Playlists
PLAYLIST_TRACKS: Final = 25  # tracks, seeds included
MAX_PLAYLIST_TRACKS: Final = 1_000  # tracks over HTTP; also limits the per-artist and gap options
MAX_PLAYLIST_MINUTES: Final = 6_000  # minutes over HTTP
ARTIST_GAP: Final = 0  # other tracks between two by the same artist
DIVERSITY: Final = 0.0  # from 0 (most similar tracks) to 1 (most varied tracks)
KEEP_SEEDS: Final = True  # whether a playlist starts with its seeds
MAX_SEEDS: Final = 100  # seeds of a playlist over HTTP
MAX_WAYPOINTS: Final = 20  # tracks between the two ends of a path, over HTTP

# Texts over HTTP
MAX_RANGE_LENGTH: Final = 20  # characters of a range such as 1990..1999
MAX_PLAYLIST_NAME_LENGTH: Final = 200  # characters
