"""Style of the paths in a playlist file."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathStyle:
    """Style of the paths in a playlist file.

    Attributes
    ----------
    relative_to : str or None
        Folder that absolute paths are made relative to; None keeps them absolute. Paths on another
        drive of Windows stay absolute.
    prefixes : tuple of (str, str)
        Pairs of a prefix and its replacement. The first prefix that a path starts with is
        replaced. Such a path is not made relative. On Windows, case and the kind of slash don't
        matter.
    forward_slash : bool
        Write ``/`` instead of backslashes.

    Examples
    --------
    >>> PathStyle(prefixes=(("/music", "D:/Music"),)).apply("/music/a.mp3")
    'D:/Music/a.mp3'
    """

    relative_to: str | None = None
    prefixes: tuple[tuple[str, str], ...] = ()
    forward_slash: bool = False

    def apply(self, path: str) -> str:
        """Return a track's path in this style."""
        for prefix, replacement in self.prefixes:
            if os.path.normcase(path).startswith(os.path.normcase(prefix)):
                path = replacement + path[len(prefix) :]
                break
        else:
            if self.relative_to is not None and os.path.isabs(path):
                with contextlib.suppress(ValueError):  # it is on another drive
                    path = os.path.relpath(path, os.path.abspath(self.relative_to))
        return path.replace("\\", "/") if self.forward_slash else path
