"""Paths: on this machine, or URLs."""

from __future__ import annotations

import os
import re

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\r\n]+")


def is_url(path: str) -> bool:
    """Return whether a path is a URL.

    Examples
    --------
    >>> is_url("s3://bucket/a.mp3"), is_url("/music/a.mp3"), is_url("c://")
    (True, False, False)
    """
    return _URL.fullmatch(path) is not None


def absolute(path: str) -> str:
    """Return a path in the form that an index stores: absolute; a URL stays as it is."""
    return path if is_url(path) else os.path.abspath(path)


def why_missing(path: str) -> str:
    """Return why a path can't be found, as a clause: it is a broken link, or there is no file."""
    try:
        target = os.readlink(path)
    except (OSError, ValueError):
        return "there is no such file"
    return f"it is a link to {target}, which doesn't exist"
