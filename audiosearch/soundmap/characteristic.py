"""Labels that are characteristic of some tracks of a library, to name clusters with."""

from __future__ import annotations

import math
from collections import Counter
from itertools import count

from audiosearch.library.track import fold
from audiosearch.soundmap.sounds import sums_of

# A label can name a cluster only if at least this number and this share of its tracks have it.
_MIN_TRACKS, _MIN_SHARE = 3, 0.1
_MAX_LIBRARY_SHARE = 2 / 3  # a label that more of all tracks have tells little, such as "Music"
_MIN_COMMON_SHARE = 0.5  # of a label that is not characteristic
_MIN_GAIN = 1e-9  # smaller gains are rounding errors


class CharacteristicLabels:
    """Weighted labels of all tracks.

    Parameters
    ----------
    weights : list of dict
        Weight in [0, 1] of each label of a track.
    near_best : float
        Share of the highest gain, see `most_characteristic`, from which on rarer labels win.
    """

    def __init__(self, weights: list[dict[str, float]], *, near_best: float = 1.0) -> None:
        self._weights = weights
        self._near_best = near_best
        self._totals = sums_of(weights)
        self._n_tracks = Counter(label for track_weights in weights for label in track_weights)

    def most_common(self, rows: list[int]) -> str | None:
        """Return the strongest label of some tracks, if at least half of them have it."""
        weights = [self._weights[row] for row in rows]
        sums = sums_of(weights)
        best = max(sorted(sums), key=sums.__getitem__, default=None)
        n_labeled = sum(best in track_weights for track_weights in weights)
        return best if n_labeled >= max(_MIN_TRACKS, _MIN_COMMON_SHARE * len(rows)) else None

    def gains(self, rows: list[int], *, min_share: float = _MIN_SHARE) -> dict[str, float]:
        """Return how characteristic the labels of some tracks are for them.

        The gain of a label is what it adds to the Kullback-Leibler divergence of the labels of
        these tracks from those in the whole library. Rare labels are left out, and so are those
        that more than two thirds of the library have.

        Parameters
        ----------
        rows : list of int
            Rows of the tracks.
        min_share : float
            Share of these tracks that have the label, at least. At least 3 tracks have it.
        """
        weights = [self._weights[row] for row in rows]
        counts = Counter(label for track_weights in weights for label in track_weights)
        min_count = max(_MIN_TRACKS, min_share * len(rows))
        return {
            label: weight
            * math.log(weight * len(self._weights) / (self._totals[label] * len(rows)))
            for label, weight in sums_of(weights).items()
            if counts[label] >= min_count
            and self._n_tracks[label] <= _MAX_LIBRARY_SHARE * len(self._weights)
        }

    def most_characteristic(self, rows: list[int], used: set[str]) -> str | None:
        """Return the most characteristic label of some tracks; None if there is none.

        Its gain, see `gains`, is the highest; or nearly, and it is rarer in the library.

        Parameters
        ----------
        rows : list of int
            Rows of the tracks.
        used : set of str
            Labels to leave out, folded.
        """
        gains = {label: gain for label, gain in self.gains(rows).items() if fold(label) not in used}
        min_gain = max(_MIN_GAIN, self._near_best * max(gains.values(), default=0.0))
        best = [label for label, gain in gains.items() if gain >= min_gain]
        return min(best, key=lambda label: (self._totals[label], label), default=None)


def numbered(name: str | None, used: set[str]) -> str | None:
    """Append the first free number to a name that is used.

    Parameters
    ----------
    name : str or None
        None is returned as it is.
    used : set of str
        Used names, folded.
    """
    if name is None or fold(name) not in used:
        return name
    return next(text for n in count(2) if fold(text := f"{name} {n}") not in used)
