"""A map as a static image."""

from __future__ import annotations

import io
import textwrap
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.child_process import outside_working_directory
from audiosearch.errors import MissingExtra
from audiosearch.soundmap.colors import legend
from audiosearch.soundmap.labels import PLURALS, name_of, readable
from audiosearch.soundmap.palette import DARK, LIGHT, OTHER_COLOR, Theme

if TYPE_CHECKING:
    from audiosearch.soundmap.layout import SoundMap

_WIDTH_INCHES, _DOTS_PER_INCH = 14.0, 120
_MIN_HEIGHT_INCHES, _MAX_HEIGHT_INCHES = 5.0, 10.0
_LEGEND_INCHES, _TITLE_INCHES, _MARGIN_INCHES = 2.6, 0.7, 0.35
_TITLE_WIDTH, _TITLE_LINES, _LINE_INCHES = 90, 3, 0.27  # characters; lines and their height
_DOT_POINTS = 17.0  # diameter of the only dot; dots of n tracks are smaller by n ** 0.19
_MIN_DOT_POINTS, _MAX_DOT_POINTS = 2.2, 13.0
_MAX_OUTLINED = 2_000  # more dots have no outlines
_FONT_POINTS = (10.0, 18.0)  # of the names of the smallest and the largest region
_MAX_LENGTH = 28  # characters of a name or of a label of the legend
_GAP_POINTS = 8.0  # between a point and its name
_MAX_NAMED_TRACKS = 30  # in a larger library, tracks have no names
_RIGHT_SHARE = 0.8  # of the map's width; names of points beyond that are at their left
_CELLS = 300  # along each side of the grid in which tracks are counted
_EXTENT = 1.3  # the grid reaches from -1.3 to 1.3
_MIN_BLUR, _MAX_BLUR = 0.018, 0.06  # standard deviation of the blur, in units of the map
_SHADES = 4.0  # standard deviations of the blur that the shades of one track take
_LEVELS = (0.09, 0.17, 0.28, 0.41, 0.56, 0.73)  # contours, as shares of the highest density


@dataclass(frozen=True, slots=True)
class _Entry:
    """A color of the legend and the rows of its tracks."""

    label: str
    color: str
    rows: list[int]
    is_hollow: bool = False


def static_image(
    sound_map: SoundMap, *, title: str, color_by: str, kind: str, is_dark: bool = False
) -> bytes:
    """Return the content of an image file of a map.

    In a png, characters that Matplotlib's font lacks appear as boxes. In an svg, texts are stored
    as text.

    Parameters
    ----------
    sound_map : SoundMap
    title : str
    color_by : {"genre", "artist", "album", "folder", "sound", "cluster"}
    kind : {"png", "svg"}
    is_dark : bool
        Whether the background is dark.

    Raises
    ------
    MissingExtra
        If Matplotlib is not installed.
    """
    theme = DARK if is_dark else LIGHT
    figure = new_figure()
    figure.set_facecolor(theme.background)
    heading = textwrap.wrap(readable(title), _TITLE_WIDTH, max_lines=_TITLE_LINES, placeholder=" …")
    axes = _axes(figure, sound_map, len(heading))
    entries = _entries(sound_map.labels[color_by], color_by, theme)
    _draw_density(axes, sound_map, entries, theme)
    _draw_dots(axes, sound_map, entries, theme)
    names = _draw_names(axes, sound_map, theme, _halo(theme, kind))
    texts = [*names, *_draw_legend(axes, entries, color_by, theme)]
    left, top = _MARGIN_INCHES / _WIDTH_INCHES, 1 - _MARGIN_INCHES / figure.get_figheight()
    texts.append(
        figure.text(
            left, top, "\n".join(heading), size=16, weight="bold", va="top", color=theme.foreground
        )
    )
    for text in texts:
        text.set_parse_math(False)  # otherwise dollar signs would start formulas
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
    return Figure(dpi=_DOTS_PER_INCH)


