"""Compare the spectral prints of two files, aligned in time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.models.spectral_print import (
    FINE_WORD_SECONDS,
    WORD_SECONDS,
    SpectralPrint,
    signs,
)

if TYPE_CHECKING:
    from audiosearch.types import Bool, Float32, Float64

# Agreement of a matching part, from 0 (chance) to 1. Lossy copies have about 0.85, the same music
# with another voice about 0.5, different music at most 0.4. Short sounds need more: two sirens or
# drum hits can be that much alike.
_MATCHING, _MATCHING_FINE = 0.6, 0.8
_PART_WORDS = 25  # words that are averaged to one agreement
_MIN_WORDS = 10  # compared words of the same recording, at least
_MIN_WORDS_OF_PART = 80  # the same for a part of a longer recording: 10 s
_MAX_PARTS = 4
_MIN_EVIDENCE = 2.75  # agreement times the square root of the words; 0.5 by chance
_MAX_LENGTH_DIFFERENCE = 5.0  # seconds of silence that copies may differ by
_LONG_WORDS = 512  # prints longer than this are aligned by every fourth bit, which is faster


class Relation(str, Enum):
    """Relation of two files that hold the same recording."""

    SAME = "same"  # both hold all of it
    PARTIAL = "partial"  # one holds a part of the other


@dataclass(frozen=True, slots=True)
class PrintMatch:
    """Result of comparing two spectral prints.

    Attributes
    ----------
    score : float
        Share of the aligned spectrograms that matches, from 0 to 1: of the shorter file, if it
        is a part of the other. Silent and steady sounds don't count.
    relation : Relation or None
        None if too little can be compared, or if it agrees no more than by chance.
    """

    score: float
    relation: Relation | None


_NO_MATCH = PrintMatch(0.0, None)


def compare(first: SpectralPrint, second: SpectralPrint) -> PrintMatch:
    """Align two spectral prints and compare them.

    See Also
    --------
    PrintMatch
    """
    shorter, longer = sorted((first, second), key=lambda side: side.seconds)
    if len(shorter.fine_words) and len(longer.fine_words):
        words, matching = (shorter.fine_words, longer.fine_words), _MATCHING_FINE
        word_seconds = FINE_WORD_SECONDS
    else:
        words, matching = (shorter.words, longer.words), _MATCHING
        word_seconds = WORD_SECONDS
    shorter_signs, longer_signs = map(signs, words)
    alignment = _align(shorter_signs, longer_signs, matching)
    if alignment is None:
        return _NO_MATCH
    rest_seconds = word_seconds * alignment.n_other_words
    if _is_whole(shorter, longer, rest_seconds):
        return PrintMatch(alignment.share, Relation.SAME)
    if matching == _MATCHING and np.count_nonzero(words[0]) >= _MIN_WORDS_OF_PART:
        return PrintMatch(_share_in_parts(shorter_signs, longer_signs), Relation.PARTIAL)
    return _NO_MATCH


def max_length_difference(seconds: Float64) -> Float64:
    """Return the seconds by which copies may differ in length, given the longer length.

    Parameters
    ----------
    seconds : ndarray of float64, shape (n,)

    Examples
    --------
    >>> max_length_difference(np.array([1.0, 20.0, 300.0])).tolist()
    [0.25, 1.0, 5.0]
    """
    return np.clip(0.05 * seconds, 0.25, _MAX_LENGTH_DIFFERENCE)


def _is_whole(shorter: SpectralPrint, longer: SpectralPrint, rest_seconds: float) -> bool:
    """Return whether the shorter file holds all of the longer one.

    Parameters
    ----------
    shorter, longer : SpectralPrint
    rest_seconds : float
        Length of the sound of the longer file beyond the shorter one.
    """
    # A partial patch at the end of a file is not in its print.
    n_more_words = max(0, len(longer.words) - len(shorter.words))
    unprinted_seconds = min(n_more_words * WORD_SECONDS, PATCH_HOP_SECONDS)
    accepted_seconds = min(2.0, 0.1 + 0.1 * longer.seconds) + unprinted_seconds
    has_same_length = longer.seconds - shorter.seconds <= max_length_difference(
        np.array(longer.seconds)
    )
    return bool(has_same_length and rest_seconds <= accepted_seconds)


@dataclass(frozen=True, slots=True, eq=False)
class _Alignment:
    """Comparison of a print with the best aligned part of a longer one.

    Attributes
    ----------
    is_matching : ndarray of bool, shape (n_words,)
        Whether each word of the shorter print and those around it match.
    share : float
        Share of its words that match. Words of silent and steady sounds don't count.
    n_other_words : int
        Words of the longer print beyond the shorter one.
    """

    is_matching: Bool
    share: float
    n_other_words: int


def _align(shorter: Float32, longer: Float32, matching: float) -> _Alignment | None:
    """Align two prints, given as signs. Return None if they agree no more than by chance."""
    lag = _best_lag(longer, shorter)
    start, end = max(0, -lag), min(len(shorter), len(longer) - lag)
    aligned = np.zeros_like(shorter)
    if start < end:
        aligned[start:end] = longer[start + lag : end + lag]
    counts = np.any(shorter, axis=1) | np.any(aligned, axis=1)
    n_words = int(counts.sum())
    agreements = (shorter * aligned).mean(axis=1, dtype=np.float64)
    if n_words < _MIN_WORDS or agreements.sum() < _MIN_EVIDENCE * np.sqrt(n_words):
        return None
    local = _moving_sum(agreements) / np.maximum(1.0, _moving_sum(counts.astype(np.float64)))
    is_matching = np.asarray(counts & (local >= matching), dtype=bool)
    n_other_words = int(np.any(longer, axis=1).sum() - np.any(aligned, axis=1).sum())
    return _Alignment(is_matching, float(is_matching.sum()) / n_words, n_other_words)


def _share_in_parts(shorter: Float32, longer: Float32) -> float:
    """Return the share of a print that matches a longer one in up to `_MAX_PARTS` parts.

    An edit leaves out parts in the middle. So its parts are aligned one after another.
    """
    is_left = np.any(shorter, axis=1)
    n_words = int(is_left.sum())
    for _ in range(_MAX_PARTS):
        alignment = _align(shorter * is_left[:, np.newaxis], longer, _MATCHING)
        if alignment is None:
            break
        is_part = is_left & alignment.is_matching
        if is_part.sum() < _MIN_WORDS_OF_PART:
            break
        is_left &= ~is_part
    return 1.0 - float(is_left.sum()) / n_words


def _best_lag(first: Float32, second: Float32) -> int:
    """Return the number of words by which the second print must be delayed to match the first.

    Parameters
    ----------
    first, second : ndarray of float32, shape (n_words, 16)
    """
    step = 4 if max(len(first), len(second)) > _LONG_WORDS else 1
    n_lags = 1 << (len(first) + len(second)).bit_length()
    spectra = [np.fft.rfft(values[:, ::step], n_lags, axis=0) for values in (first, second)]
    products = np.fft.irfft((spectra[0] * spectra[1].conj()).sum(axis=1), n_lags)
    lag = int(np.argmax(products))
    return lag if lag < len(first) else lag - n_lags


def _moving_sum(values: Float64) -> Float64:
    """Return for each value the sum of the `_PART_WORDS` values around it."""
    if len(values) <= _PART_WORDS:
        return np.full(len(values), values.sum())
    around = _PART_WORDS // 2
    totals = np.pad(np.cumsum(np.pad(values, (1, 0))), (around, around), mode="edge")
    return totals[_PART_WORDS:] - totals[:-_PART_WORDS]
