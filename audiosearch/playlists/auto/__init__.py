"""Playlists of the clusters of a library, which stay the same as the library grows."""

from audiosearch.playlists.auto.folder import file_stem, write_folder
from audiosearch.playlists.auto.make import AutoOptions, AutoPlaylists, auto_playlists
from audiosearch.playlists.auto.save import save_all

__all__ = [
    "AutoOptions",
    "AutoPlaylists",
    "auto_playlists",
    "file_stem",
    "save_all",
    "write_folder",
]
