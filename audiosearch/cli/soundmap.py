"""``audiosearch map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexAt


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command("map")(draw_map)


def draw_map(
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="FILE", help="Where to: map.html, .png or .svg, unless given."),
    ] = None,
    kind: Annotated[
        Literal["html", "png", "svg"] | None,
        typer.Option("--format", help="A page to look around in, or a still; by FILE's suffix."),
    ] = None,
    color_by: Annotated[
        Literal["genre", "artist", "album", "folder", "cluster"] | None,
        typer.Option(help="Whose colours tracks have: the first of these that tells them apart."),
    ] = None,
    relayout: Annotated[
        bool, typer.Option("--anew", help="Lay out all tracks again, not only the new ones.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="A heading.")] = None,
    location: IndexAt = DEFAULT_INDEX,
) -> None:
    """Draw all tracks as a map, on which those that sound alike lie side by side."""
    from audiosearch.cli.console import counted, say, waiting
    from audiosearch.defaults import MAX_TRUSTWORTHINESS_TRACKS, MIN_TRUSTWORTHINESS_TRACKS
    from audiosearch.library.index import Index
    from audiosearch.soundmap import (
        check_drawable,
        draw,
        kind_of,
        sound_map,
    )

    drawn = kind_of(output, kind) if output else kind or "html"
    output = output or Path(f"map.{drawn}")
    check_drawable(drawn)
    with Index(location) as index, waiting("Laying out the tracks ..."):
        found = sound_map(index, relayout=relayout)
    draw(found, output, kind=drawn, color_by=color_by, title=title)
    how = ", all laid out anew" if found.is_relayout else ""
    say(
        f"{output}: {counted(len(found.tracks), 'track')}{how}, "
        f"{counted(len(found.regions), 'region')} with a name"
    )
    if len(found.tracks) < MIN_TRUSTWORTHINESS_TRACKS:
        say(
            f"With {MIN_TRUSTWORTHINESS_TRACKS} tracks or more, it is measured how true the map is."
        )
        return
    of_some = (
        f" (of {MAX_TRUSTWORTHINESS_TRACKS} tracks)"
        if len(found.tracks) > MAX_TRUSTWORTHINESS_TRACKS
        else ""
    )
    say(f"trustworthiness at 10 neighbours: {found.trustworthiness():.3f}{of_some}")
