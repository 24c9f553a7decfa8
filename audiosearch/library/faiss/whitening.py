"""Whitening: a transform after which the directions that all vectors share count for less."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.library.faiss.index_config import FLAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.types import Float32

# Fewer tracks say too little about how vectors spread: 300 for 128 dimensions.
_MIN_TRACKS, _MIN_TRACKS_PER_DIMENSION = 300, 300 / 128
# Vectors that a transform is fitted to: at most so many, or so many numbers (128 MiB), but a few
# for each dimension.
_MAX_SAMPLES, _MAX_SAMPLE_NUMBERS, _MIN_SAMPLES_PER_DIMENSION = 262_144, 262_144 * 128, 16
_MAX_GROWTH = 1.25  # factor between the tracks now and at the last fit

# Eigenvalues to this power; -0.5 would make all directions alike, and noise as loud as the rest.
_EIGEN_POWER = -0.35
# The covariance is shrunk towards its mean eigenvalue: by half at this many tracks, by less for
# more tracks.
_SHRINKAGE_TRACKS = 64


def min_tracks_to_whiten(dimension: int) -> int:
    """Return the smallest number of tracks whose vectors can be whitened."""
    return max(_MIN_TRACKS, math.ceil(_MIN_TRACKS_PER_DIMENSION * dimension))


def max_fitting_samples(dimension: int) -> int:
    """Return the largest number of vectors that a transform is fitted to."""
    n_samples = max(_MAX_SAMPLE_NUMBERS // dimension, _MIN_SAMPLES_PER_DIMENSION * dimension)
    return min(_MAX_SAMPLES, n_samples)


def whitened_index(
    vectors: Float32, trained_index: Callable[[Float32], Any] = FLAT.trained_index
) -> Any:
    """Return an empty FAISS index that whitens the vectors that it is given.

    The transform subtracts the mean, rotates to the principal axes, scales each axis by a power
    of its variance, and scales the result to length 1.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Vectors of unit length to fit the transform to, at least `min_tracks_to_whiten` of them.
    trained_index : callable
        Returns an empty FAISS index trained on vectors; it is called with the whitened ones.
    """
    dimension = vectors.shape[1]
    pca = faiss.PCAMatrix(dimension, dimension, _EIGEN_POWER)
    pca.train(vectors)
    share = min(0.5, _SHRINKAGE_TRACKS / len(vectors))
    mean_variance = float(faiss.vector_to_array(pca.eigenvalues).mean())
    # But for a factor, which the scaling to length 1 removes: (1 - share) C + share * mean(C) I.
    pca.epsilon = share / (1 - share) * mean_variance
    pca.prepare_Ab()
    to_unit_length = faiss.NormalizationTransform(dimension)
    inner = trained_index(to_unit_length.apply(pca.apply(np.ascontiguousarray(vectors))))
    index = faiss.IndexPreTransform(to_unit_length, inner)
    index.prepend_transform(pca)
    return index


def check_enough_tracks(n_tracks: int, dimension: int) -> None:
    """Check that there are enough tracks to whiten their vectors.

    Raises
    ------
    LibraryError
        If there are too few.
    """
    n_needed = min_tracks_to_whiten(dimension)
    if n_tracks < n_needed:
        raise LibraryError(
            f"{n_tracks} tracks are too few to whiten.",
            hint=f"Add tracks until there are {n_needed}, or search without --whiten.",
        )


def is_current(n_fitted: int, n_tracks: int) -> bool:
    """Return whether a transform that was fitted to n_fitted tracks still suits n_tracks."""
    return n_fitted / _MAX_GROWTH <= n_tracks <= n_fitted * _MAX_GROWTH


def projection_matrix(index: Any) -> Float32:
    """Return the matrix A of a whitened index: float32, shape (dimension, dimension).

    A vector x is whitened to A x + b, scaled to length 1.
    """
    pca: Any = faiss.downcast_VectorTransform(index.chain.at(0))
    matrix: Float32 = faiss.vector_to_array(pca.A).reshape(pca.d_out, pca.d_in)
    return matrix


def transformed(index: Any, vectors: Float32) -> Float32:
    """Return vectors as a whitened index compares them.

    Parameters
    ----------
    index : faiss.IndexPreTransform
    vectors : ndarray of float32, shape (n, dimension)

    Returns
    -------
    ndarray of float32, shape (n, dimension)
        Of unit length.
    """
    for number in range(index.chain.size()):
        vectors = index.chain.at(number).apply(np.ascontiguousarray(vectors))
    return vectors
