"""Labels that tracks of a map are colored by, and the colors of the most frequent ones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from audiosearch.soundmap.labels import FIELDS
from audiosearch.soundmap.palette import PALETTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.soundmap.layout import SoundMap

_MIN_TOLD_APART = 0.3  # share of the pairs of tracks, see `told_apart`


def ranked(labels: Iterable[str | None]) -> list[tuple[str, int]]:
    """Return the different labels, the most frequent first, each with its number of tracks."""
    counts = Counter(filter(None, labels))
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def legend(labels: list[str | None]) -> list[tuple[str, int, str]]:
    """Return the most frequent labels, each with its number of tracks and its color."""
    return [(*entry, color) for entry, color in zip(ranked(labels), PALETTE, strict=False)]


def told_apart(labels: list[str | None]) -> float:
    """Return the share of all pairs of tracks that have two different colors of the legend.

    It is high if most tracks have a label that is in the legend, and many labels are frequent.

    Examples
    --------
    >>> told_apart(["pop", "pop", "jazz", None])  # 2 of 6 pairs
    0.3333333333333333
    """
    counts = [count for _, count, _ in legend(labels)]
    n_pairs = len(labels) * (len(labels) - 1)
    return (sum(counts) ** 2 - sum(count**2 for count in counts)) / max(1, n_pairs)


def default_color_field(sound_map: SoundMap) -> str:
    """Return the default field to color by.

    It is the first of genre, artist, album, folder and sound by whose colors at least 30 % of all
    pairs of tracks can be told apart: see `told_apart`. If there is no such field, it is the one,
    clusters included, that tells the most pairs apart.
    """
    shares = {
        field: told_apart(sound_map.labels[field])
        for field in (*FIELDS, "cluster")
        if any(sound_map.labels[field])
    }
    telling = (field for field, share in shares.items() if share >= _MIN_TOLD_APART)
    return next(telling, max(shares, key=shares.__getitem__))
