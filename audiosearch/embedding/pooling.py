"""From patch embeddings to one vector a file."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.types import Float32, Float64


class Pooling(str, Enum):
    """How patches become one vector; once normalised, both are the same."""

    MEAN = "mean"
    SUM = "sum"


class RunningPool:
    """Patches' values added up as they come, in double precision.

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
        """Take in values of shape (n_patches, n_values)."""
        self._total = self._total + values.sum(axis=0, dtype=np.float64)
        self.n_patches += len(values)

    def mean(self) -> Float32:
        """Return the mean so far: float32, shape (n_values,)."""
        return (np.asarray(self._total) / self.n_patches).astype(np.float32)


def unit(vector: Float32) -> Float32:
    """Scale a vector to length 1.

    Parameters
    ----------
    vector : ndarray of float32, shape (n,)

    Returns
    -------
    ndarray of float32, shape (n,)

    Raises
    ------
    ValueError
        Where it has no direction: all zeros, or not finite.

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
