"""Defaults and limits that Python, the command line, the HTTP interface and its page share."""

from __future__ import annotations

from typing import Final

INDEX: Final = "index"  # folder of the index, relative to the current folder

# Queries
HITS: Final = 10  # hits of a query
MAX_HITS: Final = 1_000  # hits of a query over HTTP
MAX_QUERY_FILES: Final = 10  # clips that one query may upload
WHITEN_QUERY: Final = False  # whether queries rank whitened vectors
TRACKS_PER_PAGE: Final = 50  # tracks listed at a time over HTTP
MAX_TRACKS_PER_PAGE: Final = 1_000
MAX_UPLOAD_NAME_LENGTH: Final = 200  # characters, over HTTP
SUGGESTIONS: Final = 8  # suggestions for words being typed, over HTTP
MAX_SUGGESTIONS: Final = 100
MAX_SAMPLE: Final = 500  # tracks in a sample, over HTTP
MAX_SAMPLED_TRACKS: Final = 20_000  # of which a sample is drawn, over HTTP
MAX_WORDS_LENGTH: Final = 200  # characters of a text search, over HTTP

# Sounds
SOUND_THRESHOLD: Final = 0.1  # lowest score of a sound that is stored
SOUNDS_SHOWN: Final = 3  # sounds of a track in tables

# Moments
MOMENT_HOP: Final = 0.96  # seconds from one patch to the next
MOMENT_HOPS: Final = (0.96, 0.48)
MOMENTS_PER_TRACK: Final = 3  # hits of a query in one track

# Duplicates
DUPLICATE_THRESHOLD: Final = 0.8  # share of the aligned spectrograms that must match

# Playlists
PLAYLIST_TRACKS: Final = 25  # tracks, seeds included
MAX_PLAYLIST_TRACKS: Final = 1_000  # tracks over HTTP; also limits the per-artist and gap options
MAX_PLAYLIST_MINUTES: Final = 6_000  # playing time over HTTP
KEEP_SEEDS: Final = True  # whether a playlist starts with its seeds
ARTIST_GAP: Final = 0  # tracks between two by the same artist
MIN_DIVERSITY: Final = 0.0  # picks the most similar tracks
MAX_DIVERSITY: Final = 1.0  # picks tracks that differ most
DIVERSITY: Final = MIN_DIVERSITY
HALF_LIFE_SECONDS: Final = 30 * 86_400.0  # after which a play counts half as much
MAX_SEEDS: Final = 100  # seeds over HTTP
MAX_WAYPOINTS: Final = 20  # tracks between the two ends of a path, over HTTP
MAX_EXCLUDED_PLAYLISTS: Final = 20  # excluded playlist files over HTTP
MAX_EXCLUDED_TRACKS: Final = 10_000  # excluded tracks over HTTP
MAX_STRATEGY_LENGTH: Final = 40  # characters of a strategy's name, over HTTP
MAX_PLAYLIST_NAME_LENGTH: Final = 200  # characters
MAX_PLAYLIST_FILE_LENGTH: Final = 500_000  # characters of an excluded playlist, over HTTP
MAX_EXPORTED_TRACKS: Final = 10_000  # tracks of a playlist file written over HTTP
AUTO_PLAYLISTS: Final = 12  # of the clusters of a library
MAX_AUTO_PLAYLISTS: Final = 100
AUTO_TRACKS: Final = 50  # of each of them, at most
MAX_SAVED_PLAYLISTS: Final = 1_000  # playlists that an index keeps
MAX_SAVED_TRACKS: Final = 10_000  # tracks of a saved playlist
MAX_SAVED_SETTINGS_LENGTH: Final = 100_000  # characters of its settings as JSON

# Servers
HOST: Final = "127.0.0.1"  # address on which they listen
PORT: Final = 8765  # of `serve`
PROXY_PORT: Final = 4534  # of `proxy`: the next one after that of Navidrome
PROXY_ARTIST_GAP: Final = 1  # songs between two by the same artist, where possible

# Radio
RADIO_AHEAD: Final = 3  # tracks in the queue after the one that plays
RADIO_WINDOW: Final = "4h"  # time in which no track comes again

# Tags
LIST_SEPARATOR: Final = "; "  # between several artists or genres in one text

# Filters over HTTP
MAX_RANGE_LENGTH: Final = 20  # characters of a range such as 1990..1999

# Vectors
MIN_DIMENSION: Final = 2  # numbers in a vector
MAX_DIMENSION: Final = 4_096
DIMENSION: Final = 128  # of VGGish and compact; default for an index

# `optimize`
TARGET_RECALL: Final = 0.95  # share of the ten nearest tracks that a search must find

# `map`
MAP_KIND: Final = "html"
MIN_TRUSTWORTHINESS_TRACKS: Final = 21  # trustworthiness at 10 neighbors is undefined for fewer
MAX_TRUSTWORTHINESS_TRACKS: Final = 5_000  # a larger index is measured by a sample

# `watch`
WATCH_NICE: Final = 10  # priority of its processes: 0 is that of others, 19 the lowest

# `bench`
BENCH_ROUNDS: Final = 3

# `demo`
DEMO_FOLDER: Final = "audiosearch-demo"