def _axes(figure: Any, sound_map: SoundMap, n_title_lines: int) -> Any:
    """Return axes that the map fills, in a figure of a height that suits the map."""
    low, high = sound_map.positions.min(axis=0), sound_map.positions.max(axis=0)
    center, extent = (low + high) / 2, np.maximum(high - low, 0.2) + _SHADES * _blur(sound_map)
    width = _WIDTH_INCHES - _LEGEND_INCHES - 2 * _MARGIN_INCHES
    height = float(width * extent[1] / extent[0])
    height = min(_MAX_HEIGHT_INCHES, max(_MIN_HEIGHT_INCHES, height))
    scale = max(extent[0] / width, extent[1] / height)  # units per inch
    total = height + _TITLE_INCHES + _MARGIN_INCHES + (n_title_lines - 1) * _LINE_INCHES
    figure.set_size_inches(_WIDTH_INCHES, total)
    box = (_MARGIN_INCHES / _WIDTH_INCHES, _MARGIN_INCHES / total)
    axes = figure.add_axes((*box, width / _WIDTH_INCHES, height / total))
    axes.set_xlim(center[0] - scale * width / 2, center[0] + scale * width / 2)
    axes.set_ylim(center[1] - scale * height / 2, center[1] + scale * height / 2)
    axes.set_axis_off()
    return axes


def _entries(labels: list[str | None], field: str, theme: Theme) -> list[_Entry]:
    """Return the colors, with other labels and tracks without a label last."""
    colored = {label: theme.tint(color) for label, _, color in legend(labels)}
    gray = theme.tint(OTHER_COLOR)
    rows: dict[str | None, list[int]] = {label: [] for label in colored}
    others: list[int] = []
    unlabeled: list[int] = []
    for row, label in enumerate(labels):
        (rows.get(label, others) if label else unlabeled).append(row)
    return [
        *(_Entry(label, color, rows[label]) for label, color in colored.items()),
        *([_Entry(f"Other {PLURALS[field]}", gray, others)] if others else []),
        *([_Entry(f"No {field}", gray, unlabeled, True)] if unlabeled else []),
    ]


def _draw_density(axes: Any, sound_map: SoundMap, entries: list[_Entry], theme: Theme) -> None:
    """Draw soft contours of the density of the tracks, in the mean color of those around."""
    from matplotlib.colors import to_rgb

    edges = np.linspace(-_EXTENT, _EXTENT, _CELLS + 1)
    centers = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-((centers[:, np.newaxis] - centers) ** 2) / (2 * _blur(sound_map) ** 2))
    sums = np.zeros((4, _CELLS, _CELLS))  # number of tracks, and their red, green and blue
    for entry in entries:
        x, y = sound_map.positions[entry.rows].T
        counts, _, _ = np.histogram2d(y, x, bins=(edges, edges))
        sums += np.array([1.0, *to_rgb(entry.color)])[:, np.newaxis, np.newaxis] * counts
    density, *channels = kernel @ sums @ kernel
    share = np.sqrt(density / density.max())  # so that sparse parts have contours too
    steps = [np.clip((share / level - 1) / 0.2 + 0.5, 0, 1) for level in _LEVELS]
    opacity = theme.density_alpha * np.mean(steps, axis=0)
    colors = np.clip(np.array(channels) / np.maximum(density, 1e-12), 0, 1)
    picture = np.dstack([*colors, opacity])
    extent = (-_EXTENT, _EXTENT, -_EXTENT, _EXTENT)
    limits = (axes.get_xlim(), axes.get_ylim())
    axes.imshow(
        picture,
        extent=extent,
        origin="lower",
        interpolation="bilinear",
        aspect="auto",
        clip_on=False,
        zorder=0,
    )
    axes.set(xlim=limits[0], ylim=limits[1])


def _blur(sound_map: SoundMap) -> float:
    """Return the standard deviation of the blur of the density, in units of the map."""
    return min(_MAX_BLUR, max(_MIN_BLUR, 0.15 / float(len(sound_map.tracks) ** 0.2)))


def _draw_dots(axes: Any, sound_map: SoundMap, entries: list[_Entry], theme: Theme) -> None:
    """Draw the tracks: those without a label are pale, hollow and behind."""
    n_tracks = len(sound_map.tracks)
    diameter = max(_MIN_DOT_POINTS, min(_MAX_DOT_POINTS, _DOT_POINTS * n_tracks**-0.19))
    outline = theme.background if n_tracks <= _MAX_OUTLINED else "none"
    colors = {row: entry.color for entry in entries if not entry.is_hollow for row in entry.rows}
    hollow = [row for entry in entries if entry.is_hollow for row in entry.rows]
    filled = sorted(colors)  # not by color, so that no color hides the others
    axes.scatter(
        *sound_map.positions[hollow].T,
        s=(0.8 * diameter) ** 2,
        facecolors="none",
        edgecolors=theme.muted,
        alpha=0.4,
        linewidths=0.7,
    )
    axes.scatter(
        *sound_map.positions[filled].T,
        s=diameter**2,
        c=[colors[row] for row in filled],
        edgecolors=outline,
        alpha=0.9,
        linewidths=0.6,
    )


