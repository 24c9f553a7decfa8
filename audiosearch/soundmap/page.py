"""A map as an HTML page: one file that works without a network or a server."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audiosearch.errors import MissingExtra
from audiosearch.escapes import json_text
from audiosearch.soundmap.labels import (
    FIELDS,
    file_of,
    first_sounds,
    labels_of,
    name_of,
    readable,
)
from audiosearch.soundmap.palette import OTHER_COLOR, PALETTE

if TYPE_CHECKING:
    from audiosearch.soundmap.layout import SoundMap

_DECIMALS = 5  # decimals of a position: a step is smaller than a pixel


def page(sound_map: SoundMap, *, title: str, color_by: str) -> str:
    """Return the page of a map, with its scripts, styles and data.

    Parameters
    ----------
    sound_map : SoundMap
    title : str
    color_by : {"genre", "artist", "album", "folder", "sound", "cluster"}

    Raises
    ------
    MissingExtra
        If Plotly is not installed. Its script is part of the page.
    """
    return page_of(content(sound_map), title=title, color_by=color_by)


def page_of(data: dict[str, Any], *, title: str, color_by: str) -> str:
    """Return the page of a map, given its `content`: see `page`."""
    options = {"title": readable(title), "color_by": color_by}
    folder = files("audiosearch.soundmap")
    parts = {
        "STYLE": (folder / "map.css").read_text(encoding="utf-8"),
        "PANZOOM": (folder / "pan_zoom.js").read_text(encoding="utf-8"),
        "SCRIPT": (folder / "map.js").read_text(encoding="utf-8"),
        "DATA": _in_html(data | options),
        "PLOTLY": plotly_script(),
    }
    text = (folder / "map.html").read_text(encoding="utf-8")
    return re.sub(r"/\*([A-Z]+)\*/", lambda match: parts[match[1]], text)


def plotly_script() -> str:
    """Return the JavaScript of Plotly, which draws the map in the page.

    Raises
    ------
    MissingExtra
        If Plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as exc:
        raise MissingExtra("A map", "plotly", "map") from exc
    script: str = get_plotlyjs()
    return script


def content(sound_map: SoundMap) -> dict[str, Any]:
    """Return a map as JSON-compatible values: for each field, a list with one value per track."""
    tracks = sound_map.tracks
    labels = colors_of(sound_map)
    return {
        "ids": [track.id for track in tracks],
        "x": sound_map.positions[:, 0].round(_DECIMALS).tolist(),
        "y": sound_map.positions[:, 1].round(_DECIMALS).tolist(),
        "name": [name_of(track) for track in tracks],
        "file": [file_of(track) for track in tracks],
        "year": [track.year for track in tracks],
        "seconds": [round(track.seconds) for track in tracks],
        "sounds": [first_sounds(track) for track in tracks],
        **labels,
        "colors": {field: legend(labels[field]) for field in labels},
        "others": OTHER_COLOR,
        "neighbours": sound_map.neighbors().tolist(),
        "regions": [
            {"name": r.name, "x": r.x, "y": r.y, "tracks": r.n_tracks} for r in sound_map.regions
        ],
    }


def colors_of(sound_map: SoundMap) -> dict[str, list[str | None]]:
    """Return the labels to color by: for each field, a list with one label per track."""
    labels = {field: labels_of(sound_map.tracks, field) for field in FIELDS}
    names = {region.cluster: region.name for region in sound_map.regions}
    clusters = sound_map.clusters.tolist()
    return labels | {"cluster": [names.get(n, f"region {n + 1}") for n in clusters]}


def legend(labels: list[str | None]) -> list[tuple[str, int, str]]:
    """Return the most frequent labels, each with its number of tracks and its color."""
    counts = Counter(filter(None, labels))
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    return [(label, counts[label], color) for label, color in zip(ranked, PALETTE, strict=False)]


def _in_html(data: dict[str, Any]) -> str:
    """Return data as JSON text that is safe inside an HTML script element."""
    return json_text(data, separators=(",", ":")).replace("<", "\\u003c")
