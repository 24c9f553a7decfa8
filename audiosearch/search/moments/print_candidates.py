"""Places at which the prints of a track's patches are most like a clip.

Prints say nothing about how alike two different sounds are. But they recognize a recording that is
softer, noisy or mixed with another one, whose embeddings differ much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from audiosearch import time_limit
from audiosearch.models.patch_print import (
    PATCH_WORDS,
    WORD_FRAMES,
    WORD_SECONDS,
    changes,
    words_of,
)
from audiosearch.models.spectral_print import WORD_BITS
from audiosearch.search.moments.clip import FRAMES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.types import Bool, Float32, Float64, Int64, UInt16

_MIN_WORDS = 20  # of a clip: fewer agree by chance
_MAX_CLIP_WORDS = 200  # that are compared: 12 s, from the middle of a clip
_OFFSET_FRAMES = (0, WORD_FRAMES // 2)  # at which a clip is cut into words
_BLOCK_WORDS = 1 << 16  # compared at a time: they stay in the processor's cache
_N_RANKED = 20_000  # starts, for each offset, whose bits are weighed
_MIN_CHANGE = 0.03  # root mean square of the changes of a word; less is a steady sound

_AFTER_ALL = np.zeros(PATCH_WORDS, dtype=np.uint16)  # a clip at the end of the last track needs it

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
    """The prints of the patches of tracks, one after the other.

    Attributes
    ----------
    words : ndarray of uint16, shape (n_words + 16,)
        One word for each 0.06 s: see `audiosearch.models.patch_print`. The last 16 belong to no
        track.
    track_ids : ndarray of int64, shape (n_tracks,)
    ends : ndarray of int64, shape (n_tracks,)
        Number of the words of each track and of those before it.
    """

    words: UInt16
    track_ids: Int64
    ends: Int64

    @classmethod
    def of(cls, prints: Iterable[tuple[int, UInt16]]) -> PrintedTracks:
        """Return the prints of tracks, given their ids and the prints of their patches."""
        pairs = [(track_id, words.ravel()) for track_id, words in prints]
        return cls(
            np.concatenate([*(words for _, words in pairs), _AFTER_ALL]),
            np.array([track_id for track_id, _ in pairs], dtype=np.int64),
            np.cumsum([len(words) for _, words in pairs], dtype=np.int64),
        )

    def only(self, ids: Int64 | None) -> PrintedTracks:
        """Return those of some tracks; None: of all."""
        if ids is None:
            return self
        counts, is_kept = np.diff(self.ends, prepend=0), np.isin(self.track_ids, ids)
        words = self.words[: -len(_AFTER_ALL)][np.repeat(is_kept, counts)]
        return PrintedTracks(
            np.concatenate([words, _AFTER_ALL]), self.track_ids[is_kept], np.cumsum(counts[is_kept])
        )

    def nearest(self, frames: Float32, n: int, *, seconds: float) -> list[PrintPlace]:
        """Return the places whose bits agree most with those of a clip, best first.

        All starts are ranked by the number of bits that agree. For the first ones, each bit has a
        weight: the square root of the change that it stands for in the clip.

        Parameters
        ----------
        frames : ndarray of float32, shape (n_frames, 64)
            Log-mel frames of the clip.
        n : int
        seconds : float
            Length of the clip. Places in a track are at least that far apart.
        """
        skipped = max(0.0, len(frames) / FRAMES_PER_SECOND - _MAX_CLIP_WORDS * WORD_SECONDS)
        first = int(skipped / 2 / WORD_SECONDS) * WORD_FRAMES
        found: list[tuple[Float32, Int64, Float64]] = []
        for offset in _OFFSET_FRAMES:
            values = changes(frames[first + offset :])[:_MAX_CLIP_WORDS]
            words = self._nearest_words(values)
            rows = np.searchsorted(self.ends, words, side="right")
            numbers = words - np.concatenate([[0], self.ends])[rows]
            starts = numbers * WORD_SECONDS - (first + offset) / FRAMES_PER_SECOND
            found.append((self._scores(words, values), self.track_ids[rows], starts))
        scores, track_ids, starts = map(np.concatenate, zip(*found, strict=True))
        order = np.argsort(-scores, kind="stable")
        return _apart(track_ids[order], starts[order], n, seconds=seconds)

    def _nearest_words(self, values: Float32) -> Int64:
        """Return the positions of the words from which on most bits agree with those of a clip."""
        words = words_of(values)
        used = np.flatnonzero(np.sqrt((values**2).mean(axis=1)) >= _MIN_CHANGE)
        n_starts = len(self.words) - len(words) + 1
        if len(used) < _MIN_WORDS or n_starts <= 0:
            return np.empty(0, dtype=np.int64)
        n_different = np.zeros(n_starts, dtype=np.uint16)
        for start in range(0, n_starts, _BLOCK_WORDS):
            time_limit.check()
            block = n_different[start : start + _BLOCK_WORDS]
            end = start + len(block)
            for i in used.tolist():
                block += np.bitwise_count(self.words[start + i : end + i] ^ words[i])
        n_different[~self._fits(len(words))] = len(words) * WORD_BITS + 1
        if n_starts > _N_RANKED:
            nearest = np.argpartition(n_different, _N_RANKED)[:_N_RANKED]
        else:
            nearest = np.arange(n_starts)
        return np.asarray(nearest[n_different[nearest] <= len(words) * WORD_BITS], dtype=np.int64)

    def _fits(self, n_words: int) -> Bool:
        """Return whether a clip that starts at each word lies in one track: shape (n_starts,).

        It may end up to a patch later, because the end of a file that fills no patch has no print.
        """
        n_inside = n_words - min(PATCH_WORDS, n_words // 4)
        counts = np.diff(self.ends, prepend=0)
        is_start = np.ones(len(self.words), dtype=bool)
        for end, count in zip(self.ends.tolist(), counts.tolist(), strict=True):
            is_start[max(end - count, end - n_inside + 1) : end] = False
        return is_start[: len(self.words) - n_words + 1]

    def _scores(self, first: Int64, values: Float32) -> Float32:
        """Return the sum of the weights of the bits that agree, less that of the others."""
        weights = np.sign(values) * np.sqrt(np.abs(values))
        high, low = weights[:, : WORD_BITS // 2], weights[:, WORD_BITS // 2 :]
        scores = np.zeros(len(first), dtype=np.float32)
        for i in range(len(values)):
            words = self.words[first + i]
            scores += (_SIGNS @ high[i])[words >> 8] + (_SIGNS @ low[i])[words & 255]
        return scores


def _apart(track_ids: Int64, starts: Float64, n: int, *, seconds: float) -> list[PrintPlace]:
    """Return the first n of some places, of which no two in a track are nearer than a time."""
    places: list[PrintPlace] = []
    by_track: dict[int, list[float]] = {}
    for track_id, start in zip(track_ids.tolist(), starts.tolist(), strict=True):
        others = by_track.setdefault(track_id, [])
        if all(abs(start - other) >= seconds for other in others):
            others.append(start)
            places.append(PrintPlace(track_id, max(0.0, start)))
            if len(places) == n:
                break
    return places


#: The signs of the bits of each byte, highest bit first: shape (256, 8).
_SIGNS = (2 * np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(-1, 8).astype(np.float32)) - 1


def printed_tracks(index: Index) -> PrintedTracks:
    """Return the prints of the tracks of an index. They are kept until it changes."""
    token = (*index.version_token(), *index.moments.totals())
    if index not in _stored or _stored[index][0] != token:
        _stored[index] = token, PrintedTracks.of(index.moments.prints())
    return _stored[index][1]
