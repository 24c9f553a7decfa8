"""A map as an HTML page: one file that works without a network or a server."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audiosearch.escapes import json_text
from audiosearch.soundmap.columns import columns_of
from audiosearch.soundmap.labels import readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.abc import Traversable

    from audiosearch.soundmap.layout import SoundMap

_ENTRY = "standalone.js"
_IMPORT = re.compile(r'^import .* from "\./(.*)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def view_files() -> dict[str, Traversable]:
    """Return the ES modules and the style sheet that draw a map in a page, by name.

    ``view.js`` has the class ``MapView``.
    """
    return {file.name: file for file in (files("audiosearch.soundmap") / "view").iterdir()}


def page(sound_map: SoundMap, *, title: str, color_by: str) -> str:
    """Return the page of a map, with its script, styles and data.

    Parameters
    ----------
    sound_map : SoundMap
    title : str
    color_by : {"genre", "artist", "album", "folder", "sound", "cluster"}
    """
    sources = {name: file.read_text(encoding="utf-8") for name, file in view_files().items()}
    script = "\n".join(_modules(sources, _ENTRY, set()))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "STYLE": sources["map.css"],
        "HASH": f"sha256-{digest}",
        "DATA": _in_html({"title": readable(title), **columns_of(sound_map, color_by=color_by)}),
        "SCRIPT": script,
    }
    text = (files("audiosearch.soundmap") / "map.html").read_text(encoding="utf-8")
    return re.sub(r"/\*([A-Z]+)\*/", lambda match: parts[match[1]], text)


def _modules(sources: dict[str, str], name: str, seen: set[str]) -> Iterator[str]:
    """Yield the modules that a module imports, then itself, so that they form one script."""
    seen.add(name)
    for imported in _IMPORT.findall(sources[name]):
        if imported not in seen:
            yield from _modules(sources, imported, seen)
    yield _EXPORT.sub("", _IMPORT.sub("", sources[name]))


def _in_html(data: dict[str, Any]) -> str:
    """Return data as JSON text that is safe inside an HTML script element."""
    return json_text(data, separators=(",", ":")).replace("<", "\\u003c")
