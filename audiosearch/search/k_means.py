"""Spherical k-means: clusters of vectors of unit length, compared by their cosines.

References
----------
.. [1] I. Dhillon and D. Modha, "Concept decompositions for large sparse text data using
   clustering", 2001.
.. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", 2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch import time_limit

if TYPE_CHECKING:
    from audiosearch.types import Float32, Int64

_MIN_LENGTH = 1e-6  # a shorter sum of unit vectors has no usable direction


def nearest_centers(vectors: Float32, centers: Float32) -> tuple[Int64, Float32]:
    """Return the number of the nearest center to each vector, and the cosine to it.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, dimension)
        Of unit length.
    centers : ndarray of float32, shape (n_clusters, dimension)
        Of unit length.

    Returns
    -------
    numbers : ndarray of int64, shape (n_vectors,)
    cosines : ndarray of float32, shape (n_vectors,)
    """
    cosines = vectors @ centers.T
    numbers = cosines.argmax(axis=1)
    return numbers, cosines[np.arange(len(vectors)), numbers]


def moved_centers(vectors: Float32, centers: Float32, n_rounds: int) -> Float32:
    """Move centers to the means of their clusters, until no vector changes its cluster.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, dimension)
        Of unit length.
    centers : ndarray of float32, shape (n_clusters, dimension)
        Of unit length.
    n_rounds : int
        Number of moves, at most.

    Returns
    -------
    ndarray of float32, shape (n_clusters, dimension)
        Of unit length. The center of a cluster without vectors has not moved.
    """
    former = None
    for _ in range(n_rounds):
        time_limit.check()
        numbers, _ = nearest_centers(vectors, centers)
        if former is not None and np.array_equal(numbers, former):
            break
        former = numbers
        centers = centers.copy()
        for cluster in range(len(centers)):
            total = vectors[numbers == cluster].sum(axis=0)
            length = np.linalg.norm(total)
            if length > _MIN_LENGTH:
                centers[cluster] = total / length
    return centers


def best_centers(vectors: Float32, n_clusters: int, *, n_starts: int, n_rounds: int) -> Float32:
    """Return the centers of clusters, from the best of several random starts.

    The same vectors always give the same centers.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, dimension)
        Of unit length; at least ``n_clusters``.
    n_clusters : int
    n_starts : int
        Number of starts.
    n_rounds : int
        See `moved_centers`.

    Returns
    -------
    ndarray of float32, shape (n_clusters, dimension)
    """
    rng = np.random.default_rng(0)
    starts = (_random_centers(vectors, n_clusters, rng) for _ in range(n_starts))
    found = [moved_centers(vectors, centers, n_rounds) for centers in starts]
    return max(found, key=lambda centers: float(nearest_centers(vectors, centers)[1].sum()))


def _random_centers(vectors: Float32, n_clusters: int, rng: np.random.Generator) -> Float32:
    """Return some of the vectors, each chosen the likelier, the farther it is from the others."""
    chosen = [int(rng.integers(len(vectors)))]
    distances = np.full(len(vectors), np.inf)
    while len(chosen) < n_clusters:
        time_limit.check()
        to_last = np.maximum(0, 1 - (vectors @ vectors[chosen[-1]]).astype(np.float64))
        distances = np.minimum(distances, to_last)
        total = distances.sum()
        shares = distances / total if total > 0 else None
        chosen.append(int(rng.choice(len(vectors), p=shares)))
    return vectors[chosen]
