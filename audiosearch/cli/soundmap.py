"""``audiosearch map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from audiosearch.cli.options import DEFAULT_INDEX, IndexDir


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
    anew: Annotated[
        bool, typer.Option("--anew", help="Lay out all tracks again, not only the new ones.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="A heading.")] = None,
    index_dir: IndexDir = DEFAULT_INDEX,
) -> None:
    """Draw all tracks as a map, on which those that sound alike lie side by side."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.soundmap import LEAST_MEASURED, draw, sound_map

    kind = kind or _kind_of(output)
    output = output or Path(f"map.{kind}")
    with Index(index_dir) as index:
        found = sound_map(index, anew=anew)
    draw(found, output, kind=kind, color_by=color_by, title=title)
    say(f"{output}: {len(found.tracks)} tracks, {len(found.regions)} regions")
    if len(found.tracks) > LEAST_MEASURED:
        say(f"trustworthiness at 10 neighbours: {found.trustworthiness():.3f}")


def _kind_of(output: Path | None) -> Literal["html", "png", "svg"]:
    suffix = output.suffix.lower() if output else ""
    return "png" if suffix == ".png" else "svg" if suffix == ".svg" else "html"
