"""``audiosearch playlists``: list, show, remove, auto."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.options import (
    CsvSafe,
    IndexAt,
    OutputFormat,
    Prefix,
    prefix_pairs,
)
from audiosearch.cli.output import Format, show_rows
from audiosearch.cli.playlist_options import MaxPerAlbum, MaxPerArtist
from audiosearch.cli.playlist_output import (
    Force,
    OutputFile,
    PlaylistStyle,
    check_output,
    show_playlist,
)
from audiosearch.cli.sending import Append, Play, SendTo, StoredName, checked_sending
from audiosearch.cli.usage import CheckedCommand, command_group
from audiosearch.errors import UsageError

COLUMNS = ("name", "tracks", "seconds", "saved")

playlists_group = command_group(
    "List, show and remove the playlists that are saved in the index; make some from its clusters."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a saved playlist.")]


@playlists_group.command("list", cls=CheckedCommand)
def list_playlists(
    location: IndexAt = defaults.INDEX,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """List the saved playlists, with the number and the length of their tracks."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.playlists import saved

    with Index(location) as index:
        summaries = saved.summaries(index)
    rows = [
        {"name": s.name, "tracks": s.n_tracks, "seconds": s.seconds, "saved": s.saved}
        for s in summaries
    ]
    if not rows:
        say("No playlist is saved. `audiosearch playlist SEED --save NAME` saves one.")
    show_rows(rows, key="playlists", columns=COLUMNS, output=output, csv_safe=csv_safe)


@playlists_group.command(cls=CheckedCommand)
def show(
    name: Name,
    output: OutputFile = None,
    force: Force = False,
    style: PlaylistStyle = None,
    send: SendTo = None,
    stored_name: StoredName = None,
    append: Append = False,
    play: Play = False,
    prefix: Prefix = None,
    csv_safe: CsvSafe = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Print the tracks of a saved playlist, write them to a playlist file, or send them."""
    from audiosearch.cli.console import warn
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.playlist_files import PathStyle
    from audiosearch.playlists import saved

    if output is not None:
        check_output(output, style, force=force)
    prefixes = prefix_pairs(prefix)
    sending = checked_sending(
        send, name=stored_name, is_appended=append, is_played=play, prefixes=prefixes
    )
    with Index(location) as index:
        found = saved.load(index, name)
    if found.n_missing:
        verb = "was" if found.n_missing == 1 else "were"
        warn(f"{counted(found.n_missing, 'track')} {verb} removed from the index since.")
    if sending is None or output is not None or style is not None:
        show_playlist(
            found.tracks,
            found.summary.name,
            output=output,
            style=style,
            paths=PathStyle(prefixes=prefixes),
            csv_safe=csv_safe,
        )
    if sending is not None:
        sending.send(found.tracks, found.summary.name)


@playlists_group.command(cls=CheckedCommand)
def remove(name: Name, location: IndexAt = defaults.INDEX) -> None:
    """Remove a saved playlist. Its tracks and their files stay."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.playlists import saved

    with Index(location) as index:
        saved.remove(index, name)
    say("Removed the playlist. Its tracks stay in the index.")


@playlists_group.command(cls=CheckedCommand)
def auto(
    folder: Annotated[
        Path | None,
        typer.Option("-o", metavar="FOLDER", help="Folder to write a file for each playlist to."),
    ] = None,
    n_playlists: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            max=defaults.MAX_AUTO_PLAYLISTS,
            help=f"Number of playlists. Default: {defaults.AUTO_PLAYLISTS}, fewer if the index is "
            "small.",
        ),
    ] = None,
    n_tracks: Annotated[
        int,
        typer.Option(
            "--tracks",
            min=1,
            max=defaults.MAX_PLAYLIST_TRACKS,
            help="Maximum number of tracks of each playlist.",
        ),
    ] = defaults.AUTO_TRACKS,
    max_per_artist: MaxPerArtist = None,
    max_per_album: MaxPerAlbum = None,
    file_format: Annotated[
        str,
        typer.Option("--files", metavar="m3u8|xspf|jspf|pls", help="Format of the files."),
    ] = "m3u8",
    relative: Annotated[
        bool, typer.Option("--relative", help="Write paths relative to the folder.")
    ] = False,
    prefix: Prefix = None,
    save: Annotated[bool, typer.Option("--save", help="Also keep them in the index.")] = False,
    send: SendTo = None,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Make playlists of the clusters of the index, ordered so that each track leads to the next.

    They are named after their most characteristic tags and sounds. The next run keeps their names
    and most of their tracks, replaces its own files and playlists, and touches no others.
    """
    from audiosearch.cli.console import say, say_hint, warn
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.playlist_files import SUFFIXES, PathStyle
    from audiosearch.playlists import Constraints
    from audiosearch.playlists.auto import (
        AutoOptions,
        auto_playlists,
        file_stem,
        save_all,
        write_folder,
    )

    if f".{file_format}" not in SUFFIXES:
        raise UsageError(
            f"Unknown format {file_format}.", hint="Use --files m3u8, xspf, jspf or pls."
        )
    prefixes = prefix_pairs(prefix)
    sending = checked_sending(send, prefixes=prefixes)
    constraints = Constraints(max_per_artist, max_per_album)
    with Index(location) as index:
        result = auto_playlists(index, AutoOptions(n_playlists, n_tracks, constraints))
        removed = save_all(index, result.playlists) if save else []
    for note in result.notes:
        warn(note)
    for name in removed:
        say(f"Removed the saved playlist {name}.")
    if folder is not None:
        style = PathStyle(relative_to=os.fspath(folder) if relative else None, prefixes=prefixes)
        files = write_folder(folder, result.playlists, SUFFIXES[f".{file_format}"], style)
        for name in files.removed:
            say(f"Removed {folder / name}.")
        say(f"{counted(len(files.written), 'playlist')} written to {folder}")
    rows = [
        {"name": p.name, "tracks": len(p.tracks), "seconds": sum(t.seconds for t in p.tracks)}
        for p in result.playlists
    ]
    show_rows(rows, key="playlists", columns=COLUMNS[:3], output=output, csv_safe=csv_safe)
    if folder is None and sending is None and not save:
        say_hint("Keep them: write them as files with -o FOLDER, or store them with --save.")
    if sending is not None:
        sending.send_all((file_stem(p.name), p.tracks) for p in result.playlists)
