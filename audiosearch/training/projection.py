"""The projection: a file's averages become its embedding.

A file's averages are the means over its patches of the student's values, the cepstra and the
cepstra's squares. Thanks to the squares, means and deviations over the file are exact. They form
three blocks: semantic values (the student's copy of the teacher's embedding), class values (the
student's separation of the training classes) and timbre (statistics of the cepstra). Each block is
scaled to length 1. Then directions in which files of the same class differ get less weight, and the
128 directions in which classes differ most are kept.

References
----------
.. [1] Davis and Mermelstein, "Comparison of parametric representations for monosyllabic
   word recognition", IEEE Trans. ASSP 28(4), 1980: cepstral coefficients.
.. [2] Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American
   Statistician 72(4), 2018: whitening of the correlation matrix (PCA-cor).
.. [3] Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based
   speaker recognition", Interspeech 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.training.student import CLASS_SIZE, SEMANTIC_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32, Float64, Int64

DIMENSION = 128  # numbers in an embedding
N_COEFFICIENTS = 42  # cepstral coefficients
TIMBRE_SIZE = 64
#: Values of a patch, or their averages over a file: semantic values, class values, cepstra, the
#: cepstra's squares, and the squares of the cepstra's differences over two frames.
N_VALUES = SEMANTIC_SIZE + CLASS_SIZE + 3 * N_COEFFICIENTS

MIN_VARIANCE = 0.01  # of a coefficient over a file
MIN_SPREAD = 1e-4  # added to the variance over files, which may be 0
WHITENING_RIDGE = 1.0  # added to the eigenvalues of the correlation matrix, which have mean 1
# Added to the eigenvalues of the within-class covariance, as a share of their mean.
CLASS_RIDGE = 0.3


@dataclass(frozen=True, slots=True)
class Scaling:
    """Constants that make the three blocks of averages comparable. All are float32.

    Attributes
    ----------
    semantic_mean : ndarray, shape (128,)
    class_mean : ndarray, shape (64,)
    statistics_mean : ndarray, shape (126,)
    whitening : ndarray, shape (126, 64)
    """

    semantic_mean: Float32
    class_mean: Float32
    statistics_mean: Float32
    whitening: Float32

    def blocks(self, values: Any) -> Any:
        """Return the three blocks, each scaled to length 1, side by side.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 318)

        Returns
        -------
        tf.Tensor of float32, shape (n, 256)
        """
        import tensorflow as tf

        semantic, classes, cepstra = _parts(values)
        timbre = (_statistics(cepstra) - self.statistics_mean) @ self.whitening
        blocks = (semantic - self.semantic_mean, classes - self.class_mean, timbre)
        return tf.concat([tf.math.l2_normalize(block, axis=1) for block in blocks], axis=1)


#: Names of `Scaling`'s arrays in a file.
_FILE_NAMES = {
    "semantic_mean": "meaning_mean",
    "class_mean": "identity_mean",
    "statistics_mean": "statistics_mean",
    "whitening": "whitening",
}


@dataclass(frozen=True, slots=True)
class Projection:
    """Constants that turn averages into embeddings.

    Attributes
    ----------
    scaling : Scaling
    mean : ndarray of float32, shape (256,)
    matrix : ndarray of float32, shape (256, 128)
    """

    scaling: Scaling
    mean: Float32
    matrix: Float32

    @classmethod
    def read(cls, path: Path) -> Projection:
        """Read the constants from an ``.npz`` file."""
        with np.load(path) as archive:
            arrays = dict(archive)
        scaling = Scaling(**{name: arrays[key] for name, key in _FILE_NAMES.items()})
        return cls(scaling, arrays["mean"], arrays["projection"])

    def write(self, path: Path) -> None:
        """Write the constants to an ``.npz`` file."""
        scaling = {key: getattr(self.scaling, name) for name, key in _FILE_NAMES.items()}
        np.savez(path, mean=self.mean, projection=self.matrix, **scaling)

    def embeddings(self, values: Any) -> Any:
        """Return embeddings, not normalized.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 318)
            Averages over each file.

        Returns
        -------
        tf.Tensor of float32, shape (n, 128)
        """
        return (self.scaling.blocks(values) - self.mean) @ self.matrix


def patch_values(student: Any, patches: Any) -> Any:
    """Return the values of each patch, to be averaged over a file.

    Parameters
    ----------
    student : keras.Model
    patches : tf.Tensor of float32, shape (n_patches, 96, 64)

    Returns
    -------
    tf.Tensor of float32, shape (n_patches, 318)
    """
    import tensorflow as tf

    cepstra = tf.reshape(
        tf.reshape(patches, [-1, N_BANDS]) @ _cosines(), [-1, PATCH_FRAMES, N_COEFFICIENTS]
    )
    deltas = cepstra[:, 2:] - cepstra[:, :-2]
    averages = [tf.reduce_mean(part, axis=1) for part in (cepstra, cepstra**2, deltas**2)]
    return tf.concat([student(patches, training=False), *averages], axis=1)


def fit(values: Float32, labels: Int64, weights: Float64) -> Projection:
    """Fit the projection on files of known classes.

    Parameters
    ----------
    values : ndarray of float32, shape (n, 318)
        Averages over each file.
    labels : ndarray of int64, shape (n,)
        Class of each file, from 0.
    weights : ndarray of float64, shape (n,)
        Weight of each file, above 0.
    """
    weights = weights / weights.sum()
    semantic, classes, cepstra = _parts(values)
    statistics = _statistics(cepstra).numpy().astype(np.float64)
    centered = statistics - weights @ statistics
    scaling = Scaling(
        semantic_mean=_single(weights @ semantic),
        class_mean=_single(weights @ classes),
        statistics_mean=_single(weights @ statistics),
        whitening=_single(_whitening(centered, weights)),
    )
    blocks = scaling.blocks(values).numpy().astype(np.float64)
    mean = weights @ blocks
    matrix = _class_projection(blocks - mean, labels, weights)
    return Projection(scaling, _single(mean), _single(matrix))


def _single(values: Any) -> Float32:
    """Return values in single precision."""
    return np.asarray(values, dtype=np.float32)


def _parts(values: Any) -> tuple[Any, Any, Any]:
    """Return the semantic values, the class values and the averages of the cepstra."""
    ends = (SEMANTIC_SIZE, SEMANTIC_SIZE + CLASS_SIZE)
    return values[:, : ends[0]], values[:, ends[0] : ends[1]], values[:, ends[1] :]


def _statistics(averages: Any) -> Any:
    """Return the means, deviations and deviations of differences of the cepstra."""
    import tensorflow as tf

    mean, square, delta = tf.split(averages, 3, axis=1)
    variances = (square - mean**2, delta)
    return tf.concat([mean, *(tf.sqrt(tf.maximum(v, MIN_VARIANCE)) for v in variances)], axis=1)


def _whitening(centered: Float64, weights: Float64) -> Float64:
    """Return the matrix that whitens centered statistics and keeps the first 64 components.

    Returns
    -------
    ndarray of float64, shape (126, 64)
    """
    deviation = np.sqrt(weights @ centered**2 + MIN_SPREAD)
    scaled = centered / deviation
    eigenvalues, vectors = np.linalg.eigh((scaled * weights[:, np.newaxis]).T @ scaled)
    matrix = vectors / deviation[:, np.newaxis] / np.sqrt(eigenvalues + WHITENING_RIDGE)
    return np.asarray(matrix[:, ::-1][:, :TIMBRE_SIZE])


def _class_projection(centered: Float64, labels: Int64, weights: Float64) -> Float64:
    """Return the projection to the 128 directions in which classes differ most.

    The differences are compared after whitening by the covariance within classes.

    Returns
    -------
    ndarray of float64, shape (256, 128)
    """
    total = np.bincount(labels, weights)
    sums = np.zeros((len(total), centered.shape[1]))
    np.add.at(sums, labels, centered * weights[:, np.newaxis])
    within = centered - (sums / np.maximum(total, 1e-12)[:, np.newaxis])[labels]
    eigenvalues, vectors = np.linalg.eigh((within * weights[:, np.newaxis]).T @ within)
    ridge = max(CLASS_RIDGE * eigenvalues.mean(), MIN_SPREAD / centered.shape[1])
    whitening = vectors / np.sqrt(np.maximum(eigenvalues, 0.0) + ridge)
    spread = whitening.T @ ((centered * weights[:, np.newaxis]).T @ centered) @ whitening
    directions = np.linalg.eigh(spread)[1][:, ::-1][:, :DIMENSION]
    return np.asarray(whitening @ directions)


def _cosines() -> Float32:
    """Return the first columns of the orthonormal DCT-II: float32, shape (64, 42)."""
    bands = np.arange(N_BANDS)[:, np.newaxis] + 0.5
    cosines = np.cos(np.pi / N_BANDS * bands * np.arange(N_COEFFICIENTS))
    cosines *= np.sqrt(2 / N_BANDS)
    cosines[:, 0] /= np.sqrt(2)
    return np.asarray(cosines, dtype=np.float32)
