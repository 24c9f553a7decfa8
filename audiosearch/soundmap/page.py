"""The map as a page of its own: one file that needs neither network nor server."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audiosearch.errors import MissingExtra
from audiosearch.soundmap.regions import folder_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track
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
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as exc:
        raise MissingExtra("`audiosearch map`", "plotly", "map") from exc
    looks = {"title": title, "color_by": color_by, "palette": PALETTE, "others": OTHERS}
    here = files("audiosearch.soundmap")
    parts = {
        "STYLE": (here / "map.css").read_text(encoding="utf-8"),
        "SCRIPT": (here / "map.js").read_text(encoding="utf-8"),
        "DATA": _in_html(content(found) | looks),
        "PLOTLY": get_plotlyjs(),
    }
    text = (here / "map.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"/*{name}*/", part)
    return text


def content(found: SoundMap) -> dict[str, Any]:
    """Return a map as JSON has it: a list a field, with an entry a track."""
    tracks = found.tracks
    return {
        "ids": [track.id for track in tracks],
        "x": found.places[:, 0].round(_DECIMALS).tolist(),
        "y": found.places[:, 1].round(_DECIMALS).tolist(),
        "name": [name_of(track) for track in tracks],
        "artist": [track.artist for track in tracks],
        "album": [track.album for track in tracks],
        "genre": [track.genre for track in tracks],
        "year": [track.year for track in tracks],
        "folder": [_readable(folder_of(track)) for track in tracks],
        "cluster": [f"region {number + 1}" for number in found.clusters.tolist()],
        "neighbours": found.neighbours.tolist(),
        "regions": [
            {"name": _readable(r.name), "x": r.x, "y": r.y, "tracks": r.n_tracks}
            for r in found.regions
        ],
    }


def name_of(track: Track) -> str:
    """Return a track's title, or else its file's name."""
    return track.title or _readable(track.path.replace("\\", "/").rpartition("/")[2])


def _readable(path: str) -> str:
    """Spell out a path's bytes that are not UTF-8."""
    return path.encode(errors="backslashreplace").decode()


def _in_html(data: dict[str, Any]) -> str:
    """Return JSON that ends no script element, whatever is in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
