"""The projection: a file's averages become its embedding.

A file's averages are the means over its patches of YAMNet's embedding, the cepstra and the
cepstra's squares. Thanks to the squares, means and deviations over the file are exact. They form
two blocks: what a sound is (the square roots of YAMNet's values) and how it is colored (statistics
of the cepstra, whitened). Each block is reduced to its principal components and scaled to a fixed
length. Then directions in which files of the same class differ get less weight, and the
128 directions in which files differ most are kept.

References
----------
.. [1] Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American
   Statistician 72(4), 2018.
.. [2] Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based
   speaker recognition", Interspeech 2006.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.training.yamnet import FEATURES

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32, Float64, Int64

DIMENSION = 128  # numbers in an embedding
KIND_SIZE, COLOR_SIZE = 192, 60  # principal components of the two blocks
COLOR_WEIGHT = 0.7  # length of the block of colors; the other one's is 1
COLOR_RIDGE = 1.0  # added to the variances that whitening divides by, which have mean 1
# Directions are multiplied by a power of their variance within classes; -0.5 would whiten.
CLASS_POWER = -0.4
CLASS_RIDGE = 1.0  # added to the variances within classes, as a multiple of their mean

MIN_VARIANCE = 0.01  # of a coefficient over a file
MIN_SPREAD = 1e-4  # added to the variance over files, which may be 0


@dataclass(frozen=True, slots=True)
class Projection:
    """Constants that turn averages into embeddings. All are float32.

    Attributes
    ----------
    kind_mean : ndarray, shape (1024,)
    kind_matrix : ndarray, shape (1024, 192)
    color_mean : ndarray, shape (89,)
    color_matrix : ndarray, shape (89, 60)
    mean : ndarray, shape (252,)
    matrix : ndarray, shape (252, 128)
    """

    kind_mean: Float32
    kind_matrix: Float32
    color_mean: Float32
    color_matrix: Float32
    mean: Float32
    matrix: Float32

    @classmethod
    def read(cls, path: Path) -> Projection:
        """Read the constants from an ``.npz`` file."""
        with np.load(path) as archive:
            return cls(**archive)

    def write(self, path: Path) -> None:
        """Write the constants to an ``.npz`` file."""
        np.savez(path, **asdict(self))

    def embeddings(self, values: Any) -> Any:
        """Return embeddings of unit length.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 1114)
            Averages over each file.

        Returns
        -------
        tf.Tensor of float32, shape (n, 128)
        """
        import tensorflow as tf

        kinds, colors = _parts(values)
        blocks = [
            tf.math.l2_normalize((kinds - self.kind_mean) @ self.kind_matrix, axis=1),
            COLOR_WEIGHT
            * tf.math.l2_normalize((colors - self.color_mean) @ self.color_matrix, axis=1),
        ]
        return tf.math.l2_normalize((tf.concat(blocks, axis=1) - self.mean) @ self.matrix, axis=1)


def fit(values: Float32, labels: Int64, weights: Float64) -> Projection:
    """Fit the projection on files of known classes.

    Parameters
    ----------
    values : ndarray of float32, shape (n, 1114)
        Averages over each file.
    labels : ndarray of int64, shape (n,)
        Class of each file, from 0.
    weights : ndarray of float64, shape (n,)
        Weight of each file, above 0.
    """
    weights = weights / weights.sum()
    kinds, colors = (part.numpy().astype(np.float64) for part in _parts(values))
    kind_mean, kind_matrix, _ = _components(kinds, weights, KIND_SIZE)
    deviation = np.sqrt(weights @ (colors - weights @ colors) ** 2 + MIN_SPREAD)
    color_mean, color_matrix, variances = _components(colors / deviation, weights, COLOR_SIZE)
    color_matrix /= np.sqrt(variances + COLOR_RIDGE)
    blocks = [
        _unit((kinds - kind_mean) @ kind_matrix),
        COLOR_WEIGHT * _unit((colors / deviation - color_mean) @ color_matrix),
    ]
    joined = np.concatenate(blocks, axis=1)
    mean = weights @ joined
    arrays = (
        *(kind_mean, kind_matrix),
        *(color_mean * deviation, color_matrix / deviation[:, np.newaxis]),
        *(mean, _class_projection(joined - mean, labels, weights)),
    )
    return Projection(*(np.asarray(array, dtype=np.float32) for array in arrays))


def _parts(values: Any) -> tuple[Any, Any]:
    """Return the square roots of YAMNet's values, and the statistics of the cepstra.

    The statistics are means, deviations and deviations of differences. The mean of the first
    coefficient is left out: it is the level.
    """
    import tensorflow as tf

    mean, square, delta = tf.split(values[:, FEATURES:], 3, axis=1)
    deviations = [tf.sqrt(tf.maximum(v, MIN_VARIANCE)) for v in (square - mean**2, delta)]
    roots = tf.sqrt(tf.maximum(values[:, :FEATURES], 0.0))
    return roots, tf.concat([mean[:, 1:], *deviations], axis=1)


def _components(rows: Float64, weights: Float64, size: int) -> tuple[Float64, Float64, Float64]:
    """Return the mean, the first principal components as columns, and their variances."""
    mean = weights @ rows
    variances, vectors = np.linalg.eigh(_covariance(rows - mean, weights))
    first = slice(-1, -1 - size, -1)
    return mean, vectors[:, first], np.maximum(variances[first], 0.0)


def _class_projection(centered: Float64, labels: Int64, weights: Float64) -> Float64:
    """Return the projection to the 128 directions in which files differ most.

    The differences are compared after a part of the differences within classes is taken out.

    Returns
    -------
    ndarray of float64, shape (252, 128)
    """
    total = np.bincount(labels, weights)
    sums = np.zeros((len(total), centered.shape[1]))
    np.add.at(sums, labels, centered * weights[:, np.newaxis])
    within = centered - (sums / np.maximum(total, 1e-12)[:, np.newaxis])[labels]
    variances, vectors = np.linalg.eigh(_covariance(within, weights))
    ridge = max(CLASS_RIDGE * variances.mean(), MIN_SPREAD / len(variances))
    whitening = vectors * (np.maximum(variances, 0.0) + ridge) ** CLASS_POWER
    directions = np.linalg.eigh(_covariance(centered @ whitening, weights))[1]
    return np.asarray(whitening @ directions[:, ::-1][:, :DIMENSION])


def _covariance(centered: Float64, weights: Float64) -> Float64:
    return np.asarray((centered * weights[:, np.newaxis]).T @ centered)


def _unit(rows: Float64) -> Float64:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
