"""YAMNet, a network that Google trained on the sounds of AudioSet, from its LiteRT file.

The file turns 15,600 samples into 521 scores, in 8-bit integers. Its weights are read here as
floats, for `audiosearch.training.network`; the file itself runs as the reference in scores.

References
----------
.. [1] Plakal and Ellis, "YAMNet", github.com/tensorflow/models, research/audioset/yamnet
   (Apache-2.0). The embedding is the mean over the last layer before the classes.
"""

from __future__ import annotations

import itertools
import os
import warnings
import zipfile
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.models.front_end import PATCH_SAMPLES

if TYPE_CHECKING:
    from audiosearch.types import Float32, StrPath

#: Numbers in YAMNet's embedding.
FEATURES = 1_024
#: Number of AudioSet's classes that YAMNet knows.
CLASSES = 521

_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_NAMES = "yamnet_label_list.txt"  # in the ZIP archive at the end of the file


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights.

    Attributes
    ----------
    is_depthwise : bool
    weights : ndarray of float32
        Of a convolution, shape (height, width, n_inputs, n_outputs); of a depthwise one, shape
        (height, width, n_inputs, 1); of the last layer, shape (1024, 521).
    bias : ndarray of float32, shape (n_outputs,)
    stride : int
    """

    is_depthwise: bool
    weights: Float32
    bias: Float32
    stride: int


class Yamnet:
    """YAMNet's LiteRT file.

    Parameters
    ----------
    path : str or path-like
        ``yamnet.tflite``, with an input of 15,600 samples, an output of 521 scores, and the names
        of the classes.

    Attributes
    ----------
    names : list of str
        Names of the classes.

    Raises
    ------
    ValueError
        If the file isn't YAMNet.
    """

    def __init__(self, path: StrPath) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the option to read inner layers warns
            self._interpreter = Interpreter(
                os.fspath(path), num_threads=1, experimental_preserve_all_tensors=True
            )
        self._interpreter.allocate_tensors()
        self._tensors = {t["index"]: t for t in self._interpreter.get_tensor_details()}
        self.names = _names(path)
        (waveform,) = self._interpreter.get_input_details()
        (scores,) = self._interpreter.get_output_details()
        embeddings = [i for i, t in self._tensors.items() if "reduce_mean" in t["name"]
                      and t["shape"][-1] == FEATURES]  # fmt: skip
        if len(self.names) != scores["shape"][-1] or len(embeddings) != 1:
            message = f"{path} isn't YAMNet"
            raise ValueError(message)
        self._input, self._shape = waveform["index"], waveform["shape"]
        self._scores, self._embedding = scores["index"], embeddings[0]

    def layers(self) -> list[Layer]:
        """Return the layers with weights, from the first to the scores."""
        operators = self._interpreter._get_ops_details()  # noqa: SLF001  (no public way)
        layers = [
            (op["op_name"], *map(int, op["inputs"]), int(op["outputs"][0]))
            for op in operators
            if op["op_name"] in _LAYERS
        ]
        # The first fully connected layer is the mel filter bank, in floats.
        is_quantized = [
            len(self._tensors[layer[2]]["quantization_parameters"]["scales"]) for layer in layers
        ]
        return [self._layer(*layer) for layer in itertools.compress(layers, is_quantized)]

    def _layer(self, kind: str, values: int, weights: int, bias: int, output: int) -> Layer:
        array = self._dequantized(weights)
        is_dense = kind == "FULLY_CONNECTED"
        heights = [self._tensors[index]["shape"][1] for index in (values, output)]
        return Layer(
            kind == "DEPTHWISE_CONV_2D",
            array.T if is_dense else np.transpose(array, (1, 2, 3, 0)),
            self._dequantized(bias),
            1 if is_dense else int(heights[0] // heights[1]),
        )

    def _dequantized(self, index: int) -> Float32:
        """Return a tensor as float32. Its steps have a size for each channel, or one for all."""
        values: Any = self._interpreter.get_tensor(index)
        quantization = self._tensors[index]["quantization_parameters"]
        shape = np.ones(values.ndim, dtype=int)
        if len(quantization["scales"]) > 1:
            shape[quantization["quantized_dimension"]] = -1
        zeros = quantization["zero_points"].reshape(shape)
        return np.asarray(
            (values - zeros) * quantization["scales"].reshape(shape), dtype=np.float32
        )

    def __call__(self, waveform: Float32) -> tuple[Float32, Float32]:
        """Return the embedding and the scores of one patch, as the file computes them.

        Parameters
        ----------
        waveform : ndarray of float32, shape (15600,)
            Mono samples in [-1, 1] at 16 kHz.

        Returns
        -------
        embedding : ndarray of float32, shape (1024,)
            Values of 0 or more.
        scores : ndarray of float32, shape (521,)
            In [0, 1].
        """
        samples = np.ascontiguousarray(waveform[:PATCH_SAMPLES], dtype=np.float32)
        self._interpreter.set_tensor(self._input, samples.reshape(self._shape))
        self._interpreter.invoke()
        scores = self._interpreter.get_tensor(self._scores)
        return self._dequantized(self._embedding).reshape(-1), np.array(scores.reshape(-1))


def _names(path: StrPath) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(_NAMES).decode().splitlines()
    except (zipfile.BadZipFile, KeyError) as exc:
        message = f"{path} has no list of classes"
        raise ValueError(message) from exc


#: Load YAMNet from a file, once per process.
load_yamnet = cache(Yamnet)
