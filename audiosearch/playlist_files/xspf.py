"""XSPF: an XML document with one element for each track.

References
----------
.. [1] "XSPF Version 1", https://www.xspf.org/spec
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from audiosearch.playlist_files.entry import Entry, check_n_entries
from audiosearch.playlist_files.jspf import entry_from_fields
from audiosearch.playlist_files.text import MAX_PATH_LENGTH, TooLarge, decode_text, readable
from audiosearch.playlist_files.uri import has_scheme, path_to_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMESPACE = "http://xspf.org/ns/0/"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]*\?>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)")
_MAX_ELEMENTS = 2_000_000
_MAX_DEPTH = 100  # elements within each other
_MAX_FIELDS = 1_000  # elements of a track
_PART_BYTES = 2_000_000
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
    entries, fault = _entries(content)
    if fault is not None:
        entries, remaining = _entries(_repaired(content))
        effect = "was repaired" if remaining is None else "was read as far as possible"
        yield f"the file is not valid XML ({fault}) and {effect}"
    if entries is None:
        raise ValueError(fault or "it has no <playlist>")
    yield from entries


def _entries(content: bytes) -> tuple[list[Entry | str] | None, str | None]:
    """Return the entries, as far as the XML is valid, and the fault that ends it.

    The entries are None if the root element isn't a playlist.
    """
    tracks = _Tracks()
    parser = XMLParser(target=tracks)
    try:
        # Older versions of Expat read an unfinished token again with each part.
        for start in range(0, len(content), _PART_BYTES):
            parser.feed(content[start : start + _PART_BYTES])
        parser.close()
    except DefusedXmlException as exc:
        raise ValueError("it declares XML entities") from exc
    except (ET.ParseError, LookupError, ValueError) as exc:  # the last two: unknown encodings
        tracks.end_track()
        return tracks.entries, str(exc)
    return tracks.entries, None


class _Tracks:
    """Collects the entries of the tracks in an XML document. The parser calls its methods.

    Attributes
    ----------
    entries : list of Entry or str, or None
        None if the root element isn't a playlist.
    """

    def __init__(self) -> None:
        self.entries: list[Entry | str] | None = None
        self._n_elements = 0
        self._bases: list[str] = []  # base URIs of the open elements
        self._track_depth = 0  # number of open elements at the open track; 0 if there is none
        self._fields: list[tuple[str, str, list[str]]] = []  # of the track: name, base, text
        self._is_in_text = False  # of a field, before any element inside it

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Note the start of an element."""
        name = tag.rpartition("}")[2]  # without the namespace, which some programs misspell
        if not self._bases and name == "playlist":
            self.entries = []
        base = _joined(self._bases[-1] if self._bases else "", attributes.get(_BASE, ""))
        self._bases.append(base)
        depth = len(self._bases)
        self._n_elements += 1
        if self._n_elements > _MAX_ELEMENTS:
            raise TooLarge(f"it has more than {_MAX_ELEMENTS:,} elements")
        if depth > _MAX_DEPTH:
            raise TooLarge(f"its elements are nested more than {_MAX_DEPTH} deep")
        self._is_in_text = depth == self._track_depth + 1 > 1
        if self._is_in_text:
            self._fields.append((name, base, []))
            if len(self._fields) > _MAX_FIELDS:
                raise TooLarge(f"a track has more than {_MAX_FIELDS:,} fields")
        elif depth > 1 and name == "track" and not self._track_depth:
            self._track_depth = depth

    def data(self, text: str) -> None:
        """Note a part of the text of an element."""
        if self._is_in_text:
            self._fields[-1][2].append(text)

    def end(self, tag: str) -> None:  # noqa: ARG002
        """Note the end of the last open element."""
        self._is_in_text = False
        if len(self._bases) == self._track_depth:
            self.end_track()
        self._bases.pop()

    def end_track(self) -> None:
        """Add the entry of the open track, if there is one."""
        if self._track_depth and self.entries is not None:
            fields: dict[str, str] = {}
            locations = []
            for name, base, parts in self._fields:
                text = "".join(parts)
                fields.setdefault(name, text)
                if name == "location" and text.strip():
                    locations.append(_joined(base, text.strip()))
            self.entries.append(entry_from_fields(fields, locations))
            check_n_entries(len(self.entries))
        self._track_depth = 0
        self._fields.clear()


def _repaired(content: bytes) -> bytes:
    """Return XML with escaped ampersands, in UTF-8 and without characters that XML forbids."""
    text = _DECLARATION.sub("", readable(decode_text(content)), count=1)
    return _BARE_AMPERSAND.sub("&amp;", _NOT_IN_XML.sub("\ufffd", text)).encode()


def _joined(base: str, reference: str) -> str:
    """Return a reference resolved against a base; the reference itself if it is invalid."""
    if len(base) > MAX_PATH_LENGTH:  # no usable path begins with it
        return reference
    if not base or not reference:
        return reference or base
    if not has_scheme(base) and not has_scheme(reference) and not reference.startswith("/"):
        return base[: base.rfind("/") + 1] + reference  # `urljoin` would drop leading `..`
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def _add_child(parent: ET.Element, name: str, text: str | None) -> None:
    if text:
        child = ET.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
        child.text = _NOT_IN_XML.sub("\ufffd", " ".join(text.splitlines()))
