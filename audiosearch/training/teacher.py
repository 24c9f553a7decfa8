"""The teacher: YAMNet, trained on the sounds of AudioSet.

References
----------
.. [1] Plakal and Ellis, "YAMNet", github.com/tensorflow/models, research/audioset/yamnet
   (Apache-2.0). The embedding is the mean over the last layer before the classes.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import PATCH_SAMPLES

if TYPE_CHECKING:
    from audiosearch.types import Float32, StrPath

TEACHER_DIMENSION = 1_024


class Teacher:
    """YAMNet as a LiteRT file: a patch's waveform becomes an embedding.

    Parameters
    ----------
    path : str or path-like
        ``yamnet.tflite``, with an input of 15,600 samples and an output of 521 scores. The
        embedding is read from an inner layer.

    Raises
    ------
    ValueError
        If the file isn't a LiteRT model, or has no such layer.
    """

    def __init__(self, path: StrPath) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the option to read inner layers warns
            self._interpreter = Interpreter(
                os.fspath(path), num_threads=1, experimental_preserve_all_tensors=True
            )
        self._interpreter.allocate_tensors()
        (waveform,) = self._interpreter.get_input_details()
        self._input, self._shape = waveform["index"], waveform["shape"]
        layers = [
            tensor
            for tensor in self._interpreter.get_tensor_details()
            if "reduce_mean" in tensor["name"] and tensor["shape"][-1] == TEACHER_DIMENSION
        ]
        if len(layers) != 1:
            message = f"{path} has no layer of {TEACHER_DIMENSION} means"
            raise ValueError(message)
        self._layer = layers[0]["index"]
        self._scale, self._zero = layers[0]["quantization"]

    def __call__(self, waveform: Float32) -> Float32:
        """Return the embedding of one patch.

        Parameters
        ----------
        waveform : ndarray of float32, shape (15600,)
            Mono samples in [-1, 1] at 16 kHz.

        Returns
        -------
        ndarray of float32, shape (1024,)
            Values of 0 or more.
        """
        samples = np.ascontiguousarray(waveform[:PATCH_SAMPLES], dtype=np.float32)
        self._interpreter.set_tensor(self._input, samples.reshape(self._shape))
        self._interpreter.invoke()
        steps = self._interpreter.get_tensor(self._layer).reshape(-1).astype(np.float32)
        embedding: Float32 = ((steps - self._zero) * self._scale).astype(np.float32)
        return embedding


#: Load the teacher from a file, once per process.
load_teacher = cache(Teacher)
