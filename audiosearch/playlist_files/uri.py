"""Convert paths to URIs, and URIs to paths."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

from audiosearch.paths import is_url

_UNESCAPED = "/!$&'()*+,;=:@"  # characters that need no percent-encoding in a URI's path


def has_scheme(text: str) -> bool:
    """Return whether a text starts like a URI: with a scheme and a colon."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text))


def path_to_uri(path: str) -> str:
    """Return a path as a URI with its bytes percent-encoded.

    An absolute path starts with ``file://``. A URL is returned unchanged.

    Examples
    --------
    >>> path_to_uri("/music/a b.mp3"), path_to_uri("a b.mp3")
    ('file:///music/a%20b.mp3', 'a%20b.mp3')
    """
    if is_url(path):
        return path
    if _has_drive(path):
        return "file:///" + quote(path.replace("\\", "/"), safe=_UNESCAPED)
    escaped = quote(os.fsencode(path), safe=_UNESCAPED)
    if path.startswith("/"):
        return f"file://{escaped}"
    return f"./{escaped}" if ":" in escaped.split("/")[0] else escaped


def uri_to_path(uri: str) -> str:
    """Return the path in a ``file:`` URI or a relative reference; a URL is returned unchanged.

    Examples
    --------
    >>> uri_to_path("file:///music/a%20b.mp3"), uri_to_path("a%20b.mp3")
    ('/music/a b.mp3', 'a b.mp3')
    """
    if not uri.lower().startswith("file:"):
        return uri if has_scheme(uri) else os.fsdecode(unquote_to_bytes(uri))
    path = os.fsdecode(unquote_to_bytes(urlsplit(uri).path))
    return path[1:] if path.startswith("/") and _has_drive(path[1:]) else path


def _has_drive(path: str) -> bool:
    """Return whether a path starts with a Windows drive, such as ``C:``."""
    return bool(re.match(r"[A-Za-z]:[\\/]", path))
