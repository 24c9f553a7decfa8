"""Read and write playlist files: M3U8, XSPF, JSPF and PLS. Each format is one module."""

from audiosearch.playlist_files.entry import Entry, PlaylistFile, warnings_about
from audiosearch.playlist_files.formats import (
    SUFFIXES,
    PlaylistFormat,
    absolute_path,
    parse_playlist,
    playlist_text,
    read_playlist,
)
from audiosearch.playlist_files.path_style import PathStyle

__all__ = [
    "SUFFIXES",
    "Entry",
    "PathStyle",
    "PlaylistFile",
    "PlaylistFormat",
    "absolute_path",
    "parse_playlist",
    "playlist_text",
    "read_playlist",
    "warnings_about",
]
