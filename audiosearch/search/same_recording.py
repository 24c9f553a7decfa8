"""Test whether tracks are copies of the same recording.

Two tracks are the same recording if their files have the same bytes, or if their spectral prints
match (see `audiosearch.search.duplicates`, which computes the prints and keeps them in the index).
If the print of a track is unknown, its embedding and duration must agree with those of the other.
Durations must agree because a short sound and a longer one can have nearly the same embedding.
Callers compare content hashes themselves.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from audiosearch import time_limit
from audiosearch.defaults import DUPLICATE_THRESHOLD
from audiosearch.search.copy_candidates import MIN_COSINE, copy_candidates
from audiosearch.search.print_match import Relation, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.models.spectral_print import SpectralPrint
    from audiosearch.types import Bool, Float32, Float64, Int64

SAME_COSINE: Final = 0.999  # embeddings of one recording have a larger cosine
SAME_SECONDS_SHARE: Final = 0.01  # accepted difference of durations, as a share of the longer one
_N_NEIGHBORS = 30  # nearest tracks that are compared when the copies of a track are looked up


class KnownPrints:
    """Spectral prints that are kept in an index. They are read when they are first needed.

    Parameters
    ----------
    index : Index

    Attributes
    ----------
    has_prints : bool
        Whether the index keeps any.
    """

    def __init__(self, index: Index) -> None:
        self._index, self.has_prints = index, index.has_prints()
        self._prints: dict[str, SpectralPrint | None] = {}  # by hash
        self._results: dict[frozenset[str], bool | None] = {}  # by a pair of hashes

    def is_same(self, track: Track, other: Track) -> bool | None:
        """Return whether two tracks hold the same recording; None if a print is unknown."""
        if track.sound_hash and track.sound_hash == other.sound_hash:
            return True
        if not self.has_prints:
            return None
        key = frozenset((track.sound_hash, other.sound_hash))
        if key not in self._results:
            first, second = self._print(track), self._print(other)
            if first is None or second is None:
                self._results[key] = None
            else:
                match = compare(first, second)
                is_same = match.relation is Relation.SAME and match.score >= DUPLICATE_THRESHOLD
                self._results[key] = is_same
        return self._results[key]

    def _print(self, track: Track) -> SpectralPrint | None:
        sound_hash = track.sound_hash
        if sound_hash not in self._prints:
            self._prints[sound_hash] = self._index.prints([track]).get(sound_hash)
        return self._prints[sound_hash]


def same_recordings(
    track: Track,
    others: Sequence[Track],
    cosines: Float32,
    *,
    prints: KnownPrints | None = None,
) -> Int64:
    """Return the positions of the tracks that are the same recording as one track.

    Parameters
    ----------
    track : Track
    others : sequence of Track, shape (n_tracks,)
        An unknown duration agrees with any duration.
    cosines : ndarray of float32, shape (n_tracks,)
        Cosines in [-1, 1] of the track's embedding to those of the other tracks.
    prints : KnownPrints, optional
        Spectral prints that are known.

    Returns
    -------
    ndarray of int64, shape (n_same,)
        Ascending positions in ``others``.
    """
    if prints is not None and not prints.has_prints:
        prints = None
    near: Int64 = np.flatnonzero(cosines >= (SAME_COSINE if prints is None else MIN_COSINE))
    if not len(near):
        return near
    seconds = np.array([others[position].seconds for position in near.tolist()])
    is_same = _is_same_by_embedding(track.seconds, seconds, cosines[near])
    if prints is not None:
        for number in copy_candidates(track.seconds, seconds, cosines[near]).tolist():
            time_limit.check()
            by_print = prints.is_same(track, others[near[number]])
            is_same[number] = is_same[number] if by_print is None else by_print
    return near[is_same]


def known_copies(index: Index, tracks: Sequence[Track]) -> dict[int, list[Track]]:
    """Return the other tracks of an index that are copies of each track, by its id.

    They are those with the same bytes or audio, and the nearest ones that are the same recording.
    """
    ids = np.array([track.id for track in tracks], dtype=np.int64)
    if not len(ids):
        return {}
    vector_index, prints = index.vector_index(), KnownPrints(index)
    found = vector_index.search_batch(
        vector_index.vectors_of(ids), [_N_NEIGHBORS] * len(ids), [[i] for i in ids.tolist()]
    )
    min_cosine = MIN_COSINE if prints.has_prints else SAME_COSINE
    found = [(ids[cosines >= min_cosine], cosines[cosines >= min_cosine]) for ids, cosines in found]
    near = index.by_id(list({*chain.from_iterable(ids.tolist() for ids, _ in found)}))
    same_sound = index.tracks_of({track.sound_hash for track in tracks} - {""})
    copies: dict[int, list[Track]] = {}
    for track, (near_ids, cosines) in zip(tracks, found, strict=True):
        time_limit.check()
        is_known = np.array([i in near for i in near_ids.tolist()], dtype=bool)
        others = [near[i] for i in near_ids[is_known].tolist()]
        same = same_recordings(track, others, cosines[is_known], prints=prints).tolist()
        all_copies = [*same_sound.get(track.sound_hash, ()), *(others[i] for i in same)]
        copies[track.id] = [copy for copy in all_copies if copy.id != track.id]
    return copies


def _is_same_by_embedding(seconds: float, others: Float64, cosines: Float32) -> Bool:
    """Return whether embeddings and durations agree with those of one track: bool, shape (n,)."""
    is_unknown = (others <= 0) | (seconds <= 0)
    accepted = SAME_SECONDS_SHARE * np.maximum(others, seconds)
    has_same_length = is_unknown | (np.abs(others - seconds) <= accepted)
    return np.asarray((cosines > SAME_COSINE) & has_same_length, dtype=bool)
