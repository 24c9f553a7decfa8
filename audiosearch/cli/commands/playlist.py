"""``audiosearch playlist``."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import (
    CsvSafe,
    IndexAt,
    ModelName,
    Weights,
    file_name,
    with_filters,
)
from audiosearch.cli.output import Format, show_rows, write_bytes
from audiosearch.errors import LibraryError, UsageError
from audiosearch.library.filters import EVERYTHING, Filters

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.playlist_files import PathStyle
    from audiosearch.playlists import Playlist

COLUMNS = ("position", "id", "title", "artist", "album", "seconds", "path")
_TRACK_KEYS = (*COLUMNS[1:], "artists", "genre", "genres")


def _strategy_names() -> list[str]:
    from audiosearch.playlists import STRATEGIES

    return list(STRATEGIES)


@with_filters
def playlist(
    seeds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SEED...",
            help="A track's path or #ID, an audio file, or a playlist; - is standard input.",
        ),
    ] = None,
    n_tracks: Annotated[
        int, typer.Option("-n", min=1, help="Number of tracks.")
    ] = defaults.PLAYLIST_TRACKS,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="WORDS",
            help="Also start from the track with these words in its tags or path.",
        ),
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(
            metavar="60m|1h30m|90s",
            help="Playing time, instead of -n. A number without a unit is in minutes.",
        ),
    ] = None,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift",
            help="Follow each track with a similar one, without leaving the seeds far behind.",
        ),
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="TRACK", help="Lead from the seed to this track.")
    ] = None,
    via: Annotated[
        list[str] | None,
        typer.Option(metavar="TRACK", help="Pass through this track on the way to --to."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Strategy to use. Default: path with --to, drift with --drift, else similar.",
            autocompletion=_strategy_names,
        ),
    ] = None,
    diversity: Annotated[
        float,
        typer.Option(
            metavar="0..1", help="Diversity: 0 picks similar tracks, 1 tracks that differ."
        ),
    ] = defaults.DIVERSITY,
    max_per_artist: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Maximum number of tracks per artist.")
    ] = None,
    max_per_album: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Maximum number of tracks per album.")
    ] = None,
    artist_gap: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Minimum number of tracks between two by the same artist."
        ),
    ] = defaults.ARTIST_GAP,
    vary: Annotated[
        bool, typer.Option("--vary", help="Make a different playlist each time.")
    ] = False,
    random_seed: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Seed of the variation: the same N gives the same playlist."
        ),
    ] = None,
    exclude_playlist: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Leave out the tracks of this playlist."),
    ] = None,
    keep_seeds: Annotated[
        bool, typer.Option("--seeds/--no-seeds", help="Start with the seeds, or leave them out.")
    ] = defaults.KEEP_SEEDS,
    whiten: Annotated[
        bool | None,
        typer.Option(
            "--whiten/--no-whiten",
            envvar="AUDIOSEARCH_WHITEN",
            help="Compare whitened vectors. Default: on if that is measured to be better for this "
            "library, off with --to.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", metavar="FILE", help="Playlist file to write: .m3u8, .xspf, .jspf or .pls."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace FILE even if it is no playlist.")
    ] = False,
    style: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="m3u8|xspf|jspf|pls|table|json|jsonl|csv|paths",
            help="Output format. Default: table on a terminal, else m3u8.",
        ),
    ] = None,
    csv_safe: CsvSafe = False,
    relative: Annotated[
        bool, typer.Option("--relative", help="Write paths relative to the playlist's folder.")
    ] = False,
    relative_to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write paths relative to this folder.")
    ] = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Replace OLD at the start of a path with NEW."),
    ] = None,
    forward_slash: Annotated[
        bool, typer.Option("--forward-slash", help="Write paths with / instead of backslashes.")
    ] = False,
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    weights: Weights = None,
    filters: Filters = EVERYTHING,
) -> None:
    """Make a playlist of tracks that sound like SEED, or that lead from SEED to another track."""
    from audiosearch.cli.console import warn
    from audiosearch.cli.model_progress import model_progress
    from audiosearch.models.registry import ModelRequest
    from audiosearch.playlist_files import PathStyle, read_playlist
    from audiosearch.playlists import Constraints, PlaylistOptions, PlaylistRequest
    from audiosearch.playlists import playlist as make_playlist

    if output is not None:
        _check_output(output, style, force=force)
    request = PlaylistRequest(
        seeds=tuple(map(file_name, seeds or ())),
        named=tuple(tracks or ()),
        destination=to,
        waypoints=tuple(via or ()),
        strategy=strategy,
        options=PlaylistOptions(
            n_tracks=n_tracks,
            seconds=None if length is None else _seconds(length),
            diversity=diversity,
            keep_seeds=keep_seeds,
            drift=drift,
            vary=vary or random_seed is not None,
            random_seed=random_seed,
            whiten=whiten,
        ),
        constraints=Constraints(max_per_artist, max_per_album, artist_gap),
        filters=filters,
        excluded_playlists=tuple(read_playlist(os.fspath(file)) for file in exclude_playlist or ()),
    )
    with model_progress() as progress:
        result = make_playlist(location, request, ModelRequest(model, weights, progress))
    for note in result.notes:
        warn(note)
    folder = output.parent if output is not None else Path()
    paths = PathStyle(
        relative_to=os.fspath(relative_to or folder) if relative or relative_to else None,
        prefixes=tuple(_pair(text) for text in prefix or ()),
        forward_slash=forward_slash,
    )
    _show(result, output, style, paths, csv_safe=csv_safe)


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old:
        raise UsageError(f"{text} is not OLD=NEW.", hint="Enter --prefix like /music=D:/Music.")
    return old, new


def _seconds(text: str) -> float:
    """Return a duration like 90s, 60m or 1h30m in seconds. A number without a unit is minutes."""
    number = r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*"
    pattern = f"(?:{number}h)?(?:{number}(?:m(?:in)?|$))?(?:{number}s)?"
    parts = re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.ASCII)
    if not parts or not any(parts.groups()):
        raise UsageError(
            f"{text or 'An empty text'} is not a duration.",
            hint="Enter a duration like 60m, 1h30m or 90s.",
        )
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 3_600 * hours + 60 * minutes + seconds


def _check_output(output: Path, style: str | None, *, force: bool) -> None:
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


def _show(
    result: Playlist, output: Path | None, style: str | None, paths: PathStyle, *, csv_safe: bool
) -> None:
    from audiosearch.atomic import atomic_path
    from audiosearch.cli.console import say
    from audiosearch.cli.text import counted
    from audiosearch.playlist_files import SUFFIXES, Entry, PlaylistFormat, playlist_text

    kinds = {kind.value: kind for kind in PlaylistFormat}
    if output is None and style is None:
        style = "table" if sys.stdout.isatty() else "m3u8"
    if output is None and style not in kinds:
        _show_table(result.tracks, style or "table", csv_safe=csv_safe)
        return
    entries = [Entry.from_track(track, paths.apply(track.path)) for track in result.tracks]
    kind = SUFFIXES[output.suffix.lower()] if output else kinds[style or "m3u8"]
    text = playlist_text(entries, result.name, kind)
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
