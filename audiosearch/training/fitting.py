"""Fitting the projection on the corpus: each clip once as it is and once with another timbre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.training.augment import change_timbre
from audiosearch.training.corpus import pad_to_patch
from audiosearch.training.projection import N_VALUES, Projection, fit, patch_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.training.corpus import Corpus
    from audiosearch.types import Float32, Float64, Int64


def fit_on_corpus(student: Any, corpus: Corpus) -> Projection:
    """Fit the projection on a corpus.

    Each kind of sound has the same weight, and so does each class of a kind.

    Parameters
    ----------
    student : keras.Model
    corpus : Corpus
    """
    import tensorflow as tf

    shape = tf.TensorSpec((None, PATCH_FRAMES, N_BANDS), tf.float32)
    values_of = tf.function(lambda patches: patch_values(student, patches), input_signature=[shape])
    random = np.random.default_rng(0)
    values = np.empty((2 * len(corpus.clips), N_VALUES), dtype=np.float32)
    for row, clip in enumerate(corpus.clips):
        waveform = corpus.waveform(clip)
        for copy, version in enumerate((waveform, change_timbre(waveform, random))):
            values[2 * row + copy] = mean_values(values_of, version)
    labels, weights = _classes(corpus)
    return fit(values, np.repeat(labels, 2), np.repeat(weights, 2))


def mean_values(values_of: Callable[[Float32], Any], waveform: Float32) -> Float32:
    """Return the mean of a waveform's values over its patches.

    Parameters
    ----------
    values_of : callable
        Turns patches, float32, shape (n_patches, 96, 64), into a tensor of values, shape
        (n_patches, 318).
    waveform : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1] at 16 kHz.

    Returns
    -------
    ndarray of float32, shape (318,)
    """
    values = values_of(log_mel_patches(pad_to_patch(waveform))).numpy()
    return np.asarray(values.mean(axis=0, dtype=np.float64), dtype=np.float32)


def _classes(corpus: Corpus) -> tuple[Int64, Float64]:
    """Return each clip's class as a number, and its weight."""
    _, labels, sizes = np.unique(
        [clip.label for clip in corpus.clips], return_inverse=True, return_counts=True
    )
    weights = 1.0 / sizes[labels]
    kinds = np.array([clip.kind.value for clip in corpus.clips])
    for kind in np.unique(kinds):
        weights[kinds == kind] /= weights[kinds == kind].sum()
    return labels, weights
