"""The network of compact: YAMNet's layers on VGGish's patches, and statistics of cepstra.

VGGish's patches are ln(mel + 0.01), and YAMNet's are ln(mel + 0.001), of the same mel spectrogram.
So a patch of one becomes a patch of the other without its samples.

References
----------
.. [1] Howard et al., "MobileNets", 2017: depthwise-separable convolutions.
.. [2] Davis and Mermelstein, "Comparison of parametric representations for monosyllabic
   word recognition", IEEE Trans. ASSP 28(4), 1980: cepstral coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.models.front_end import LOG_OFFSET, N_BANDS, PATCH_FRAMES
from audiosearch.training.yamnet import FEATURES

if TYPE_CHECKING:
    from audiosearch.training.yamnet import Layer
    from audiosearch.types import Float32

N_COEFFICIENTS = 30  # cepstral coefficients
#: Values of a patch, or their averages over a file: YAMNet's embedding, cepstra, the cepstra's
#: squares, and the squares of the cepstra's differences over two frames.
N_VALUES = FEATURES + 3 * N_COEFFICIENTS

_YAMNET_LOG_OFFSET = 0.001


@dataclass(frozen=True, slots=True)
class Network:
    """The network of compact. Its methods are TensorFlow functions without variables.

    Attributes
    ----------
    layers : list of Layer
        YAMNet's layers; the last one computes the scores.
    """

    layers: list[Layer]

    def features(self, patches: Any) -> Any:
        """Return YAMNet's embedding of each patch.

        Parameters
        ----------
        patches : tf.Tensor of float32, shape (n, 96, 64)
            Natural log of mel magnitude plus 0.01.

        Returns
        -------
        tf.Tensor of float32, shape (n, 1024)
            Values of 0 to 6.
        """
        import tensorflow as tf

        mel = tf.maximum(tf.exp(patches) - LOG_OFFSET, 0.0)
        values = tf.math.log(mel + _YAMNET_LOG_OFFSET)[..., np.newaxis]
        for layer in self.layers[:-1]:
            strides = [1, layer.stride, layer.stride, 1]
            convolve = tf.nn.depthwise_conv2d if layer.is_depthwise else tf.nn.conv2d
            values = convolve(values, layer.weights, strides, "SAME")
            values = tf.nn.relu6(values + layer.bias)
        return tf.reduce_mean(values, axis=[1, 2])

    def values(self, patches: Any) -> Any:
        """Return the values of each patch, to be averaged over a file.

        Parameters
        ----------
        patches : tf.Tensor of float32, shape (n, 96, 64)

        Returns
        -------
        tf.Tensor of float32, shape (n, 1114)
        """
        import tensorflow as tf

        cepstra = tf.reshape(
            tf.reshape(patches, [-1, N_BANDS]) @ _cosines(), [-1, PATCH_FRAMES, N_COEFFICIENTS]
        )
        deltas = cepstra[:, 2:] - cepstra[:, :-2]
        averages = [tf.reduce_mean(part, axis=1) for part in (cepstra, cepstra**2, deltas**2)]
        return tf.concat([self.features(patches), *averages], axis=1)

    def sounds_from_values(self, values: Any) -> Any:
        """Return the scores of AudioSet's classes for each patch.

        Parameters
        ----------
        values : tf.Tensor of float32, shape (n, 1114)
            Values of patches, not averages of them.

        Returns
        -------
        tf.Tensor of float32, shape (n, 521)
            In [0, 1].
        """
        import tensorflow as tf

        last = self.layers[-1]
        return tf.sigmoid(values[:, :FEATURES] @ last.weights + last.bias)

    def sounds(self, patches: Any) -> Any:
        """Return the scores of AudioSet's classes for each patch: see `sounds_from_values`."""
        return self.sounds_from_values(self.features(patches))


def _cosines() -> Float32:
    """Return the first columns of the orthonormal DCT-II: float32, shape (64, 30)."""
    bands = np.arange(N_BANDS)[:, np.newaxis] + 0.5
    cosines = np.cos(np.pi / N_BANDS * bands * np.arange(N_COEFFICIENTS))
    cosines *= np.sqrt(2 / N_BANDS)
    cosines[:, 0] /= np.sqrt(2)
    return np.asarray(cosines, dtype=np.float32)
