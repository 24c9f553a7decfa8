"""Tracks in an order to listen to: around seeds, drifting from them, or on a path between them."""

from audiosearch.playlists.builder import Constraints, Playlist
from audiosearch.playlists.path import path
from audiosearch.playlists.request import PlaylistRequest, playlist
from audiosearch.playlists.similar import PlaylistOptions, around

__all__ = [
    "Constraints",
    "Playlist",
    "PlaylistOptions",
    "PlaylistRequest",
    "around",
    "path",
    "playlist",
]
