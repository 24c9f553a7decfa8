"""A map in a file: a page, or a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.atomic import atomic_path
from audiosearch.errors import LibraryError
from audiosearch.soundmap.page import content, page
from audiosearch.soundmap.still import write_still

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.soundmap.layout import SoundMap

COLORS = ("genre", "artist", "album", "folder", "cluster")
_LEAST_TAGGED = 0.3  # the share of tracks that a tag must have to give colours


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
    MissingExtra
        Where the package that draws is not installed.
    LibraryError
        Where the file cannot be written.
    """
    color_by = color_by or telling_color(found)
    title = title or f"{len(found.tracks)} tracks by how they sound"
    try:
        with atomic_path(path) as draft:
            if kind == "html":
                draft.write_text(page(found, title=title, color_by=color_by), encoding="utf-8")
            else:
                write_still(found, draft, title=title, color_by=color_by, kind=kind)
    except OSError as exc:
        raise LibraryError(
            f"{path} cannot be written: {exc.strerror}.", hint="Name another file with -o."
        ) from exc


def telling_color(found: SoundMap) -> str:
    """Return the first field that three tracks in ten have, and that is not the same for all."""
    fields = content(found)
    for name in COLORS[:-1]:
        labels = [label for label in fields[name] if label]
        if len(labels) >= _LEAST_TAGGED * len(found.tracks) and len(set(labels)) > 1:
            return name
    return COLORS[-1]
