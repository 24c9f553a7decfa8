"""Playlists: requests, strategies that choose tracks, and the rules that tracks must pass."""

from audiosearch.playlists.builder import Playlist, PlaylistBuilder
from audiosearch.playlists.continuation import Continuation
from audiosearch.playlists.request import (
    Constraints,
    HistoryOptions,
    PlaylistOptions,
    PlaylistRequest,
)
from audiosearch.playlists.strategies import STRATEGIES, Strategy, playlist

__all__ = [
    "STRATEGIES",
    "Constraints",
    "Continuation",
    "HistoryOptions",
    "Playlist",
    "PlaylistBuilder",
    "PlaylistOptions",
    "PlaylistRequest",
    "Strategy",
    "playlist",
]
