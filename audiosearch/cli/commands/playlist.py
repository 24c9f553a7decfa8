"""``audiosearch playlist``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.filter_options import FilterOptions
from audiosearch.cli.history_options import HalfLife, HistoryFiles, SkipRecent, history_options
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import (
    CsvSafe,
    IndexAt,
    ModelName,
    Prefix,
    file_name,
    prefix_pairs,
)
from audiosearch.cli.playlist_options import (
    Drift,
    NamedSeeds,
    PlaylistWhiten,
    Seeds,
    StrategyName,
    VarietyOptions,
    parse_duration,
)
from audiosearch.cli.playlist_output import (
    Force,
    OutputFile,
    PlaylistStyle,
    check_output,
    show_playlist,
)
from audiosearch.cli.sending import Append, Play, SendTo, StoredName, checked_sending

if TYPE_CHECKING:
    from audiosearch.playlists import Playlist


def playlist(
    seeds: Seeds = None,
    n_tracks: Annotated[
        int, typer.Option("-n", min=1, help="Number of tracks.")
    ] = defaults.PLAYLIST_TRACKS,
    tracks: NamedSeeds = None,
    length: Annotated[
        str | None,
        typer.Option(
            metavar="60m|1h30m|90s",
            help="Playing time, instead of -n. A number without a unit is in minutes.",
        ),
    ] = None,
    drift: Drift = False,
    to: Annotated[
        str | None, typer.Option(metavar="TRACK", help="Lead from the seed to this track.")
    ] = None,
    via: Annotated[
        list[str] | None,
        typer.Option(metavar="TRACK", help="Pass through this track on the way to --to."),
    ] = None,
    strategy: StrategyName = None,
    *,
    variety: VarietyOptions,
    history: HistoryFiles = None,
    half_life: HalfLife = None,
    skip_recent: SkipRecent = None,
    keep_seeds: Annotated[
        bool, typer.Option("--seeds/--no-seeds", help="Start with the seeds, or leave them out.")
    ] = defaults.KEEP_SEEDS,
    whiten: PlaylistWhiten = None,
    output: OutputFile = None,
    force: Force = False,
    style: PlaylistStyle = None,
    save: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Also keep it in the index: see `playlists`."),
    ] = None,
    send: SendTo = None,
    stored_name: StoredName = None,
    append: Append = False,
    play: Play = False,
    csv_safe: CsvSafe = False,
    relative: Annotated[
        bool, typer.Option("--relative", help="Write paths relative to the playlist's folder.")
    ] = False,
    relative_to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write paths relative to this folder.")
    ] = None,
    prefix: Prefix = None,
    forward_slash: Annotated[
        bool, typer.Option("--forward-slash", help="Write paths with / instead of backslashes.")
    ] = False,
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    network: NetworkOptions,
    filters: FilterOptions,
) -> None:
    """Make a playlist of tracks that sound like SEED, or that lead from SEED to another track."""
    from audiosearch.cli.console import warn
    from audiosearch.library.saved_playlist import checked_name
    from audiosearch.playlist_files import PathStyle
    from audiosearch.playlists import PlaylistOptions, PlaylistRequest
    from audiosearch.playlists import playlist as make_playlist

    if output is not None:
        check_output(output, style, force=force)
    if save is not None:
        checked_name(save)
    prefixes = prefix_pairs(prefix)
    sending = checked_sending(
        send, name=stored_name, is_appended=append, is_played=play, prefixes=prefixes
    )
    request = PlaylistRequest(
        seeds=tuple(map(file_name, seeds or ())),
        named=tuple(tracks or ()),
        destination=to,
        waypoints=tuple(via or ()),
        strategy=strategy,
        options=PlaylistOptions(
            n_tracks=n_tracks,
            seconds=None if length is None else parse_duration(length),
            keep_seeds=keep_seeds,
            drift=drift,
            whiten=whiten,
        ),
        filters=filters,
        history=history_options(history or (), half_life, skip_recent),
    )
    request = variety.added_to(request)
    with network.requested(model) as model_request:
        result = make_playlist(location, request, model_request)
    for note in result.notes:
        warn(note)
    folder = output.parent if output is not None else Path()
    paths = PathStyle(
        relative_to=os.fspath(relative_to or folder) if relative or relative_to else None,
        prefixes=prefixes,
        forward_slash=forward_slash,
    )
    if save is not None:
        _save(location, save, result)
    if sending is None or output is not None or style is not None:
        show_playlist(
            result.tracks, result.name, output=output, style=style, paths=paths, csv_safe=csv_safe
        )
    if sending is not None:
        sending.send(result.tracks, result.name)


def _save(location: str, name: str, result: Playlist) -> None:
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.playlists import saved

    with Index(location) as index:
        summary = saved.save(index, name, result.tracks)
    say(f"Saved as {summary.name}.")
