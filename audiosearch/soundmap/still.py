"""The map as a picture."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from audiosearch.errors import MissingExtra
from audiosearch.soundmap.page import OTHERS, PALETTE, content

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.soundmap.layout import SoundMap

_INCHES, _DOTS_PER_INCH = (14.0, 9.0), 120


def write_still(found: SoundMap, path: Path, *, title: str, color_by: str, kind: str) -> None:
    """Draw a map into a file.

    Parameters
    ----------
    found : SoundMap
    path : Path
    title : str
    color_by : {"genre", "artist", "album", "folder", "cluster"}
    kind : {"png", "svg"}

    Raises
    ------
    MissingExtra
        Where Matplotlib is not installed.
    OSError
        Where the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtra(f"`audiosearch map --format {kind}`", "matplotlib", "map") from exc
    labels = content(found)[color_by]
    ranked = [label for label, _ in Counter(filter(None, labels)).most_common(len(PALETTE))]
    colors = dict(zip(ranked, PALETTE, strict=False))
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    size = max(2.0, min(36.0, 40_000 / len(labels)))
    x, y = found.places.T
    axes.scatter(x, y, s=size, c=[colors.get(label, OTHERS) for label in labels], linewidths=0)
    for region in found.regions:
        name = region.name.replace("$", r"\$")  # which begins a formula
        axes.annotate(name, (region.x, region.y), ha="center", va="center", weight="bold")
    for label in ranked:
        axes.scatter([], [], color=colors[label], label=label.replace("$", r"\$"))
    if ranked:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, title=color_by)
    axes.set_title(title.replace("$", r"\$"))
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    figure.savefig(path, format=kind)
