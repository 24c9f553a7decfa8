"""XSPF: an XML document with one element for each track.

References
----------
.. [1] "XSPF Version 1", https://www.xspf.org/spec
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from audiosearch.playlist_files.jspf import entry_from_fields
from audiosearch.playlist_files.text import decode_text, readable
from audiosearch.playlist_files.uri import has_scheme, path_to_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.playlist_files.entry import Entry

_NAMESPACE = "http://xspf.org/ns/0/"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]*\?>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)")
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


def read(content: bytes) -> Iterator[Entry | str]:
    """Yield the entries of an XSPF file, and a warning for each fault.

    Faults of the XML that other programs are known for are repaired. A file that ends early is
    read up to there.

    Raises
    ------
    ValueError
        If the file isn't an XSPF playlist, or declares XML entities.
    """
    root, fault = _parsed(content)
    if fault is not None:
        root, remaining = _parsed(_repaired(content))
        effect = "was repaired" if remaining is None else "was read as far as possible"
        yield f"the file is not valid XML ({fault}) and {effect}"
    if root is None or _local_name(root) != "playlist":
        raise ValueError(fault or "it has no <playlist>")
    for track, base in _tracks(root, ""):
        fields: dict[str, str] = {}
        for child in track:
            fields.setdefault(_local_name(child), child.text or "")
        yield entry_from_fields(fields, _locations(track, base))


def _parsed(content: bytes) -> tuple[ET.Element | None, str | None]:
    """Return the root element, as far as the XML is valid, and the fault that ends it."""
    root = None
    try:
        for _, element in iterparse(BytesIO(content), events=("start",)):
            root = element if root is None else root
    except DefusedXmlException as exc:
        raise ValueError(str(exc)) from exc
    except (ET.ParseError, LookupError, ValueError) as exc:  # the last two: unknown encodings
        return root, str(exc)
    return root, None


def _repaired(content: bytes) -> bytes:
    """Return XML with escaped ampersands, in UTF-8 and without characters that XML forbids."""
    text = _DECLARATION.sub("", readable(decode_text(content)), count=1)
    return _BARE_AMPERSAND.sub("&amp;", _NOT_IN_XML.sub("\ufffd", text)).encode()


def _tracks(element: ET.Element, base: str) -> Iterator[tuple[ET.Element, str]]:
    """Yield the tracks inside an element, each with the URI that its locations are relative to."""
    base = _joined(base, element.get(_BASE, ""))
    for child in element:
        if _local_name(child) == "track":
            yield child, _joined(base, child.get(_BASE, ""))
        else:
            yield from _tracks(child, base)


def _locations(track: ET.Element, base: str) -> list[str]:
    return [
        _joined(_joined(base, child.get(_BASE, "")), (child.text or "").strip())
        for child in track
        if _local_name(child) == "location" and (child.text or "").strip()
    ]


def _joined(base: str, reference: str) -> str:
    """Return a reference resolved against a base; the reference itself if it is invalid."""
    if not base or not reference:
        return reference or base
    if not has_scheme(base) and not has_scheme(reference) and not reference.startswith("/"):
        return base[: base.rfind("/") + 1] + reference  # `urljoin` would drop leading `..`
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def _local_name(element: ET.Element) -> str:
    """Return the name of an element without its namespace, which some programs omit or misspell."""
    return element.tag.rpartition("}")[2]


def _add_child(parent: ET.Element, name: str, text: str | None) -> None:
    if text:
        child = ET.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
        child.text = _NOT_IN_XML.sub("\ufffd", " ".join(text.splitlines()))
