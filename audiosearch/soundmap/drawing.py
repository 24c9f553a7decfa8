"""A map in a file: a page, or a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.atomic import atomic_path
from audiosearch.errors import LibraryError, UsageError
from audiosearch.soundmap.labels import FIELDS
from audiosearch.soundmap.page import colors_of, page, plotly_script
from audiosearch.soundmap.static_image import new_figure, static_image

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.soundmap.layout import SoundMap

KINDS = ("html", "png", "svg")
_LEAST_TAGGED = 0.3  # the share of tracks that a tag must have to give colours


def kind_of(path: Path, asked: str | None = None) -> str:
    """Return the kind of map that a file's name asks for, and that was asked for besides.

    Raises
    ------
    UsageError
        Where it asks for another, as songs' and databases' names do, or is no file.
    """
    kind = path.suffix.lower().removeprefix(".") or asked
    if kind not in KINDS or asked not in {None, kind}:
        raise UsageError(
            f"{path} is no name for a map.", hint="Name it .html, .png or .svg, as it is to be."
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file.", hint="Name one, such as map.html.")
    return kind


def check_drawable(kind: str) -> None:
    """Check that what draws a kind of map is installed.

    Raises
    ------
    MissingExtra
        Where it is not.
    """
    if kind == "html":
        plotly_script()
    else:
        new_figure()


def draw(
    found: SoundMap,
    path: Path,
    *,
    kind: str,
    color_by: str | None = None,
    title: str | None = None,
) -> None:
    """Write a map into a file.

    Parameters
    ----------
    found : SoundMap
    path : Path
    kind : {"html", "png", "svg"}
    color_by : {"genre", "artist", "album", "folder", "cluster"}, optional
        The first of these that tells tracks apart, unless given.
    title : str, optional

    Raises
    ------
    UsageError
        Where no track has what it is to be coloured by.
    MissingExtra
        Where the package that draws is not installed.
    LibraryError
        Where the file cannot be written.
    """
    color_by = color_by or default_color_field(found)
    if not any(colors_of(found)[color_by]):
        raise UsageError(
            f"No track has a {color_by} to be coloured by.", hint="--color-by cluster always works."
        )
    title = title or f"{len(found.tracks)} tracks by how they sound"
    if kind == "html":
        content = page(found, title=title, color_by=color_by).encode()
    else:
        content = static_image(found, title=title, color_by=color_by, kind=kind)
    try:
        with atomic_path(path.resolve()) as draft:  # the file that a link leads to
            draft.write_bytes(content)
    except OSError as exc:
        raise LibraryError(
            f"{path} cannot be written: {exc.strerror}.",
            hint="Name a file in a folder that is there, and yours to write.",
        ) from exc


def default_color_field(found: SoundMap) -> str:
    """Return the first field that three tracks in ten have, and that some share, but not all."""
    labels = colors_of(found)
    for field in FIELDS:
        given = [label for label in labels[field] if label]
        is_common = len(given) >= _LEAST_TAGGED * len(found.tracks)
        if is_common and 1 < len(set(given)) <= len(given) / 2:
            return field
    return "cluster"
