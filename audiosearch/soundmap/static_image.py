"""The map as a picture."""

from __future__ import annotations

import io
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

from audiosearch.errors import MissingExtra
from audiosearch.soundmap.labels import readable
from audiosearch.soundmap.page import OTHERS, colors_of, legend

if TYPE_CHECKING:
    from audiosearch.soundmap.layout import SoundMap

_INCHES, _DOTS_PER_INCH = (14.0, 9.0), 120
_TITLE_WIDTH = 100  # letters
_AREA = 40_000  # of all points together, in square points


def static_image(found: SoundMap, *, title: str, color_by: str, kind: str) -> bytes:
    """Return a picture of a map.

    Scripts that Matplotlib's own font lacks show as boxes in a png; in an svg, texts stay texts.

    Parameters
    ----------
    found : SoundMap
    title : str
    color_by : {"genre", "artist", "album", "folder", "cluster"}
    kind : {"png", "svg"}

    Raises
    ------
    MissingExtra
        Where Matplotlib is not installed.
    """
    figure = new_figure()
    labels = colors_of(found)[color_by]
    shown = legend(labels)
    colors = {label: color for label, _, color in shown}
    axes = figure.add_subplot()
    size = max(2.0, min(36.0, _AREA / len(labels)))
    x, y = found.places.T
    of_tracks = [colors.get(label or "", OTHERS) for label in labels]
    axes.scatter(x, y, s=size, c=of_tracks, linewidths=0)
    texts = [axes.set_title(textwrap.fill(readable(title), _TITLE_WIDTH))]
    back = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5}
    texts += [
        axes.text(r.x, r.y, r.name, ha="center", weight="bold", bbox=back) for r in found.regions
    ]
    if OTHERS in of_tracks:
        shown.append(("others", of_tracks.count(OTHERS), OTHERS))
    if shown:
        # A legend leaves out labels that begin with an underscore: they get theirs below.
        dots = [axes.scatter([], [], color=color) for _, _, color in shown]
        names = axes.legend(
            dots,
            ["-"] * len(dots),
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            title=color_by,
        )
        for text, (label, _, _) in zip(names.get_texts(), shown, strict=True):
            text.set_text(label)
            texts.append(text)
    for text in texts:
        text.set_parse_math(False)  # a dollar sign is one
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    return _saved(figure, kind)


def new_figure() -> Any:
    """Return an empty picture.

    Raises
    ------
    MissingExtra
        Where Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as exc:
        raise MissingExtra("A still of a map", "matplotlib", "map") from exc
    return Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")


def _saved(figure: Any, kind: str) -> bytes:
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(content, format=kind)
    return content.getvalue()
