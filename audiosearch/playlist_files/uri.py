"""Convert paths to URIs, and URIs to paths."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote_to_bytes

from audiosearch.paths import is_url, path_from_bytes
from audiosearch.playlist_files.text import in_legacy_encodings, is_usable_path

_UNESCAPED = "/!$&'()*+,;=:@"  # characters that need no percent-encoding in a URI's path
# The scheme with its host, which is a drive in the URIs of some programs (file://C:/a.mp3).
_FILE_SCHEME = re.compile(r"file:(?://(?:(?=[A-Za-z]:)|([^/\\]*)))?", re.IGNORECASE)


def has_scheme(text: str) -> bool:
    """Return whether a text starts like a URI: with a scheme and a colon."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text))


def path_to_uri(path: str) -> str:
    r"""Return a path as a URI with its bytes percent-encoded.

    An absolute path starts with ``file://``. A URL is returned unchanged.

    Examples
    --------
    >>> path_to_uri("/music/a b.mp3"), path_to_uri("a b.mp3")
    ('file:///music/a%20b.mp3', 'a%20b.mp3')
    >>> path_to_uri(r"C:\a b.mp3"), path_to_uri(r"\\nas\music\a b.mp3")
    ('file:///C:/a%20b.mp3', 'file://nas/music/a%20b.mp3')
    """
    if is_url(path):
        return path
    if _has_drive(path):
        return "file:///" + quote(os.fsencode(path.replace("\\", "/")), safe=_UNESCAPED)
    if path.startswith("\\\\"):  # a folder of the network, on Windows
        return "file:" + quote(os.fsencode(path.replace("\\", "/")), safe=_UNESCAPED)
    escaped = quote(os.fsencode(path.replace(os.sep, "/")), safe=_UNESCAPED)
    if path.startswith("/"):
        return f"file://{escaped}"
    return f"./{escaped}" if ":" in escaped.split("/")[0] else escaped


def possible_paths(text: str, *, is_uri: bool) -> list[str]:
    """Return the paths that a location in a playlist file may mean, the likeliest first.

    Programs disagree on whether a path is percent-encoded, and in which encoding it is.

    Parameters
    ----------
    text : str
        Location as written. Bytes that aren't UTF-8 are surrogates.
    is_uri : bool
        Whether the format asks for a URI, so that percent-encoding is likelier than not. A text
        that starts with ``file:`` or ``./`` is taken for a URI in any format.

    Examples
    --------
    >>> possible_paths("a%20b.mp3 ", is_uri=False)
    ['a%20b.mp3 ', 'a%20b.mp3', 'a b.mp3']
    >>> possible_paths("file:///music/a%20b.mp3", is_uri=False)
    ['/music/a b.mp3', '/music/a%20b.mp3']
    """
    trimmed = text.strip()
    if not is_usable_path(trimmed):
        return [text]
    path = _without_file_scheme(trimmed)
    is_file_uri = path != trimmed
    if is_url(trimmed) and not is_file_uri:
        paths = [text, trimmed]
    elif is_uri or is_file_uri or trimmed.startswith("./"):
        paths = [_decoded(path), path]
    else:
        paths = [text, trimmed, _decoded(trimmed)]
    meanings = [meaning for path in paths for meaning in (path, *in_legacy_encodings(path))]
    return list(filter(is_usable_path, dict.fromkeys(meanings))) or [text]


def _decoded(path: str) -> str:
    """Return a path with its percent-encoding decoded."""
    return _without_root(path_from_bytes(unquote_to_bytes(path.encode(errors="surrogateescape"))))


def _without_file_scheme(uri: str) -> str:
    scheme = _FILE_SCHEME.match(uri)
    if not scheme:
        return uri
    path = uri[scheme.end() :]
    if os.sep == "\\":  # folders of the network: file://nas/a.mp3, and file://///nas/a.mp3
        has_host = (scheme[1] or "").lower() not in {"", "localhost"}
        path = f"//{scheme[1]}{path}" if has_host else re.sub(r"^/{3,}", "//", path)
    return _without_root(path)


def _without_root(path: str) -> str:
    """Return a path like ``/C:/a.mp3`` without the first slash."""
    return path[1:] if path.startswith("/") and _has_drive(path[1:]) else path


def _has_drive(path: str) -> bool:
    """Return whether a path starts with a Windows drive, such as ``C:``."""
    return bool(re.match(r"[A-Za-z]:[\\/]", path))
