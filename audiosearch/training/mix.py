"""From a file's averages to its embedding: what it is and how it is coloured, side by side.

A file's averages are the student's values and its cepstra with their squares, which give
exact means and deviations over the file. Each of three blocks (meaning, spec, colour) is
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

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import defaults
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.training.student import IDENTITY_SIZE, MEANING_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32, Float64, Int64

N_COEFFICIENTS = 42
COLOUR_SIZE = 64
#: Of a patch, or on average over a file: meaning, spec, cepstra, their squares, those of
#: their differences over two frames.
N_VALUES = MEANING_SIZE + IDENTITY_SIZE + 3 * N_COEFFICIENTS

LEAST_VARIANCE = 0.01  # of a coefficient over a file
LEAST_SPREAD = 1e-4  # variance of what is the same in all files
WHITENING_RIDGE = 1.0  # added to the eigenvalues of the correlation matrix, whose mean is 1
CLASS_RIDGE = 0.3  # added to those of the covariance within classes, as a share of their mean


@dataclass(frozen=True, slots=True)
class Scaling:
    """What makes three blocks of averages comparable: all float32.

    Attributes
    ----------
    meaning_mean : ndarray, shape (128,)
    identity_mean : ndarray, shape (64,)
    statistics_mean : ndarray, shape (126,)
    whitening : ndarray, shape (126, 64)
    """

    meaning_mean: Float32
    identity_mean: Float32
    statistics_mean: Float32
    whitening: Float32

    def blocks(self, values: Any) -> Any:
        """Return the blocks, each of length 1, side by side.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 318)

        Returns
        -------
        tf.Tensor of float32, shape (n, 256)
        """
        import tensorflow as tf

        meaning, spec, rest = _parts(values)
        colour = (_statistics(rest) - self.statistics_mean) @ self.whitening
        blocks = (meaning - self.meaning_mean, spec - self.identity_mean, colour)
        return tf.concat([tf.math.l2_normalize(block, axis=1) for block in blocks], axis=1)


@dataclass(frozen=True, slots=True)
class Projection:
    """The constants of the way from averages to embeddings.

    Attributes
    ----------
    scaling : Scaling
    mean : ndarray of float32, shape (256,)
    projection : ndarray of float32, shape (256, 128)
    """

    scaling: Scaling
    mean: Float32
    projection: Float32

    @classmethod
    def read(cls, path: Path) -> Projection:
        """Read the constants from an ``.npz`` file."""
        with np.load(path) as archive:
            arrays = dict(archive)
        mean, projection = arrays.pop("mean"), arrays.pop("projection")
        return cls(Scaling(**arrays), mean, projection)

    def write(self, path: Path) -> None:
        """Write the constants to an ``.npz`` file."""
        np.savez(path, mean=self.mean, projection=self.projection, **asdict(self.scaling))

    def embeddings(self, values: Any) -> Any:
        """Return embeddings, not normalised.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 318)

        Returns
        -------
        tf.Tensor of float32, shape (n, 128)
        """
        return (self.scaling.blocks(values) - self.mean) @ self.projection


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


def fit(values: Float32, labels: Int64, weights: Float64) -> Projection:
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
    meaning, spec, rest = _parts(values)
    statistics = _statistics(rest).numpy().astype(np.float64)
    centred = statistics - weights @ statistics
    scaling = Scaling(
        meaning_mean=_single(weights @ meaning),
        identity_mean=_single(weights @ spec),
        statistics_mean=_single(weights @ statistics),
        whitening=_single(_whitening(centred, weights)),
    )
    blocks = scaling.blocks(values).numpy().astype(np.float64)
    mean = weights @ blocks
    projection = _class_projection(blocks - mean, labels, weights)
    return Projection(scaling, _single(mean), _single(projection))


def _single(values: Any) -> Float32:
    return np.asarray(values, dtype=np.float32)


def _parts(values: Any) -> tuple[Any, Any, Any]:
    ends = (MEANING_SIZE, MEANING_SIZE + IDENTITY_SIZE)
    return values[:, : ends[0]], values[:, ends[0] : ends[1]], values[:, ends[1] :]


def _statistics(averages: Any) -> Any:
    """Return the cepstra's means, deviations, and deviations of their differences."""
    import tensorflow as tf

    mean, square, delta = tf.split(averages, 3, axis=1)
    variances = (square - mean**2, delta)
    return tf.concat([mean, *(tf.sqrt(tf.maximum(v, LEAST_VARIANCE)) for v in variances)], axis=1)


def _whitening(centred: Float64, weights: Float64) -> Float64:
    """Return what whitens statistics about their mean, and keeps the first 64 components."""
    deviation = np.sqrt(weights @ centred**2 + LEAST_SPREAD)
    scaled = centred / deviation
    eigenvalues, vectors = np.linalg.eigh((scaled * weights[:, np.newaxis]).T @ scaled)
    matrix = vectors / deviation[:, np.newaxis] / np.sqrt(eigenvalues + WHITENING_RIDGE)
    return np.asarray(matrix[:, ::-1][:, :COLOUR_SIZE])


def _class_projection(centred: Float64, labels: Int64, weights: Float64) -> Float64:
    """Return a projection to the 128 directions in which classes differ most.

    That is, after whitening by the covariance within classes.
    """
    total = np.bincount(labels, weights)
    sums = np.zeros((len(total), centred.shape[1]))
    np.add.at(sums, labels, centred * weights[:, np.newaxis])
    within = centred - (sums / np.maximum(total, 1e-12)[:, np.newaxis])[labels]
    eigenvalues, vectors = np.linalg.eigh((within * weights[:, np.newaxis]).T @ within)
    ridge = max(CLASS_RIDGE * eigenvalues.mean(), LEAST_SPREAD / centred.shape[1])
    whitening = vectors / np.sqrt(np.maximum(eigenvalues, 0.0) + ridge)
    spread = whitening.T @ ((centred * weights[:, np.newaxis]).T @ centred) @ whitening
    directions = np.linalg.eigh(spread)[1][:, ::-1][:, : defaults.DIMENSION]
    return np.asarray(whitening @ directions)


def _cosines() -> Float32:
    """Return the orthonormal DCT-II's first columns: float32, shape (64, 42)."""
    bands = np.arange(N_BANDS)[:, np.newaxis] + 0.5
    cosines = np.cos(np.pi / N_BANDS * bands * np.arange(N_COEFFICIENTS))
    cosines *= np.sqrt(2 / N_BANDS)
    cosines[:, 0] /= np.sqrt(2)
    return np.asarray(cosines, dtype=np.float32)
