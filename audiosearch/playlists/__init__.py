"""Playlists: requests, strategies that choose tracks, and the rules that tracks must pass."""

from audiosearch.playlists.builder import Playlist, PlaylistBuilder
from audiosearch.playlists.request import Constraints, PlaylistOptions, PlaylistRequest
from audiosearch.playlists.strategies import STRATEGIES, Strategy, playlist

__all__ = [
    "STRATEGIES",
    "Constraints",
    "Playlist",
    "PlaylistBuilder",
    "PlaylistOptions",
    "PlaylistRequest",
    "Strategy",
    "playlist",
]
