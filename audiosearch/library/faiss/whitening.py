"""A space in which a library's vectors crowd less: directions they share weigh less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.errors import LibraryError
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.types import Float32

#: Fewer tracks say too little of how vectors spread.
LEAST_TRACKS = 300

_GROWTH = 1.25  # a space is fitted anew to so many times the tracks

# Eigenvalues to this power; -0.5 would make all directions alike, and noise as loud as the rest.
_EIGEN_POWER = -0.35
# The covariance is shrunk towards its mean eigenvalue, the more the fewer the tracks: by half
# at as many as this.
_SHRINKAGE_TRACKS = 64


def whitened_index(vectors: Float32, trained: Callable[[Float32], Any]) -> Any:
    """Return an empty FAISS index with ids, whose transform was fitted on vectors.

    It subtracts the mean, turns to the principal axes, scales each by a power of its variance,
    and scales to length 1.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, 128)
        At least `LEAST_TRACKS`.
    trained : callable
        Returns an empty index, trained on vectors as they are compared.
    """
    pca = faiss.PCAMatrix(EMBEDDING_SIZE, EMBEDDING_SIZE, _EIGEN_POWER)
    pca.train(vectors)
    share = min(0.5, _SHRINKAGE_TRACKS / len(vectors))
    mean_variance = float(faiss.vector_to_array(pca.eigenvalues).mean())
    # Up to a factor, which the length takes away, this is (1 - share) C + share * mean(C) I.
    pca.epsilon = share / (1 - share) * mean_variance
    pca.prepare_Ab()
    to_unit_length = faiss.NormalizationTransform(EMBEDDING_SIZE)
    inner = trained(to_unit_length.apply(pca.apply(np.ascontiguousarray(vectors))))
    index = faiss.IndexPreTransform(to_unit_length, inner)
    index.prepend_transform(pca)
    return index


def check_enough(n_tracks: int) -> None:
    """Check that a space can be fitted to so many tracks.

    Raises
    ------
    LibraryError
        Where there are too few.
    """
    if n_tracks < LEAST_TRACKS:
        raise LibraryError(
            f"{n_tracks} tracks are too few to whiten: how they spread is not known well.",
            hint=f"From {LEAST_TRACKS} on it can be done; do not whiten until then.",
        )


def is_current(n_fitted: int, n_tracks: int) -> bool:
    """Return whether a space that was fitted to so many tracks fits as many as there are now."""
    return n_fitted / _GROWTH <= n_tracks <= n_fitted * _GROWTH


def projection_matrix(index: Any) -> Float32:
    """Return the matrix A of an index with transforms: float32, shape (128, 128).

    A vector x is compared as A x + b, scaled to length 1.
    """
    pca: Any = faiss.downcast_VectorTransform(index.chain.at(0))
    matrix: Float32 = faiss.vector_to_array(pca.A).reshape(EMBEDDING_SIZE, EMBEDDING_SIZE)
    return matrix


def transformed(index: Any, vectors: Float32) -> Float32:
    """Return vectors as an index with transforms compares them: (n, 128) as (n, 128)."""
    for number in range(index.chain.size()):
        vectors = index.chain.at(number).apply(np.ascontiguousarray(vectors))
    return vectors
