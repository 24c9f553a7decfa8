"""Style of the paths in a playlist file."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathStyle:
    """Style of the paths in a playlist file.

    Attributes
    ----------
    relative_to : str or None
        Folder that absolute paths are made relative to; None keeps them absolute.
    prefixes : tuple of (str, str)
        Pairs of a prefix and its replacement. The first prefix that a path starts with is
        replaced. Such a path is not made relative.
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
            if path.startswith(prefix):
                path = replacement + path[len(prefix) :]
                break
        else:
            if self.relative_to is not None and os.path.isabs(path):
                path = os.path.relpath(path, os.path.abspath(self.relative_to))
        return path.replace("\\", "/") if self.forward_slash else path
