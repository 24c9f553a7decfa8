"""Places at which the spectral print of a track is most like that of a clip.

Prints say nothing about how alike two different sounds are. But they recognize a recording that is
softer, noisy or mixed with another one, whose embeddings differ much.

References
----------
.. [1] Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from audiosearch import time_limit
from audiosearch.models.spectral_print import (
    FINE_FRAMES,
    FINE_PER_WORD,
    FINE_WORD_SECONDS,
    WORD_BITS,
    WORD_SECONDS,
    words_of,
)
from audiosearch.search.moments.clip import FRAMES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.models.spectral_print import SpectralPrint
    from audiosearch.types import Float32, Float64, Int64, UInt16

_MIN_WORDS = 10  # of a clip: fewer agree by chance
_MAX_CLIP_WORDS = 100  # that are compared: 12 s, from the middle of a clip
_BLOCK_WORDS = 1 << 20  # compared at a time

_stored: WeakKeyDictionary[Index, tuple[tuple[int, ...], PrintedTracks]] = WeakKeyDictionary()


class PrintPlace(NamedTuple):
    """A place in a track.

    Attributes
    ----------
    track_id : int
    start : float
        Start of the clip there, in seconds.
    """

    track_id: int
    start: float


@dataclass(frozen=True, slots=True, eq=False)
class PrintedTracks:
    """The spectral prints of tracks, one after the other.

    Attributes
    ----------
    words : ndarray of uint16, shape (n_words,)
        One word for each 0.12 s: see `SpectralPrint`.
    track_ids : ndarray of int64, shape (n_words,)
        Id of the track of each word.
    numbers : ndarray of int64, shape (n_words,)
        Number of each word in its track.
    """

    words: UInt16
    track_ids: Int64
    numbers: Int64

    @classmethod
    def of(cls, prints: Iterable[tuple[int, SpectralPrint]]) -> PrintedTracks:
        """Return the prints of tracks, given their ids."""
        pairs = [(track_id, value.words) for track_id, value in prints]
        counts = [len(words) for _, words in pairs]
        empty = np.empty(0, dtype=np.int64)
        return cls(
            np.concatenate([empty.astype(np.uint16), *(words for _, words in pairs)]),
            np.repeat(np.array([i for i, _ in pairs], dtype=np.int64), counts),
            np.concatenate([empty, *map(np.arange, counts)]),
        )

    def only(self, ids: Int64 | None) -> PrintedTracks:
        """Return those of some tracks; None: of all."""
        if ids is None:
            return self
        kept = np.isin(self.track_ids, ids)
        return PrintedTracks(self.words[kept], self.track_ids[kept], self.numbers[kept])

    def nearest(self, frames: Float32, n: int, *, seconds: float) -> list[PrintPlace]:
        """Return the places at which most bits agree with those of a clip, best first.

        Parameters
        ----------
        frames : ndarray of float32, shape (n_frames, 64)
            Log-mel frames of the clip.
        n : int
        seconds : float
            Length of the clip. Places in a track are at least that far apart.
        """
        skipped = max(0.0, len(frames) / FRAMES_PER_SECOND - _MAX_CLIP_WORDS * WORD_SECONDS)
        first = int(skipped / 2 / FINE_WORD_SECONDS) * FINE_FRAMES
        shares = np.zeros(len(self.words), dtype=np.float32)
        starts = np.zeros(len(self.words))
        for phase in range(FINE_PER_WORD):
            offset = first + phase * FINE_FRAMES
            agreement = self._agreement(words_of(frames[offset:])[:_MAX_CLIP_WORDS])
            is_better = agreement > shares
            shares[is_better] = agreement[is_better]
            lead = offset / FRAMES_PER_SECOND
            starts[is_better] = self.numbers[is_better] * WORD_SECONDS - lead
        return self._peaks(shares, starts, n, seconds)

    def _agreement(self, words: UInt16) -> Float32:
        """Return the share of the bits that agree with a clip's words from each word on.

        Words that say nothing don't count. It is 0 where the track ends before the clip.
        """
        shares = np.zeros(len(self.words), dtype=np.float32)
        used = np.flatnonzero(words)
        n_starts = len(self.words) - len(words) + 1
        if len(used) < _MIN_WORDS or n_starts <= 0:
            return shares
        for start in range(0, n_starts, _BLOCK_WORDS):
            time_limit.check()
            end = min(n_starts, start + _BLOCK_WORDS)
            n_different = np.zeros(end - start, dtype=np.uint16)
            for i in used.tolist():
                n_different += np.bitwise_count(self.words[start + i : end + i] ^ words[i])
            shares[start:end] = 1 - n_different / np.float32(WORD_BITS * len(used))
        is_one_track = self.track_ids[:n_starts] == self.track_ids[len(words) - 1 :]
        shares[:n_starts][~is_one_track] = 0
        return shares

    def _peaks(self, shares: Float32, starts: Float64, n: int, seconds: float) -> list[PrintPlace]:
        n_near = int(seconds / WORD_SECONDS) + 1  # words at places that overlap a better one
        candidates = np.argsort(-shares, kind="stable")[: n * n_near]
        places: list[PrintPlace] = []
        by_track: dict[int, list[float]] = {}
        for i in candidates[shares[candidates] > 0].tolist():
            place = PrintPlace(int(self.track_ids[i]), max(0.0, float(starts[i])))
            others = by_track.setdefault(place.track_id, [])
            if all(abs(place.start - other) >= seconds for other in others):
                others.append(place.start)
                places.append(place)
                if len(places) == n:
                    break
        return places


def printed_tracks(index: Index) -> PrintedTracks:
    """Return the stored prints of the tracks of an index. They are kept until it changes."""
    token = (*index.version_token(), *index.moments.totals())  # prints are stored with moments
    if index not in _stored or _stored[index][0] != token:
        rows = index.fields(("id", "audio_hash", "content_hash"))
        hashes = {track_id: audio or content for track_id, audio, content in rows}
        prints = index.prints_of(hashes.values())
        found = ((i, prints[digest]) for i, digest in hashes.items() if digest in prints)
        _stored[index] = token, PrintedTracks.of(found)
    return _stored[index][1]
