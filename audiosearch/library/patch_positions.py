"""Ids of the patches of tracks: numbers that FAISS takes, and that tell track and patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from audiosearch.types import Int64, UInt8

_ID_BITS = 62  # of the part of a revision that counts removed patches


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Ids of the patches of all tracks, ascending.

    Attributes
    ----------
    track_ids, first_ids, counts : ndarray of int64, shape (n_tracks,)
        Id of each track, id of its first patch, and number of its patches. Their ids follow each
        other.
    next_id : int
        Smallest id that no patch has had.
    """

    track_ids: Int64
    first_ids: Int64
    counts: Int64
    next_id: int

    @property
    def total(self) -> int:
        """Number of patches."""
        return int(self.counts.sum())

    @property
    def revision(self) -> int:
        """A number that grows with every change: no id is used twice.

        Its high part is `next_id`, its low part the number of removed patches.
        """
        return self.next_id << _ID_BITS | self.next_id - self.total

    def ids(self) -> Int64:
        """Return the ids of all patches, ascending: int64, shape (n_patches,)."""
        steps = np.ones(self.total, dtype=np.int64)
        if len(steps):
            ends = np.cumsum(self.counts)[:-1]
            steps[0] = self.first_ids[0]
            steps[ends] = self.first_ids[1:] - self.first_ids[:-1] - self.counts[:-1] + 1
        return np.cumsum(steps)

    def locate(self, ids: Int64) -> tuple[Int64, Int64]:
        """Return the row of the track of each patch, and the number of the patch in the track.

        The row of a patch that was removed is -1.

        Parameters
        ----------
        ids : ndarray of int64, shape (n,)

        Returns
        -------
        rows, patches : ndarray of int64, shape (n,)
        """
        rows = np.searchsorted(self.first_ids, ids, side="right") - 1
        if not len(self.first_ids):
            return rows, ids
        patches = ids - self.first_ids[rows]
        rows[(rows >= 0) & (patches >= self.counts[rows])] = -1
        return rows, patches

    def of(self, track_ids: Int64) -> Positions:
        """Return only the positions of tracks with the given ids."""
        return self._select(np.isin(self.track_ids, track_ids))

    def split(self, first_id: int) -> tuple[Positions, Positions]:
        """Return the positions of patches with smaller ids than a track's first, and the others."""
        is_below = self.first_ids < first_id
        return self._select(is_below), self._select(~is_below)

    def _select(self, is_kept: npt.NDArray[np.bool_]) -> Positions:
        track_ids, first_ids, counts = self.track_ids, self.first_ids, self.counts
        return Positions(track_ids[is_kept], first_ids[is_kept], counts[is_kept], self.next_id)

    def bitmap(self) -> UInt8:
        """Return one bit for each id below `next_id`, the lowest first: 1 if a patch has the id.

        Returns
        -------
        ndarray of uint8, shape (ceil(next_id / 8),)
        """
        steps = np.zeros(self.next_id + 1, dtype=np.int8)
        steps[self.first_ids] += 1
        steps[self.first_ids + self.counts] -= 1
        is_set = np.cumsum(steps[:-1], dtype=np.int8, out=steps[:-1])
        return np.packbits(is_set.view(bool), bitorder="little")


def numbers_of(revision: int) -> tuple[int, int]:
    """Return the `Positions.next_id` of a revision, and the number of patches removed by then."""
    return revision >> _ID_BITS, revision & ((1 << _ID_BITS) - 1)
