"""Playlists as files, and on standard output."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli.output import Format, show_rows, write_bytes
from audiosearch.errors import LibraryError, UsageError

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.playlist_files import PathStyle

COLUMNS = ("position", "id", "title", "artist", "album", "seconds", "path")
_TRACK_KEYS = (*COLUMNS[1:], "artists", "genre", "genres")

OutputFile = Annotated[
    Path | None,
    typer.Option("-o", metavar="FILE", help="Playlist file to write: .m3u8, .xspf, .jspf or .pls."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace FILE even if it is no playlist.")]
PlaylistStyle = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="m3u8|xspf|jspf|pls|table|json|jsonl|csv|paths",
        help="Output format. Default: table on a terminal, else m3u8.",
    ),
]


def check_output(output: Path, style: str | None, *, force: bool) -> None:
    """Check that a playlist may be written to a file."""
    from audiosearch.playlist_files import SUFFIXES, is_playlist

    kind = SUFFIXES.get(output.suffix.lower())
    if kind is None:
        raise UsageError(
            f"{output} is not a playlist file.", hint="Use .m3u8, .xspf, .jspf or .pls."
        )
    if style not in {None, kind.value}:
        raise UsageError(
            f"{output} can't have the format {style}: its suffix stands for {kind.value}.",
            hint="Leave out --format, or name a file with another suffix.",
        )
    if not force and not is_playlist(output):
        raise LibraryError(
            f"{output} exists and is no playlist.",
            hint="Choose another file with -o, or replace it with --force.",
        )


def show_playlist(
    tracks: list[Track],
    name: str,
    *,
    output: Path | None,
    style: str | None,
    paths: PathStyle,
    csv_safe: bool,
) -> None:
    """Write a playlist to a file, or print it.

    Parameters
    ----------
    tracks : list of Track
    name : str
        Title of the playlist.
    output : Path or None
        Playlist file, whose suffix tells the format; None to print.
    style : str or None
        Format to print. Default: a table on a terminal, else m3u8.
    paths : PathStyle
    csv_safe : bool
        See `show_rows`.

    Raises
    ------
    UsageError
        If there is no such format, or the file can't be written.
    """
    from audiosearch.atomic import atomic_path
    from audiosearch.cli.console import say
    from audiosearch.cli.text import counted
    from audiosearch.playlist_files import SUFFIXES, Entry, PlaylistFormat, playlist_text

    kinds = {kind.value: kind for kind in PlaylistFormat}
    if output is None and style is None:
        style = "table" if sys.stdout.isatty() else "m3u8"
    if output is None and style not in kinds:
        _show_table(tracks, style or "table", csv_safe=csv_safe)
        return
    entries = [Entry.from_track(track, paths.apply(track.path)) for track in tracks]
    kind = SUFFIXES[output.suffix.lower()] if output else kinds[style or "m3u8"]
    text = playlist_text(entries, name, kind)
    if output is None:
        write_bytes(text)
        return
    try:
        with atomic_path(output) as draft:
            draft.write_bytes(text)
    except OSError as exc:
        raise UsageError(
            f"Can't write {output}: {exc.strerror}.", hint="Choose another file with -o."
        ) from exc
    say(f"{counted(len(entries), 'track')} written to {output}")


def _show_table(tracks: list[Track], style: str, *, csv_safe: bool) -> None:
    if style not in [form.value for form in Format]:
        raise UsageError(
            f"Unknown format {style}.",
            hint="Use m3u8, xspf, jspf, pls, table, json, jsonl, csv or paths.",
        )
    rows = [
        {
            "position": position,
            **{name: getattr(track, name) for name in _TRACK_KEYS},
            "sounds": [asdict(sound) for sound in track.sounds],
        }
        for position, track in enumerate(tracks, start=1)
    ]
    show_rows(rows, key="tracks", columns=COLUMNS, output=Format(style), csv_safe=csv_safe)
