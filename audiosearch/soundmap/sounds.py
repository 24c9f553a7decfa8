"""Sounds that are heard in tracks, as labels on a map."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.soundmap.palette import PALETTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from audiosearch.library.index import Track
    from audiosearch.types import Float64, Int64

_RARE_SHARE = 0.01  # sounds in a smaller share of the tracks are hardly more characteristic


def strengths_of(track: Track) -> dict[str, float]:
    """Return how strongly each sound is heard in a track, in [0, 1].

    It is the mean of the sound's highest score and its mean score, so that a sound that is heard
    throughout counts more than one that is heard for a moment.
    """
    return {sound.name: (sound.score + sound.mean) / 2 for sound in track.sounds if sound.score > 0}


def sums_of(weights: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the sum of the weights of each label."""
    sums: dict[str, float] = defaultdict(float)
    for row in weights:
        for label, weight in row.items():
            sums[label] += weight
    return sums


def characteristic_sounds(tracks: Sequence[Track]) -> list[str | None]:
    """Return each track's most characteristic sound; None if no sound is heard in it.

    It is strong in the track and rare in the others: its strength times the logarithm of its
    inverse frequency is the highest. If tracks have more such sounds than the map has colors, the
    sound is one of those that together characterize the tracks best, if any of these is heard in
    the track: "Animal" for many animals in place of a color for each of the most frequent ones.

    Parameters
    ----------
    tracks : sequence of Track

    References
    ----------
    .. [1] Sparck Jones, "A statistical interpretation of term specificity and its application in
       retrieval", Journal of Documentation, 1972: inverse document frequency.
    """
    strengths = [strengths_of(track) for track in tracks]
    heard = [name for sounds in strengths for name in sounds]
    names = list(dict.fromkeys(heard))
    if not names:
        return [None] * len(tracks)
    numbers = {name: number for number, name in enumerate(names)}
    columns = np.array([numbers[name] for name in heard])
    rows = np.repeat(np.arange(len(tracks)), [len(sounds) for sounds in strengths])
    values = np.array([strength for sounds in strengths for strength in sounds.values()])
    smoothing = _RARE_SHARE * len(tracks)
    counts = np.bincount(columns)
    scores = values * np.log((len(tracks) + smoothing) / (counts + smoothing))[columns]
    is_in_group = np.isin(columns, _groups(rows, columns, scores, n_tracks=len(tracks)))
    best_first = np.lexsort((-scores, ~is_in_group, rows))
    labels: list[str | None] = [None] * len(tracks)
    for row, first in zip(*np.unique(rows[best_first], return_index=True), strict=True):
        labels[row] = names[columns[best_first[first]]]
    return labels


def _groups(rows: Int64, columns: Int64, scores: Float64, *, n_tracks: int) -> list[int]:
    """Return sounds, as many as the map has colors, whose best scores have a high sum.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (n,)
        Numbers of a track and of a sound that is heard in it.
    scores : ndarray of float64, shape (n,)
        Score of this sound in this track, at least 0.

    References
    ----------
    .. [1] Nemhauser, Wolsey and Fisher, "An analysis of approximations for maximizing submodular
       set functions", 1978: choosing one at a time reaches 63 % of the highest sum or more.
    """
    groups = []
    best = np.zeros(n_tracks)
    for _ in PALETTE:
        gains = np.bincount(columns, np.maximum(scores - best[rows], 0))
        group = int(gains.argmax())
        if gains[group] <= 0:
            break
        groups.append(group)
        is_group = columns == group
        best[rows[is_group]] = np.maximum(best[rows[is_group]], scores[is_group])
    return groups
