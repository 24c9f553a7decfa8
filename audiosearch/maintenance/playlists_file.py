"""Saved playlists of one index, in an export or in another index."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.errors import LibraryError, UsageError
from audiosearch.json_input import parse_json, read_limited
from audiosearch.library.saved_playlist import (
    PlaylistSummary,
    SavedPlaylist,
    SavedTrack,
    checked_name,
)
from audiosearch.playlist_files.text import MAX_PATH_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from audiosearch.library.index import Index

#: Name of the file in an export.
FILE = "playlists.json"

_MAX_BYTES = 500_000_000
_MAX_TIME_LENGTH = 40

log = logging.getLogger(__name__)


def portable_playlists(index: Index) -> Iterator[SavedPlaylist]:
    """Yield the saved playlists, with the paths that their tracks have now, and without ids.

    A damaged one is left out, and the log has a warning.
    """
    for summary in index.playlists.playlists() if index.keeps_playlists else ():
        try:
            playlist = index.playlists.playlist(summary.name)
        except LibraryError as exc:
            log.warning("%s It is left out.", exc)
            continue
        if playlist is not None:  # else another process has removed it
            paths = dict(index.fields(("id", "path"), list({t.id for t in playlist.tracks})))
            tracks = (SavedTrack(0, paths.get(t.id, t.path)) for t in playlist.tracks)
            yield SavedPlaylist(playlist.summary, tuple(tracks), playlist.settings)


def put_playlists(index: Index, playlists: Iterable[SavedPlaylist]) -> None:
    """Store playlists from `portable_playlists` in another index, which has their tracks.

    Of two playlists of the same name, the one that was saved last stays. If not all can be stored,
    the log has a warning.
    """
    playlists = list(playlists)
    if not playlists:
        return
    if not index.keeps_playlists:
        log.warning("%s can't hold saved playlists; they are left out.", index.location)
        return
    ids: dict[str, int] = {path: i for i, path in index.fields(("id", "path"))}
    saved = {summary.name: summary.saved for summary in index.playlists.playlists()}
    n_free, n_left_out = defaults.MAX_SAVED_PLAYLISTS - len(saved), 0
    with index.transaction():
        for playlist in playlists:
            name = playlist.summary.name
            if playlist.summary.saved <= saved.get(name, ""):
                continue
            if name not in saved and not n_free:
                n_left_out += 1
                continue
            n_free -= name not in saved
            tracks = tuple(SavedTrack(ids.get(path, 0), path) for _, path in playlist.tracks)
            new = SavedPlaylist(playlist.summary, tracks, playlist.settings)
            index.playlists.put_playlist(new)
    if n_left_out:
        log.warning(
            "%s left out: an index holds at most %s.",
            counted(n_left_out, "saved playlist"),
            f"{defaults.MAX_SAVED_PLAYLISTS:,}",
        )


def to_json(playlists: Iterable[SavedPlaylist]) -> str:
    """Return playlists from `portable_playlists` as the content of a file."""
    rows = [
        {
            "name": playlist.summary.name,
            "saved": playlist.summary.saved,
            "seconds": playlist.summary.seconds,
            "tracks": [path for _, path in playlist.tracks],
            "settings": playlist.settings,
        }
        for playlist in playlists
    ]
    return json.dumps({"playlists": rows}, ensure_ascii=False, indent=1) + "\n"


def read_playlists(file: Path) -> list[SavedPlaylist]:
    """Return the playlists in a file; none if there is no file.

    Raises
    ------
    LibraryError
        If it can't be read.
    """
    try:
        content = read_limited(file, _MAX_BYTES)
        return [_playlist(row) for row in _list(_value(parse_json(content), "playlists"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, UsageError) as exc:
        raise LibraryError(
            f"{file} can't be read as saved playlists: {str(exc).rstrip('.')}.",
            hint="Export the index again, or delete the file to import the tracks without it.",
        ) from exc


def _playlist(row: Any) -> SavedPlaylist:
    name = checked_name(_text(_value(row, "name")))
    paths = [_text(path, MAX_PATH_LENGTH) for path in _list(_value(row, "tracks"))]
    seconds, saved = _value(row, "seconds"), _text(_value(row, "saved"), _MAX_TIME_LENGTH)
    settings = _value(row, "settings")
    if len(paths) > defaults.MAX_SAVED_TRACKS or not isinstance(settings, dict):
        raise ValueError("a playlist has too many tracks, or settings that are no object")
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise ValueError("the seconds of a playlist are not a number")
    summary = PlaylistSummary(name, len(paths), float(seconds), saved)
    return SavedPlaylist(summary, tuple(SavedTrack(0, path) for path in paths), settings)


def _value(row: Any, name: str) -> Any:
    if not isinstance(row, dict) or name not in row:
        raise ValueError(f"it lacks {name}")
    return row[name]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("it has something else than a list of playlists or tracks")  # noqa: TRY004
    return value


def _text(value: Any, max_length: int = 1_000) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= max_length or "\0" in value:
        raise ValueError("a name, a path or a time is not a text")
    return value
