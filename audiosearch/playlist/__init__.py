"""Tracks in an order to listen to: around seeds, drifting from them, or on a path between them."""

from audiosearch.playlist.around import Shape, around
from audiosearch.playlist.chosen import Caps, Playlist
from audiosearch.playlist.path import path
from audiosearch.playlist.wishes import Wishes, playlist

__all__ = ["Caps", "Playlist", "Shape", "Wishes", "around", "path", "playlist"]
