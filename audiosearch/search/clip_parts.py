"""Check parts of clips: from one time to another."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.playlist_files import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.search.options import TimeRange
    from audiosearch.types import StrPath

_HINT = "Give seconds from the start of the clip, for example from 62 to 69."


def check_part(
    part: TimeRange | None, clips: StrPath | Iterable[StrPath], named: Sequence[str]
) -> list[str]:
    """Return the clips, after checking that a part is a valid range of exactly one clip.

    Parameters
    ----------
    part : TimeRange or None
        None: any number of clips may be given.
    clips : str, path-like, or iterable of them
    named : sequence of str
        More clips, by their words.

    Raises
    ------
    UsageError
        If the range is invalid, or there are several clips, none, or a playlist.
    """
    paths = [clips] if isinstance(clips, (str, os.PathLike)) else clips
    names = [os.fspath(path) for path in paths]
    if part is None:
        return names
    if not 0 <= part.start < math.inf:
        raise UsageError(f"A part of a clip can't start at {part.start:g} s.", hint=_HINT)
    if part.end is not None and not part.start < part.end < math.inf:
        raise UsageError(
            f"A part of a clip can't reach from {part.start:g} s to {part.end:g} s.", hint=_HINT
        )
    n_clips = len(names) + len(named)
    if n_clips != 1:
        raise UsageError(
            f"A part needs exactly one clip, and there are {n_clips}.",
            hint="Name one audio file, or one track.",
        )
    for name in names:
        if is_playlist_file(name):
            raise UsageError(
                f"{name} is a playlist, and a part needs exactly one clip.",
                hint="Name one audio file, or one track.",
            )
    return names


def is_playlist_file(path: str) -> bool:
    """Return whether a path leads to a file with the suffix of a playlist."""
    return os.path.splitext(path)[1].lower() in SUFFIXES and os.path.isfile(path)
