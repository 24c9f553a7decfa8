"""Colors of tracks on a map."""

from __future__ import annotations

from dataclasses import dataclass

#: Colors of Okabe and Ito, which color-blind people can tell apart, then some colors in between.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    *("#8c6d1f", "#7b5ea7", "#b0a400", "#20808d", "#a0522d", "#6b8e23"),
)
OTHER_COLOR = "#8a919e"  # color of tracks whose label is not in the legend


@dataclass(frozen=True, slots=True)
class Theme:
    """Colors of a static image.

    Attributes
    ----------
    background, foreground, muted : str
    lightened : float
        Share of white that is mixed with the colors of tracks, 0 to 1.
    density_alpha : float
        Opacity of the highest contour of the tracks' density.
    """

    background: str
    foreground: str
    muted: str
    lightened: float
    density_alpha: float

    def tint(self, color: str) -> str:
        """Return a color of a track, such as "#0072b2", as it is on this background."""
        channels = (int(color[start : start + 2], 16) for start in (1, 3, 5))
        return "#" + "".join(f"{round(c + self.lightened * (255 - c)):02x}" for c in channels)


LIGHT = Theme("#ffffff", "#1b1d21", "#4a515d", 0.0, 0.3)
DARK = Theme("#0f1115", "#e8eaee", "#b4bcc8", 0.28, 0.34)
