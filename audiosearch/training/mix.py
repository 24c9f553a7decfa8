"""From a file's averages to its embedding: what it is and how it is coloured, side by side.

A file's averages are the student's values and its cepstra with their squares, which give
exact means and deviations over the file. Each of three blocks (meaning, identity, colour) is
scaled to length 1. Then directions in which files of a class differ count for less, and the 128
in which classes differ most are kept.

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

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.params import EMBEDDING_SIZE, N_BANDS, PATCH_FRAMES
from audiosearch.training.student import IDENTITY_SIZE, MEANING_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.params import Float32, Float64, Int64

N_COEFFICIENTS = 42
COLOUR_SIZE = 64
#: Of a patch, or on average over a file: meaning, identity, cepstra, their squares, those of
#: their differences over two frames.
N_VALUES = MEANING_SIZE + IDENTITY_SIZE + 3 * N_COEFFICIENTS

LEAST_VARIANCE = 0.01  # of a coefficient
WHITENING_RIDGE = 1.0  # added to the eigenvalues of the correlation matrix, whose mean is 1
CLASS_RIDGE = 0.3  # added to those of the covariance within classes, as a share of their mean


@dataclass(frozen=True, slots=True)
class Mix:
    """The constants of the way from averages to embeddings: all float32.

    Attributes
    ----------
    meaning_mean : ndarray, shape (128,)
    identity_mean : ndarray, shape (64,)
    statistics_mean : ndarray, shape (126,)
    whitening : ndarray, shape (126, 64)
    blocks_mean : ndarray, shape (256,)
    projection : ndarray, shape (256, 128)
    """

    meaning_mean: Float32
    identity_mean: Float32
    statistics_mean: Float32
    whitening: Float32
    blocks_mean: Float32
    projection: Float32

    @classmethod
    def read(cls, path: Path) -> Mix:
        """Read the constants from an ``.npz`` file."""
        with np.load(path) as archive:
            return cls(**archive)

    def write(self, path: Path) -> None:
        """Write the constants to an ``.npz`` file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    def embeddings(self, values: Any) -> Any:
        """Return embeddings, not normalised.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 318)

        Returns
        -------
        tf.Tensor of float32, shape (n, 128)
        """
        blocks = _blocks(values, self)
        return (blocks - self.blocks_mean) @ self.projection


def patch_values(student: Any, patches: Any) -> Any:
    """Return what is to be averaged over a file.

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


def fit(values: Float32, labels: Int64, weights: Float64) -> Mix:
    """Fit the constants on files of known classes.

    Parameters
    ----------
    values : ndarray of float32, shape (n, 318)
        Averages over each file.
    labels : ndarray of int64, shape (n,)
        The number of its class.
    weights : ndarray of float64, shape (n,)
        How much it counts.
    """
    weights = weights / weights.sum()
    meaning, identity, rest = _parts(values)
    statistics = _statistics(rest).numpy().astype(np.float64)
    statistics_mean, whitening = _whitening(statistics, weights)
    draft = Mix(
        meaning_mean=_single(weights @ meaning),
        identity_mean=_single(weights @ identity),
        statistics_mean=_single(statistics_mean),
        whitening=_single(whitening),
        blocks_mean=np.empty(0, dtype=np.float32),
        projection=np.empty(0, dtype=np.float32),
    )
    blocks = _blocks(values, draft).numpy().astype(np.float64)
    mean, projection = _class_projection(blocks, labels, weights)
    return replace(draft, blocks_mean=_single(mean), projection=_single(projection))


def _single(values: Any) -> Float32:
    return np.asarray(values, dtype=np.float32)


def _parts(values: Any) -> tuple[Any, Any, Any]:
    ends = (MEANING_SIZE, MEANING_SIZE + IDENTITY_SIZE)
    return values[:, : ends[0]], values[:, ends[0] : ends[1]], values[:, ends[1] :]


def _blocks(values: Any, mix: Mix) -> Any:
    """Return the three blocks, each of length 1, side by side."""
    import tensorflow as tf

    meaning, identity, rest = _parts(values)
    colour = (_statistics(rest) - mix.statistics_mean) @ mix.whitening
    blocks = (meaning - mix.meaning_mean, identity - mix.identity_mean, colour)
    return tf.concat([tf.math.l2_normalize(block, axis=1) for block in blocks], axis=1)


def _statistics(averages: Any) -> Any:
    """Return the cepstra's means, deviations, and deviations of their differences."""
    import tensorflow as tf

    mean, square, delta = tf.split(averages, 3, axis=1)
    variances = (square - mean**2, delta)
    return tf.concat([mean, *(tf.sqrt(tf.maximum(v, LEAST_VARIANCE)) for v in variances)], axis=1)


def _whitening(statistics: Float64, weights: Float64) -> tuple[Float64, Float64]:
    mean = weights @ statistics
    centred = statistics - mean
    deviation = np.sqrt(weights @ centred**2)
    scaled = centred / deviation
    eigenvalues, vectors = np.linalg.eigh((scaled * weights[:, np.newaxis]).T @ scaled)
    matrix = vectors / deviation[:, np.newaxis] / np.sqrt(eigenvalues + WHITENING_RIDGE)
    return mean, matrix[:, ::-1][:, :COLOUR_SIZE]


def _class_projection(blocks: Float64, labels: Int64, weights: Float64) -> tuple[Float64, Float64]:
    """Return the mean, and a projection to the 128 directions in which classes differ most.

    That is, after whitening by the covariance within classes.
    """
    mean = weights @ blocks
    centred = blocks - mean
    total = np.bincount(labels, weights)
    sums = np.zeros((len(total), centred.shape[1]))
    np.add.at(sums, labels, centred * weights[:, np.newaxis])
    within = centred - (sums / np.maximum(total, 1e-12)[:, np.newaxis])[labels]
    eigenvalues, vectors = np.linalg.eigh((within * weights[:, np.newaxis]).T @ within)
    whitening = vectors / np.sqrt(eigenvalues + CLASS_RIDGE * eigenvalues.mean())
    spread = whitening.T @ ((centred * weights[:, np.newaxis]).T @ centred) @ whitening
    directions = np.linalg.eigh(spread)[1][:, ::-1][:, :EMBEDDING_SIZE]
    return mean, whitening @ directions


def _cosines() -> Float32:
    """Return the orthonormal DCT-II's first columns: float32, shape (64, 42)."""
    bands = np.arange(N_BANDS)[:, np.newaxis] + 0.5
    cosines = np.cos(np.pi / N_BANDS * bands * np.arange(N_COEFFICIENTS))
    cosines *= np.sqrt(2 / N_BANDS)
    cosines[:, 0] /= np.sqrt(2)
    return np.asarray(cosines, dtype=np.float32)
