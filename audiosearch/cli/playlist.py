"""``audiosearch playlist`` and ``duplicates``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli.options import (
    DEFAULT_INDEX,
    IndexAt,
    ModelName,
    NullSeparated,
    OutputFormat,
    Weights,
    with_filters,
)
from audiosearch.cli.output import Format, show_rows
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.playlist_files.formats import PathStyle
    from audiosearch.playlists import Playlist

COLUMNS = ("position", "id", "title", "artist", "album", "seconds", "path")


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(with_filters(playlist))
    app.command()(duplicates)


def playlist(
    seeds: Annotated[
        list[str] | None,
        typer.Argument(metavar="SEED...", help="Tracks' paths or #IDs, audio files, or playlists."),
    ] = None,
    n_tracks: Annotated[int, typer.Option("-n", min=1, help="How many tracks.")] = 25,
    tracks: Annotated[
        list[str] | None,
        typer.Option("--track", metavar="WORDS", help="One more seed: the track with these words."),
    ] = None,
    length: Annotated[
        str | None, typer.Option(metavar="60m", help="As long as this, in place of -n.")
    ] = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="Each track near the last, none far from the seeds.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="TRACK", help="A path from the seed to this track.")
    ] = None,
    via: Annotated[
        list[str] | None, typer.Option(metavar="TRACK", help="... through these, in order.")
    ] = None,
    diversity: Annotated[
        float, typer.Option(metavar="0..1", help="How unlike one another the tracks should be.")
    ] = 0.0,
    max_per_artist: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many tracks of an artist.")
    ] = None,
    max_per_album: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many tracks of an album.")
    ] = None,
    artist_gap: Annotated[
        int, typer.Option(min=0, metavar="N", help="So many others between two of an artist.")
    ] = 0,
    vary: Annotated[bool, typer.Option("--vary", help="Another list each time.")] = False,
    random_seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="With --vary: the same list for each N.")
    ] = None,
    exclude_playlist: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Nothing of this playlist.")
    ] = None,
    keep_seeds: Annotated[
        bool, typer.Option("--seeds/--no-seeds", help="Begin with the seeds, or leave them out.")
    ] = True,
    whiten: Annotated[
        bool | None,
        typer.Option(
            "--whiten/--no-whiten",
            envvar="AUDIOSEARCH_WHITEN",
            help="Choose in a space fitted to the library: done from 300 tracks on, not on paths.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="FILE", help="Write FILE.m3u8, .xspf or .jspf."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="m3u8|xspf|jspf|table|json|jsonl|csv|paths",
            help="Of what is printed: a table on a terminal, else m3u8.",
        ),
    ] = None,
    relative: Annotated[
        bool, typer.Option("--relative", help="Write paths relative to the playlist's folder.")
    ] = False,
    relative_to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write paths relative to this folder.")
    ] = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Write NEW where a path begins with OLD."),
    ] = None,
    forward_slash: Annotated[
        bool, typer.Option("--forward-slash", help="Write / in place of backslashes.")
    ] = False,
    location: IndexAt = DEFAULT_INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    which: Filters = EVERYTHING,
) -> None:
    """Make a playlist of tracks that sound like SEED, or lead from it to another track."""
    from audiosearch.cli.console import model_progress, warn
    from audiosearch.models.registry import ModelRequest
    from audiosearch.playlist_files.formats import PathStyle, beside, read_playlist
    from audiosearch.playlists import Constraints, PlaylistOptions, PlaylistRequest
    from audiosearch.playlists import playlist as found_playlist

    recent: set[str] = set()
    for file in map(os.fspath, exclude_playlist or ()):
        for entry in read_playlist(file):
            recent |= {entry.path, beside(file, entry.path)}
    wishes = PlaylistRequest(
        seeds=tuple(seeds or ()),
        named=tuple(tracks or ()),
        waypoints=tuple([*(via or ()), to] if to else via or ()),
        filters=which,
        whiten=whiten,
    )
    shape = PlaylistOptions(
        n_tracks=n_tracks,
        drift=drift,
        diversity=diversity,
        seconds=None if length is None else _seconds(length),
        keep_seeds=keep_seeds,
        vary=vary or random_seed is not None,
        random_seed=random_seed,
    )
    caps = Constraints(max_per_artist, max_per_album, artist_gap, frozenset(recent))
    if via and not to:
        raise UsageError("--via leads nowhere without --to.", hint="Name where the path ends.")
    with model_progress() as progress:
        found = found_playlist(location, wishes, shape, caps, ModelRequest(model, weights, progress))
    for note in found.notes:
        warn(note)
    folder = output.parent if output is not None else Path()
    paths = PathStyle(
        relative_to=os.fspath(relative_to or folder) if relative or relative_to else None,
        prefixes=tuple(_pair(text) for text in prefix or ()),
        forward_slash=forward_slash,
    )
    _show(found, output, style, paths)


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old:
        raise UsageError(f"{text} is no OLD=NEW.", hint="Write --prefix /music=D:/Music.")
    return old, new


def _seconds(text: str) -> float:
    """Return a length such as 90s, 60m or 1h30m in seconds; a bare number is minutes."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m?)?(?:(\d+)s)?", text.strip())
    if not parts or not any(parts.groups()):
        raise UsageError(f"{text} is no length.", hint="Write it as 60m, 1h30m or 90s.")
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return float(3_600 * hours + 60 * minutes + seconds)


