"""``audiosearch map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def draw_map(
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="FILE", help="File to write. Default: map.html, .png or .svg."),
    ] = None,
    kind: Annotated[
        Literal["html", "png", "svg"] | None,
        typer.Option(
            "--format", help="An interactive page, or a static image. Default: by FILE's suffix."
        ),
    ] = None,
    color_by: Annotated[
        Literal["genre", "artist", "album", "folder", "sound", "cluster"] | None,
        typer.Option(
            metavar="FIELD",
            help="genre, artist, album, folder, sound (the most characteristic one) or cluster. "
            "Default: the first one whose colors tell enough tracks apart.",
        ),
    ] = None,
    relayout: Annotated[
        bool,
        typer.Option("--relayout", help="Lay out all tracks again instead of only new ones."),
    ] = False,
    relayout_alias: Annotated[
        bool, typer.Option("--anew", hidden=True, help="Same as --relayout.")
    ] = False,
    dark: Annotated[
        bool, typer.Option("--dark", help="Dark background of an image. Pages follow the browser.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="Heading of the map.")] = None,
    location: IndexAt = defaults.INDEX,
) -> None:
    """Draw all tracks as a map on which similar tracks lie close together."""
    from audiosearch.cli.console import say, spinner
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.soundmap import (
        check_drawable,
        draw,
        kind_of,
        sound_map,
    )

    kind_drawn = kind_of(output, kind) if output else kind or defaults.MAP_KIND
    output = output or _default_output(kind_drawn)
    check_drawable(kind_drawn)
    with Index(location) as index, spinner("Laying out the tracks ..."):
        if color_by == "sound":
            index.require_sounds()
        result = sound_map(index, relayout=relayout or relayout_alias)
    draw(result, output, kind=kind_drawn, color_by=color_by, title=title, is_dark=dark)
    how = ", all laid out again" if result.is_relayout else ""
    say(
        f"{output}: {counted(len(result.tracks), 'track')}{how}, "
        f"{counted(len(result.regions), 'named region')}"
    )
    if len(result.tracks) < defaults.MIN_TRUSTWORTHINESS_TRACKS:
        say(
            "The map's trustworthiness is only measured for "
            f"{defaults.MIN_TRUSTWORTHINESS_TRACKS} tracks or more."
        )
        return
    sample = (
        f" (sample of {defaults.MAX_TRUSTWORTHINESS_TRACKS} tracks)"
        if len(result.tracks) > defaults.MAX_TRUSTWORTHINESS_TRACKS
        else ""
    )
    say(f"trustworthiness at 10 neighbors: {result.trustworthiness():.3f}{sample}")


def _default_output(kind: str) -> Path:
    """Return the file to write if none is named. A link might lead to any file of the user."""
    from audiosearch.errors import UsageError

    path = Path(f"map.{kind}")
    if path.is_symlink():
        raise UsageError(
            f"{path} is a symbolic link to {path.readlink()}.",
            hint=f"To replace the file to which it leads, name it: -o {path}",
        )
    return path
