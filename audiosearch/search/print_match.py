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

# Agreement of a matching part, from 0 (chance) to 1. Copies have about 0.8. Different sounds have
# at most 0.45; short ones up to 0.6, because many drum hits start alike.
_MATCHING, _MATCHING_FINE = 0.5, 0.65
_PART_WORDS = 25  # words that are averaged to one agreement
_MIN_WORDS = 10  # compared words of the same recording, at least
_MIN_WORDS_OF_PART = 80  # the same for a recording contained in a longer one: 10 s
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
        Share of the aligned spectrograms that matches, from 0 to 1. Silent and steady sounds
        don't count.
    relation : Relation or None
        None if neither file contains the other, or if too little can be compared.
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
    if len(first.fine_words) and len(second.fine_words):
        words, seconds = (first.fine_words, second.fine_words), FINE_WORD_SECONDS
        matching = _MATCHING_FINE
    else:
        words, seconds, matching = (first.words, second.words), WORD_SECONDS, _MATCHING
    first_signs, second_signs = map(signs, words)
    lag = _best_lag(first_signs, second_signs)
    start, end = max(0, -lag), min(len(second_signs), len(first_signs) - lag)
    if end - start < _MIN_WORDS:
        return _NO_MATCH
    compared = first_signs[start + lag : end + lag], second_signs[start:end]
    is_informative: list[Bool] = [np.any(part, axis=1) for part in compared]
    counts = is_informative[0] | is_informative[1]
    n_words = int(counts.sum())
    if n_words < _MIN_WORDS:
        return _NO_MATCH
    agreements = (compared[0] * compared[1]).mean(axis=1, dtype=np.float64)
    if agreements.sum() < _MIN_EVIDENCE * np.sqrt(n_words):
        return _NO_MATCH
    local = _moving_sum(agreements) / np.maximum(1.0, _moving_sum(counts.astype(np.float64)))
    score = float((local[counts] >= matching).mean())
    rests = [
        seconds * float(np.count_nonzero(every_word) - part.sum())
        for every_word, part in zip(words, is_informative, strict=True)
    ]
    n_long_words = n_words if seconds == WORD_SECONDS else 0
    return PrintMatch(score, _relation((first, second), rests, n_long_words))


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


def _relation(
    prints: tuple[SpectralPrint, SpectralPrint], rests: list[float], n_words: int
) -> Relation | None:
    """Return the relation of two aligned prints.

    Parameters
    ----------
    prints : tuple of two SpectralPrint
    rests : list of two float
        Seconds of sound of each that the other doesn't have.
    n_words : int
        Number of compared words of 0.12 s.
    """
    shorter, longer = sorted((0, 1), key=lambda side: prints[side].seconds)
    n_more_words = abs(len(prints[0].words) - len(prints[1].words))
    # A partial patch at the end of a file is not in its print.
    unprinted = min(n_more_words * WORD_SECONDS, PATCH_HOP_SECONDS)
    accepted = [min(2.0, 0.1 + 0.1 * side.seconds) for side in prints]
    difference = prints[longer].seconds - prints[shorter].seconds
    if rests[shorter] > accepted[shorter]:
        return None
    is_whole = rests[longer] <= accepted[longer] + unprinted
    if is_whole and difference <= max_length_difference(np.array(prints[longer].seconds)):
        return Relation.SAME
    return Relation.PARTIAL if n_words >= _MIN_WORDS_OF_PART else None


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
