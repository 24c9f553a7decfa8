"""Colors of tracks on a map."""

from __future__ import annotations

#: Colors of Okabe and Ito, which color-blind people can tell apart, then some colors in between.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    *("#8c6d1f", "#7b5ea7", "#b0a400", "#20808d", "#a0522d", "#6b8e23"),
)
OTHER_COLOR = "#8a919e"  # color of tracks whose label is not in the legend
