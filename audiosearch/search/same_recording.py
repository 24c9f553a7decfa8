"""Test whether tracks are copies of the same recording.

Two tracks are the same recording if their files have the same bytes, or if their embeddings and
durations agree. Durations must agree because a short sound and a longer one can have nearly the
same embedding. Callers compare content hashes themselves. This module compares embeddings and
durations.

The accepted difference of durations depends on the caller. Playlists and `evaluate` accept 1 %: for
them, an overlooked copy is as bad as a wrong match. `duplicates` lists files that a person may
delete, so it accepts 2 seconds for any duration. Encoders add or cut about that much silence, but
1 % of a long recording can be a different edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.types import Bool, Float32, Float64, Int64

SAME_COSINE: Final = 0.999  # embeddings of one recording have a larger cosine
SAME_SECONDS_SHARE: Final = 0.01  # accepted difference of durations, as a share of the longer one
SAME_SECONDS: Final = 2.0  # accepted difference of durations for `duplicates`


def same_recordings(
    cosines: Float32,
    seconds: float,
    other_seconds: Sequence[float] | Float64,
    *,
    max_difference: float | None = None,
) -> Int64:
    """Return the positions of the tracks that are the same recording as one track.

    Parameters
    ----------
    cosines : ndarray of float32, shape (n_tracks,)
        Cosines in [-1, 1] of the track's embedding to the embeddings of the other tracks.
    seconds : float
        Duration of the track; 0 if it is unknown. An unknown duration agrees with any duration.
    other_seconds : sequence of float, shape (n_tracks,)
        Durations of the other tracks; 0 if unknown.
    max_difference : float, optional
        Largest accepted difference of two durations, in seconds. Default: 1 % of the longer.

    Returns
    -------
    ndarray of int64, shape (n_same,)
        Ascending positions in ``cosines``.

    Examples
    --------
    >>> import numpy as np
    >>> cosines = np.array([1.0, 0.9995, 0.9], dtype=np.float32)
    >>> same_recordings(cosines, 200.0, [230.0, 201.0, 200.0]).tolist()
    [1]
    """
    positions: Int64 = np.flatnonzero(cosines > SAME_COSINE)
    if not len(positions):
        return positions
    others = np.asarray(other_seconds)[positions]
    is_unknown = (others <= 0) | (seconds <= 0)
    accepted = SAME_SECONDS_SHARE * np.maximum(others, seconds)
    if max_difference is not None:
        accepted = np.full(len(others), max_difference)
    is_same: Bool = is_unknown | (np.abs(others - seconds) <= accepted)
    return positions[is_same]
