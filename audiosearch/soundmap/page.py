"""The map as a page of its own: one file that needs neither network nor server."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audiosearch.errors import MissingExtra
from audiosearch.soundmap.labels import FIELDS, file_of, labels_of, name_of, readable

if TYPE_CHECKING:
    from audiosearch.soundmap.layout import SoundMap

#: Okabe and Ito's colours, which colour-blind people can tell apart, and a few between.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    *("#8c6d1f", "#7b5ea7", "#b0a400", "#20808d", "#a0522d", "#6b8e23"),
)
OTHERS = "#8a919e"  # the colour of what has none of its own

_DECIMALS = 5  # of a place: finer than a pixel


def page(found: SoundMap, *, title: str, color_by: str) -> str:
    """Return the page, with all it needs in it.

    Parameters
    ----------
    found : SoundMap
    title : str
    color_by : {"genre", "artist", "album", "folder", "cluster"}

    Raises
    ------
    MissingExtra
        Where Plotly, whose script is put into the page, is not installed.
    """
    return page_of(content(found), title=title, color_by=color_by)


def page_of(data: dict[str, Any], *, title: str, color_by: str) -> str:
    """Return the page of a map's `content`; see `page`."""
    looks = {"title": readable(title), "color_by": color_by}
    here = files("audiosearch.soundmap")
    parts = {
        "STYLE": (here / "map.css").read_text(encoding="utf-8"),
        "PANZOOM": (here / "pan_zoom.js").read_text(encoding="utf-8"),
        "SCRIPT": (here / "map.js").read_text(encoding="utf-8"),
        "DATA": _in_html(data | looks),
        "PLOTLY": plotly_script(),
    }
    text = (here / "map.html").read_text(encoding="utf-8")
    return re.sub(r"/\*([A-Z]+)\*/", lambda match: parts[match[1]], text)


def plotly_script() -> str:
    """Return Plotly's script, which draws the page.

    Raises
    ------
    MissingExtra
        Where it is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as exc:
        raise MissingExtra("A map", "plotly", "map") from exc
    script: str = get_plotlyjs()
    return script


def content(found: SoundMap) -> dict[str, Any]:
    """Return a map as JSON has it: a list a field, with an entry a track."""
    tracks = found.tracks
    labels = colors_of(found)
    return {
        "ids": [track.id for track in tracks],
        "x": found.places[:, 0].round(_DECIMALS).tolist(),
        "y": found.places[:, 1].round(_DECIMALS).tolist(),
        "name": [name_of(track) for track in tracks],
        "file": [file_of(track) for track in tracks],
        "year": [track.year for track in tracks],
        "seconds": [round(track.seconds) for track in tracks],
        **labels,
        "colors": {field: legend(labels[field]) for field in labels},
        "others": OTHERS,
        "neighbours": found.neighbours().tolist(),
        "regions": [
            {"name": r.name, "x": r.x, "y": r.y, "tracks": r.n_tracks} for r in found.regions
        ],
    }


def colors_of(found: SoundMap) -> dict[str, list[str | None]]:
    """Return what tracks can be coloured by: a label a track, by field."""
    labels = {field: labels_of(found.tracks, field) for field in FIELDS}
    names = {region.cluster: region.name for region in found.regions}
    clusters = found.clusters.tolist()
    return labels | {"cluster": [names.get(n, f"region {n + 1}") for n in clusters]}


def legend(labels: list[str | None]) -> list[tuple[str, int, str]]:
    """Return the most frequent labels, how often each comes, and its colour."""
    counts = Counter(filter(None, labels))
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    return [(label, counts[label], color) for label, color in zip(ranked, PALETTE, strict=False)]


def _in_html(data: dict[str, Any]) -> str:
    """Return JSON that ends no script element, whatever is in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
