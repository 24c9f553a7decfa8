"""Read and write playlist files: M3U8, XSPF, JSPF and PLS. Each format is one module."""

from audiosearch.playlist_files.cue_tracks import FIRST_CUE_TRACK, files_of_cue_track
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
from audiosearch.playlist_files.recognize import is_playlist

__all__ = [
    "FIRST_CUE_TRACK",
    "SUFFIXES",
    "Entry",
    "PathStyle",
    "PlaylistFile",
    "PlaylistFormat",
    "absolute_path",
    "files_of_cue_track",
    "is_playlist",
    "parse_playlist",
    "playlist_text",
    "read_playlist",
    "warnings_about",
]