def _halo(theme: Theme, kind: str) -> dict[str, Any]:
    """Return the properties of a text that stands out from the points behind it."""
    from matplotlib.patheffects import withStroke

    if kind == "svg":  # which can't store a text with an outline as text
        box = {"facecolor": theme.background, "alpha": 0.7, "edgecolor": "none", "pad": 1.5}
        return {"bbox": box}
    return {"path_effects": [withStroke(linewidth=3, foreground=theme.background)]}


def _draw_names(axes: Any, sound_map: SoundMap, theme: Theme, halo: dict[str, Any]) -> list[Any]:
    """Draw names, the most important ones first: of regions above, of few tracks beside points."""
    largest = max((region.n_tracks for region in sound_map.regions), default=1)
    smallest_font, largest_font = _FONT_POINTS
    names = [
        (r.name, (r.x, r.y), smallest_font + (largest_font - smallest_font) * share**0.5, True)
        for r in sound_map.regions
        for share in [r.n_tracks / largest]
    ]
    if len(sound_map.tracks) <= _MAX_NAMED_TRACKS:
        places = zip(sound_map.tracks, sound_map.positions.tolist(), strict=True)
        names += [(name_of(track), (x, y), smallest_font, False) for track, (x, y) in places]
    left, right = axes.get_xlim()
    texts = []
    for name, (x, y), size, is_region in names:
        is_right = x > left + _RIGHT_SHARE * (right - left)
        beside = (-_GAP_POINTS if is_right else _GAP_POINTS, 0)
        text = axes.annotate(
            _truncated(name),
            (x, y),
            xytext=(0, _GAP_POINTS) if is_region else beside,
            textcoords="offset points",
            ha="center" if is_region else "right" if is_right else "left",
            va="bottom" if is_region else "center",
            weight="bold" if is_region else "normal",
            color=theme.foreground,
            size=size,
            **halo,
        )
        texts.append(text)
    return texts


def _draw_legend(axes: Any, entries: list[_Entry], field: str, theme: Theme) -> list[Any]:
    """Draw the legend beside the axes, and return its texts."""
    dots = [
        axes.scatter([], [], s=60, facecolors="none", edgecolors=theme.muted)
        if entry.is_hollow
        else axes.scatter([], [], s=60, color=entry.color)
        for entry in entries
    ]
    key = axes.legend(
        dots,
        ["-"] * len(dots),
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        title=field.capitalize(),
        alignment="left",
        labelcolor=theme.foreground,
        title_fontproperties={"weight": "bold"},
    )
    key.get_title().set_color(theme.foreground)
    # Matplotlib drops legend labels that begin with an underscore. So they are set afterwards.
    for text, entry in zip(key.get_texts(), entries, strict=True):
        text.set_text(_truncated(entry.label))
    return list(key.get_texts())


def _truncated(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def _image_bytes(figure: Any, names: list[Any], kind: str) -> bytes:
    """Draw a figure. A name that overlaps a more important one moves to the other side, or goes."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.draw_without_rendering()  # computes where texts are
        boxes: list[Any] = []
        for name in names:
            _move_into_axes(name, figure.dpi)
            if name.get_window_extent().count_overlaps(boxes):
                _move_to_other_side(name)
            box = name.get_window_extent()
            name.set_visible(not box.count_overlaps(boxes))
            boxes += [box] if name.get_visible() else []
        figure.savefig(content, format=kind)
    return content.getvalue()


def _move_into_axes(name: Any, dots_per_inch: float) -> None:
    """Move a name that reaches over the left or right edge of its axes."""
    box, edges = name.get_window_extent(), name.axes.bbox
    shift = max(0, edges.x0 - box.x0) + min(0, edges.x1 - box.x1)
    x, y = name.xyann
    name.xyann = (x + shift * 72 / dots_per_inch, y)


def _move_to_other_side(name: Any) -> None:
    """Move a name from above its point to below it, or from beside it to the other side."""
    x, y = name.xyann
    if y:
        name.set(va="top")
        name.xyann = (x, -y)
    else:
        is_right = name.get_ha() == "left"
        name.set(ha="right" if is_right else "left")
        name.xyann = (-_GAP_POINTS if is_right else _GAP_POINTS, y)
