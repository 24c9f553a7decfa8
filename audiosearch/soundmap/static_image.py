"""A map as a static image."""

from __future__ import annotations

import io
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

from audiosearch.child_process import outside_working_directory
from audiosearch.errors import MissingExtra
from audiosearch.soundmap.labels import readable
from audiosearch.soundmap.page import colors_of, legend
from audiosearch.soundmap.palette import OTHER_COLOR

if TYPE_CHECKING:
    from audiosearch.soundmap.layout import SoundMap

_SIZE_INCHES, _DOTS_PER_INCH = (14.0, 9.0), 120
_TITLE_WIDTH = 100  # characters on a line of the title
_TOTAL_AREA = 40_000  # total area of all dots, in square points
_MIN_AREA, _MAX_AREA = 2.0, 36.0  # area of one dot, in square points


def static_image(sound_map: SoundMap, *, title: str, color_by: str, kind: str) -> bytes:
    """Return the content of an image file of a map.

    In a png, characters that Matplotlib's font lacks appear as boxes. In an svg, texts are stored
    as text.

    Parameters
    ----------
    sound_map : SoundMap
    title : str
    color_by : {"genre", "artist", "album", "folder", "sound", "cluster"}
    kind : {"png", "svg"}

    Raises
    ------
    MissingExtra
        If Matplotlib is not installed.
    """
    figure = new_figure()
    labels = colors_of(sound_map)[color_by]
    entries = legend(labels)
    colors = {label: color for label, _, color in entries}
    axes = figure.add_subplot()
    area = max(_MIN_AREA, min(_MAX_AREA, _TOTAL_AREA / len(labels)))
    x, y = sound_map.positions.T
    track_colors = [colors.get(label or "", OTHER_COLOR) for label in labels]
    axes.scatter(x, y, s=area, c=track_colors, linewidths=0)
    texts = [axes.set_title(textwrap.fill(readable(title), _TITLE_WIDTH))]
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5}
    names = [
        axes.text(r.x, r.y, r.name, ha="center", weight="bold", bbox=box) for r in sound_map.regions
    ]
    texts += names
    if OTHER_COLOR in track_colors:
        entries.append(("other", track_colors.count(OTHER_COLOR), OTHER_COLOR))
    if entries:
        # Matplotlib drops legend labels that begin with an underscore. So they are set afterwards.
        dots = [axes.scatter([], [], color=color) for _, _, color in entries]
        key = axes.legend(
            dots,
            ["-"] * len(dots),
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            title=color_by,
        )
        for text, (label, _, _) in zip(key.get_texts(), entries, strict=True):
            text.set_text(label)
            texts.append(text)
    for text in texts:
        text.set_parse_math(False)  # otherwise dollar signs would start formulas
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    return _image_bytes(figure, names, kind)


def new_figure() -> Any:
    """Return an empty Matplotlib figure.

    Raises
    ------
    MissingExtra
        If Matplotlib is not installed.
    """
    try:
        with outside_working_directory():  # Matplotlib reads settings from there, even programs
            from matplotlib.figure import Figure
    except ModuleNotFoundError as exc:
        raise MissingExtra("A static image of a map", "matplotlib", "map") from exc
    return Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")


def _image_bytes(figure: Any, names: list[Any], kind: str) -> bytes:
    """Draw a figure, without the names of regions that overlap the name of a larger region."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.draw_without_rendering()  # computes where texts are
        boxes: list[Any] = []
        for name in names:
            box = name.get_window_extent()
            name.set_visible(not box.count_overlaps(boxes))
            boxes += [box] if name.get_visible() else []
        figure.savefig(content, format=kind)
    return content.getvalue()