def _show(found: Playlist, output: Path | None, style: str | None, paths: PathStyle) -> None:
    from audiosearch.atomic import atomic_path
    from audiosearch.cli.console import say
    from audiosearch.playlist_files.formats import SUFFIXES, Entry, PlaylistFormat, playlist_text

    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output} is no playlist.", hint="Name it .m3u8, .xspf or .jspf.")
    kinds = {kind.value: kind for kind in PlaylistFormat}
    if output is None and style is None:
        style = "table" if sys.stdout.isatty() else "m3u8"
    if output is None and style not in kinds:
        _show_table(found.tracks, style or "table")
        return
    entries = [
        Entry(paths.written(t.path), t.title, t.artist, t.album, t.seconds) for t in found.tracks
    ]
    kind = SUFFIXES[output.suffix.lower()] if output else kinds[style or "m3u8"]
    text = playlist_text(entries, found.name, kind)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        return
    try:
        with atomic_path(output) as draft:
            draft.write_bytes(text)
    except OSError as exc:
        raise UsageError(
            f"{output} cannot be written: {exc.strerror}.", hint="Name another place."
        ) from exc
    say(f"{len(entries)} tracks written to {output}")


def _show_table(tracks: list[Track], style: str) -> None:
    if style not in [form.value for form in Format]:
        raise UsageError(
            f"There is no format {style}.",
            hint="m3u8, xspf, jspf, table, json, jsonl, csv or paths.",
        )
    rows = [
        {"position": position, **{name: getattr(track, name) for name in COLUMNS[1:]}}
        for position, track in enumerate(tracks, start=1)
    ]
    show_rows(rows, key="tracks", columns=COLUMNS, output=Format(style))


def duplicates(
    location: IndexAt = DEFAULT_INDEX,
    output: OutputFormat = Format.TABLE,
    null: NullSeparated = False,
) -> None:
    """List tracks that are the same recording, group by group, the best copy first."""
    from audiosearch.library.index import Index
    from audiosearch.search.duplicates import duplicates as found

    with Index(location) as index:
        groups = found(index)
    rows = [
        {
            "group": number,
            "id": track.id,
            "format": track.format,
            "seconds": track.seconds,
            "size": track.size,
            "title": track.title,
            "artist": track.artist,
            "path": track.path,
        }
        for number, group in enumerate(groups, start=1)
        for track in group
    ]
    columns = ("group", "id", "format", "seconds", "size", "path")
    show_rows(rows, key="duplicates", columns=columns, output=output, null=null)
