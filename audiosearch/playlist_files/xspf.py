"""XSPF: an XML document with one element for each track.

References
----------
.. [1] "XSPF Version 1", https://www.xspf.org/spec
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from audiosearch.playlist_files.jspf import entry_from_fields
from audiosearch.playlist_files.uri import path_to_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.playlist_files.entry import Entry

_NAMESPACE = "http://xspf.org/ns/0/"
# Characters that XML doesn't allow, even if they are escaped.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(entries: Sequence[Entry], name: str) -> bytes:
    """Return the contents of an XSPF file."""
    ET.register_namespace("", _NAMESPACE)
    root = ET.Element(f"{{{_NAMESPACE}}}playlist", version="1")
    _add_child(root, "title", name)
    tracks = ET.SubElement(root, f"{{{_NAMESPACE}}}trackList")
    for entry in entries:
        track = ET.SubElement(tracks, f"{{{_NAMESPACE}}}track")
        _add_child(track, "location", path_to_uri(entry.path))
        _add_child(track, "title", entry.title)
        _add_child(track, "creator", entry.artist)
        _add_child(track, "album", entry.album)
        if entry.seconds:
            _add_child(track, "duration", str(round(1_000 * entry.seconds)))  # milliseconds
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def read(content: bytes) -> list[Entry]:
    """Return the entries of an XSPF file.

    Raises
    ------
    ValueError
        If the file isn't an XSPF playlist, or declares XML entities.
    """
    try:
        root = fromstring(content)
    except (ET.ParseError, DefusedXmlException) as exc:
        raise ValueError(str(exc)) from exc
    entries = []
    for track in root.iter(f"{{{_NAMESPACE}}}track"):
        fields = {child.tag.removeprefix(f"{{{_NAMESPACE}}}"): child.text or "" for child in track}
        if "location" in fields:
            entries.append(entry_from_fields(fields, fields["location"].strip()))
    return entries


def _add_child(parent: ET.Element, name: str, text: str | None) -> None:
    if text:
        child = ET.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
        child.text = _NOT_IN_XML.sub("\ufffd", text)
