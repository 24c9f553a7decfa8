"""Playlist files: M3U8, XSPF and JSPF, out and in.

References
----------
.. [1] "XSPF Version 1", https://www.xspf.org/spec
.. [2] "JSPF", https://www.xspf.org/jspf
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes, urlsplit
from xml.etree import ElementTree as ET

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from audiosearch.errors import LibraryError
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_XSPF = "http://xspf.org/ns/0/"
# What XML cannot hold, whatever one does.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SAFE = "/!$&'()*+,;=:@"


class PlaylistFormat(str, Enum):
    """Kinds of playlist files."""

    M3U8 = "m3u8"
    XSPF = "xspf"
    JSPF = "jspf"


#: By suffix, what may be read as a playlist.
SUFFIXES = {
    ".m3u": PlaylistFormat.M3U8,
    ".m3u8": PlaylistFormat.M3U8,
    ".xspf": PlaylistFormat.XSPF,
    ".jspf": PlaylistFormat.JSPF,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A track in a playlist.

    Attributes
    ----------
    path : str
        As it is to be written: absolute, or relative to where the playlist is.
    seconds : float
        0 where it is not known.
    """

    path: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PathStyle:
    """How paths are written into a playlist.

    Attributes
    ----------
    relative_to : str or None
        Write paths below this folder, or beside it, relative to it.
    prefixes : tuple of (str, str)
        Beginnings of paths, and what takes their place.
    forward_slash : bool
        Write ``/`` where the path has backslashes.
    """

    relative_to: str | None = None
    prefixes: tuple[tuple[str, str], ...] = ()
    forward_slash: bool = False

    def written(self, path: str) -> str:
        """Return a path as it is written."""
        for old, new in self.prefixes:
            if path.startswith(old):
                path = new + path[len(old) :]
                break
        else:
            if self.relative_to is not None and os.path.isabs(path):
                path = os.path.relpath(path, os.path.abspath(self.relative_to))
        return path.replace("\\", "/") if self.forward_slash else path


# What readers raise of a file that is no playlist.
_NO_PLAYLIST = (
    *(ValueError, LookupError, TypeError, AttributeError, RecursionError),
    *(ET.ParseError, DefusedXmlException),
)


def playlist_text(entries: Sequence[Entry], name: str, kind: PlaylistFormat) -> bytes:
    """Return a playlist as the contents of a file."""
    return _WRITERS[kind](entries, name)


