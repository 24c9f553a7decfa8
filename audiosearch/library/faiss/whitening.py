"""Whitening: a transform that reduces the directions that all vectors share.

Fitted to a library, it spreads out vectors that are close to each other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.counting import counted
from audiosearch.errors import LibraryError
from audiosearch.library.faiss.index_config import FLAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.types import Float32

# With fewer tracks, the covariance of the vectors is too uncertain. For 128 dimensions: 300.
_MIN_TRACKS, _MIN_TRACKS_PER_DIMENSION = 300, 300 / 128
# The transform is fitted to a sample: at most _MAX_SAMPLES vectors, and at most _MAX_SAMPLE_NUMBERS
# numbers (128 MiB). But it has at least _MIN_SAMPLES_PER_DIMENSION vectors for each dimension.
_MAX_SAMPLES, _MAX_SAMPLE_NUMBERS, _MIN_SAMPLES_PER_DIMENSION = 262_144, 262_144 * 128, 16
_MAX_GROWTH = 1.25  # fitted again if the number of tracks has changed by more than this factor

# Each axis is scaled by its eigenvalue to this power. -0.5 would give all axes the same variance,
# and so amplify noise.
_EIGEN_POWER = -0.35
# The covariance is shrunk towards its mean eigenvalue: by this number divided by the number of
# tracks, at most by half.
_SHRINKAGE_TRACKS = 64


def min_tracks_to_whiten(dimension: int) -> int:
    """Return the smallest number of tracks whose vectors can be whitened."""
    return max(_MIN_TRACKS, math.ceil(_MIN_TRACKS_PER_DIMENSION * dimension))


def max_fitting_samples(dimension: int) -> int:
    """Return the largest number of vectors that the whitening is fitted to."""
    n_samples = max(_MAX_SAMPLE_NUMBERS // dimension, _MIN_SAMPLES_PER_DIMENSION * dimension)
    return min(_MAX_SAMPLES, n_samples)


def whitened_index(
    vectors: Float32, trained_index: Callable[[Float32], Any] = FLAT.trained_index
) -> Any:
    """Return an empty FAISS index that whitens the vectors that are added or searched.

    The transform subtracts the mean, rotates to the principal axes, scales each axis by a power
    of its variance, and scales the result to length 1.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
        Vectors of unit length to fit the transform to, at least `min_tracks_to_whiten` of them.
    trained_index : callable
        Function that returns an empty FAISS index trained on vectors. It is called with the
        whitened vectors.
    """
    dimension = vectors.shape[1]
    pca = faiss.PCAMatrix(dimension, dimension, _EIGEN_POWER)
    pca.train(vectors)
    share = min(0.5, _SHRINKAGE_TRACKS / len(vectors))
    mean_variance = float(faiss.vector_to_array(pca.eigenvalues).mean())
    # The shrunk covariance is (1 - share) C + share * mean(C) I, up to a factor. The scaling to
    # length 1 removes the factor.
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
        If there are too few tracks.
    """
    n_needed = min_tracks_to_whiten(dimension)
    if n_tracks < n_needed:
        raise LibraryError(
            f"{counted(n_tracks, 'track is', 'tracks are')} too few to whiten.",
            hint=f"Add tracks until there are {n_needed}, or search without --whiten.",
        )


def is_current(n_fitted: int, n_tracks: int) -> bool:
    """Return whether whitening that was fitted to n_fitted tracks can be used for n_tracks."""
    return n_fitted / _MAX_GROWTH <= n_tracks <= n_fitted * _MAX_GROWTH


def projection_matrix(index: Any) -> Float32:
    """Return the matrix A of a whitened index: float32, shape (dimension, dimension).

    A vector x is whitened to A x + b, scaled to length 1.
    """
    pca: Any = faiss.downcast_VectorTransform(index.chain.at(0))
    matrix: Float32 = faiss.vector_to_array(pca.A).reshape(pca.d_out, pca.d_in)
    return matrix


def transformed(index: Any, vectors: Float32) -> Float32:
    """Whiten vectors with the transform of a whitened index.

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
