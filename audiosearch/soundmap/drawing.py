"""Write a map to a file: an interactive page, or a static image."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from audiosearch.atomic import atomic_path
from audiosearch.counting import counted
from audiosearch.errors import LibraryError, UsageError
from audiosearch.soundmap.colors import default_color_field
from audiosearch.soundmap.page import page
from audiosearch.soundmap.static_image import new_figure, static_image

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.soundmap.layout import SoundMap

KINDS = ("html", "png", "svg")


def kind_of(path: Path, requested: str | None = None) -> str:
    """Return the kind of map to write to a file.

    Parameters
    ----------
    path : Path
    requested : {"html", "png", "svg"}, optional
        Kind to write. It must agree with the file's suffix, if there is one. Default: the
        suffix.

    Returns
    -------
    {"html", "png", "svg"}

    Raises
    ------
    UsageError
        If the file's suffix is not that of the map, or if the path is a folder.
    """
    kind = path.suffix.lower().removeprefix(".") or requested
    if kind not in KINDS or requested not in {None, kind}:
        raise UsageError(
            f"{path} is not a file name for a map.",
            hint=f"Name a file with the suffix .{requested or 'html, .png or .svg'}.",
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a file.", hint="Name a file, such as map.html.")
    return kind


def check_drawable(kind: str) -> None:
    """Check that the package that draws a kind of map is installed.

    Parameters
    ----------
    kind : {"html", "png", "svg"}

    Raises
    ------
    MissingExtra
        If the package isn't installed.
    """
    if kind != "html":
        new_figure()


def draw(
    sound_map: SoundMap,
    path: Path,
    *,
    kind: str,
    color_by: str | None = None,
    title: str | None = None,
    is_dark: bool = False,
) -> None:
    """Write a map to a file.

    Parameters
    ----------
    sound_map : SoundMap
    path : Path
    kind : {"html", "png", "svg"}
    color_by : {"genre", "artist", "album", "folder", "sound", "cluster"}, optional
        Tag or sound to color by. Default: see `default_color_field`.
    title : str, optional
        Default: see `default_title`.
    is_dark : bool
        Whether a static image has a dark background. A page follows the browser's setting.

    Raises
    ------
    UsageError
        If no track has the tag or sound to color by.
    MissingExtra
        If the package that draws this kind is not installed.
    LibraryError
        If the file can't be written.
    """
    color_by = color_by or default_color_field(sound_map)
    if not any(sound_map.labels[color_by]):
        raise UsageError(
            f"Can't color by {color_by}: no track has one.",
            hint="Use --color-by cluster, which always works.",
        )
    title = title or default_title(sound_map)
    if kind == "html":
        content = page(sound_map, title=title, color_by=color_by).encode()
    else:
        content = static_image(
            sound_map, title=title, color_by=color_by, kind=kind, is_dark=is_dark
        )
    try:
        with atomic_path(path.resolve()) as draft:  # resolved, so that a symbolic link stays a link
            draft.write_bytes(content)
    except OSError as exc:
        raise LibraryError(
            f"Can't write {path}: {exc.strerror}.",
            hint="Name a file in an existing folder that you can write to.",
        ) from exc


def default_title(sound_map: SoundMap) -> str:
    """Return the default heading of a map."""
    return f"{counted(len(sound_map.tracks), 'track')} by how they sound"
