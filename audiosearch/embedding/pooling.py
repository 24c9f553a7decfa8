"""Pooling: from the values of a clip's patches to one vector."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.types import Float32, Float64


class Pooling(str, Enum):
    """Ways to pool patches into one vector. Scaled to unit length, both give the same vector."""

    MEAN = "mean"
    SUM = "sum"


class RunningPool:
    """Running mean over patches, added up in double precision.

    Attributes
    ----------
    n_patches : int
        Patches added so far.

    Examples
    --------
    >>> pool = RunningPool()
    >>> pool.add(np.array([[1, 2], [3, 4]], dtype=np.float32))
    >>> pool.mean()
    array([2., 3.], dtype=float32)
    """

    def __init__(self) -> None:
        self._total: Float64 | float = 0.0
        self.n_patches = 0

    def add(self, values: Float32) -> None:
        """Add the values of more patches.

        Parameters
        ----------
        values : ndarray of float32, shape (n_patches, n_values)
        """
        self._total = self._total + values.sum(axis=0, dtype=np.float64)
        self.n_patches += len(values)

    def mean(self) -> Float32:
        """Return the mean over the patches added so far.

        Returns
        -------
        ndarray of float32, shape (n_values,)
        """
        return (np.asarray(self._total) / self.n_patches).astype(np.float32)


def unit(vector: Float32) -> Float32:
    """Scale a vector to unit length.

    Parameters
    ----------
    vector : ndarray of float32, shape (n,)

    Returns
    -------
    ndarray of float32, shape (n,)
        The vector divided by its Euclidean norm.

    Raises
    ------
    ValueError
        If all values are zero, or one is not finite.

    Examples
    --------
    >>> unit(np.array([3, 4], dtype=np.float32))
    array([0.6, 0.8], dtype=float32)
    """
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length) or length == 0.0:
        message = "the vector has no direction"
        raise ValueError(message)
    return (vector / length).astype(np.float32)
