"""The first `compact`: whitened MFCC statistics of a patch, as a LiteRT graph.

No training: a closed form over free audio. To make it anew::

    python -m audiosearch.training.free_audio FOLDER        # 450 MB of Debian packages
    python -m audiosearch.training.compact fit FOLDER       # -> whitening.npz
    python -m audiosearch.training.compact export           # -> models/compact.tflite

References
----------
.. [1] Davis and Mermelstein, "Comparison of parametric representations for monosyllabic
   word recognition", IEEE Trans. ASSP 28(4), 1980: cepstral coefficients.
.. [2] Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American
   Statistician 72(4), 2018: whitening of the correlation matrix (PCA-cor).
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import AudioError
from audiosearch.params import EMBEDDING_SIZE, N_BANDS, PATCH_FRAMES
from audiosearch.sound.decode import SUFFIXES
from audiosearch.sound.embedder import PatchReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.params import Float32

HERE = Path(__file__).parent
CONSTANTS = HERE / "whitening.npz"
MODEL = HERE.parent / "models" / "compact.tflite"

N_COEFFICIENTS = 42
N_STATISTICS = 3 * N_COEFFICIENTS
EXCERPT_SECONDS = 20.0
RIDGE = 1.0  # added to the eigenvalues of the correlation matrix, whose mean is 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whitening:
    """What turns statistics into an embedding: (statistics - mean) @ matrix.

    Attributes
    ----------
    mean : ndarray of float32, shape (126,)
    matrix : ndarray of float32, shape (126, 126)
    """

    mean: Float32
    matrix: Float32

    @classmethod
    def read(cls, path: Path = CONSTANTS) -> Whitening:
        """Read the constants from an ``.npz`` file."""
        with np.load(path) as archive:
            return cls(archive["mean"], archive["matrix"])

    def write(self, path: Path = CONSTANTS) -> None:
        """Write the constants to an ``.npz`` file."""
        np.savez(path, mean=self.mean, matrix=self.matrix)


def statistics(patches: Any) -> Any:
    """Describe each patch by its MFCCs' means, deviations and deltas' deviations.

    Parameters
    ----------
    patches : tf.Tensor of float32, shape (n_patches, 96, 64)

    Returns
    -------
    tf.Tensor of float32, shape (n_patches, 126)
    """
    import tensorflow as tf

    bands = tf.reshape(patches, [-1, N_BANDS])
    cepstra = tf.reshape(bands @ _cosines(), [-1, PATCH_FRAMES, N_COEFFICIENTS])
    deltas = cepstra[:, 2:] - cepstra[:, :-2]
    parts = [tf.reduce_mean(cepstra, axis=1), _deviation(cepstra), _deviation(deltas)]
    return tf.concat(parts, axis=1)


def fit(paths: Iterable[Path]) -> Whitening:
    """Fit the whitening on audio files, each of which counts the same.

    Parameters
    ----------
    paths : iterable of Path
        Audio files; those that do not decode are passed over with a warning.
    """
    total = np.zeros(N_STATISTICS)
    products = np.zeros((N_STATISTICS, N_STATISTICS))
    n_files = 0
    for path in paths:
        try:
            with PatchReader(path, excerpt_seconds=EXCERPT_SECONDS) as reader:
                values = statistics(np.concatenate(list(reader))).numpy().astype(np.float64)
        except AudioError as exc:
            log.warning("%s", exc)
            continue
        total += values.mean(axis=0)
        products += values.T @ values / len(values)
        n_files += 1
    mean = total / n_files
    covariance = products / n_files - np.outer(mean, mean)
    deviation = np.sqrt(np.diag(covariance))
    eigenvalues, vectors = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    # A vector's sign is the library's whim: the largest component is made positive.
    largest = np.abs(vectors).argmax(axis=0)
    vectors *= np.sign(vectors[largest, np.arange(N_STATISTICS)])
    matrix = vectors / deviation[:, np.newaxis] / np.sqrt(eigenvalues + RIDGE)
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))


def export(whitening: Whitening) -> bytes:
    """Return the LiteRT file of `statistics`, whitened and padded with zeros to 128 values."""
    import tensorflow as tf

    padding = EMBEDDING_SIZE - N_STATISTICS
    matrix = np.pad(whitening.matrix, ((0, 0), (0, padding)))

    @tf.function(input_signature=[tf.TensorSpec([None, PATCH_FRAMES, N_BANDS], tf.float32)])  # type: ignore[untyped-decorator]
    def embed(patches: Any) -> Any:
        return (statistics(patches) - whitening.mean) @ matrix

    converter = tf.lite.TFLiteConverter.from_concrete_functions([embed.get_concrete_function()])
    content: bytes = converter.convert()
    return content


def _deviation(values: Any) -> Any:
    import tensorflow as tf

    centered = values - tf.reduce_mean(values, axis=1, keepdims=True)
    return tf.sqrt(tf.reduce_mean(centered * centered, axis=1))


def _cosines() -> Float32:
    """Return the orthonormal DCT-II's first columns: float32, shape (64, 42)."""
    bands = np.arange(N_BANDS)[:, np.newaxis] + 0.5
    cosines = np.cos(np.pi / N_BANDS * bands * np.arange(N_COEFFICIENTS))
    cosines *= np.sqrt(2 / N_BANDS)
    cosines[:, 0] /= np.sqrt(2)
    return np.asarray(cosines, dtype=np.float32)


def main(arguments: list[str]) -> None:
    """Run ``fit FOLDER`` or ``export``."""
    if arguments[0] == "fit":
        found = sorted(Path(arguments[1]).rglob("*"))
        fit(path for path in found if path.suffix.lower() in SUFFIXES).write()
    else:
        MODEL.write_bytes(export(Whitening.read()))


if __name__ == "__main__":
    logging.basicConfig()
    main(sys.argv[1:])