def read_playlist(path: str) -> list[Entry]:
    """Read a playlist; its paths are as they are written: see `beside`.

    Raises
    ------
    LibraryError
        Where it cannot be read, or is none.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    return entries_of(content, path)


def entries_of(content: bytes, name: str) -> list[Entry]:
    """Return what a playlist file holds, by the format that its name tells.

    Raises
    ------
    LibraryError
        Where it is no such playlist.
    """
    try:
        return _READERS[_kind_of(name)](content)
    except _NO_PLAYLIST as exc:
        raise _unreadable(name, exc) from exc


def _kind_of(name: str) -> PlaylistFormat:
    return SUFFIXES.get(Path(name).suffix.lower(), PlaylistFormat.M3U8)


def _unreadable(name: str, error: Exception) -> LibraryError:
    return LibraryError(
        f"{name} cannot be read as a playlist ({_kind_of(name).value}): {error}.",
        hint="Playlists are .m3u8, .xspf or .jspf files.",
    )


def beside(playlist: str, path: str) -> str:
    """Return the absolute path of what a playlist names, relative to where that is."""
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(playlist)), path))


# M3U8


def _m3u8(entries: Sequence[Entry], name: str) -> bytes:
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(name)}"]
    for entry in entries:
        label = " - ".join(filter(None, (entry.artist, entry.title))) or PurePath(entry.path).stem
        seconds = round(entry.seconds) if entry.seconds else -1
        lines += [f"#EXTINF:{seconds},{_one_line(label)}", _m3u8_path(entry.path)]
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def _m3u8_path(path: str) -> str:
    """Return a path for a line of its own; as a URI where it could be taken for something else."""
    is_plain = not re.search("[\r\n]", path) and path == path.strip()
    if is_plain and not path.startswith(("#", "./")) and not _has_scheme(path):
        return path
    if os.path.isabs(path) or is_url(path):
        return _uri(path)
    return _uri("./" + path.removeprefix("./"))


def _one_line(text: str) -> str:
    return " ".join(text.split()).encode(errors="replace").decode()


def _from_m3u8(content: bytes) -> list[Entry]:
    text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    entries = []
    seconds, label = 0.0, ""
    for line in re.split(r"\r\n|\r|\n", text):
        if line.startswith("#EXTINF:"):
            length, _, label = line.removeprefix("#EXTINF:").partition(",")
            number = re.match(r"[0-9.]+", length)
            seconds = float(number[0]) if number else 0.0
        elif line.strip() and not line.startswith("#"):
            artist, dash, title = label.partition(" - ")
            is_uri = _has_scheme(line) or line.startswith("./")
            entries.append(
                Entry(
                    path=_path(line) if is_uri else line,
                    title=(title if dash else label) or None,
                    artist=artist if dash else None,
                    seconds=seconds,
                )
            )
            seconds, label = 0.0, ""
    return entries


# XSPF


def _xspf(entries: Sequence[Entry], name: str) -> bytes:
    ET.register_namespace("", _XSPF)
    root = ET.Element(f"{{{_XSPF}}}playlist", version="1")
    _child(root, "title", name)
    tracks = ET.SubElement(root, f"{{{_XSPF}}}trackList")
    for entry in entries:
        track = ET.SubElement(tracks, f"{{{_XSPF}}}track")
        _child(track, "location", _uri(entry.path))
        _child(track, "title", entry.title)
        _child(track, "creator", entry.artist)
        _child(track, "album", entry.album)
        if entry.seconds:
            _child(track, "duration", str(round(1_000 * entry.seconds)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def _child(parent: ET.Element, name: str, text: str | None) -> None:
    if text:
        child = ET.SubElement(parent, f"{{{_XSPF}}}{name}")
        child.text = _NO_XML.sub("\ufffd", text)


def _from_xspf(content: bytes) -> list[Entry]:
    entries = []
    for track in fromstring(content).iter(f"{{{_XSPF}}}track"):
        fields = {child.tag.removeprefix(f"{{{_XSPF}}}"): child.text or "" for child in track}
        if "location" in fields:
            entries.append(_entry(fields, fields["location"].strip()))
    return entries


# JSPF


def _jspf(entries: Sequence[Entry], name: str) -> bytes:
    tracks = []
    for entry in entries:
        track: dict[str, Any] = {"location": [_uri(entry.path)]}
        track |= {
            key: value
            for key, value in (
                ("title", entry.title),
                ("creator", entry.artist),
                ("album", entry.album),
            )
            if value
        }
        if entry.seconds:
            track["duration"] = round(1_000 * entry.seconds)
        tracks.append(track)
    document = {"playlist": {"title": name, "track": tracks}}
    return (json.dumps(document, ensure_ascii=True, indent=2) + "\n").encode()


def _from_jspf(content: bytes) -> list[Entry]:
    entries = []
    for track in json.loads(content)["playlist"]["track"]:
        locations = track.get("location") or []
        if locations:
            location = locations if isinstance(locations, str) else locations[0]
            entries.append(_entry(track, location))
    return entries


def _entry(fields: dict[str, Any], location: str) -> Entry:
    return Entry(
        _path(location),
        fields.get("title") or None,
        fields.get("creator") or None,
        fields.get("album") or None,
        float(fields.get("duration") or 0) / 1_000,
    )


# URIs


def _has_scheme(text: str) -> bool:
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text))


def _uri(path: str) -> str:
    """Return a path as a URI, percent-encoded byte by byte: absolute with ``file://``.

    A URL is returned as it is.
    """
    if is_url(path):
        return path
    if re.match(r"[A-Za-z]:[\\/]", path):  # of Windows
        return "file:///" + quote(path.replace("\\", "/"), safe=_SAFE)
    escaped = quote(os.fsencode(path), safe=_SAFE)
    if path.startswith("/"):
        return f"file://{escaped}"
    return f"./{escaped}" if ":" in escaped.split("/")[0] else escaped


def _path(uri: str) -> str:
    """Return the path that a URI, or a reference relative to the playlist, names."""
    if not uri.lower().startswith("file:"):
        return uri if _has_scheme(uri) else os.fsdecode(unquote_to_bytes(uri))
    path = os.fsdecode(unquote_to_bytes(urlsplit(uri).path))
    return path[1:] if re.match(r"/[A-Za-z]:[\\/]", path) else path


_WRITERS: dict[PlaylistFormat, Callable[[Sequence[Entry], str], bytes]] = {
    PlaylistFormat.M3U8: _m3u8,
    PlaylistFormat.XSPF: _xspf,
    PlaylistFormat.JSPF: _jspf,
}
_READERS: dict[PlaylistFormat, Callable[[bytes], list[Entry]]] = {
    PlaylistFormat.M3U8: _from_m3u8,
    PlaylistFormat.XSPF: _from_xspf,
    PlaylistFormat.JSPF: _from_jspf,
}
