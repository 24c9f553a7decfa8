"""Fingerprints: whether two models give comparable embeddings.

A fingerprint is a digest over the weights' arrays in order and the front end's version, so
that it does not matter what kind of file the weights came in.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import WeightsError
from audiosearch.params import FRONT_END_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from audiosearch.params import Float32, UInt8

_CONVOLUTION, _FULLY_CONNECTED = 3, 9  # operator codes of the TensorFlow Lite schema

#: Shapes of VGGish's nine weight arrays; a bias of the last axis's length follows each.
VGGISH_SHAPES = (
    *((3, 3, 1, 64), (3, 3, 64, 128), (3, 3, 128, 256), (3, 3, 256, 256)),
    *((3, 3, 256, 512), (3, 3, 512, 512), (12_288, 4_096), (4_096, 4_096), (4_096, 128)),
)


def arrays_fingerprint(arrays: Iterable[Float32]) -> str:
    """Return the fingerprint of weights given as arrays, in the order of the layers."""
    digest = _new_digest()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


def tflite_fingerprint(path: Path) -> tuple[str, bool]:
    """Return the fingerprint of a LiteRT file, and whether it is VGGish's network.

    A file of VGGish's network has the fingerprint of the checkpoint it was converted from;
    any other file one of its bytes.

    Raises
    ------
    WeightsError
        Where it is no LiteRT file.
    """
    content = np.fromfile(path, dtype=np.uint8)
    try:
        layers = _layers(content)
    except Exception as exc:  # the generated reader raises what wild offsets lead to
        raise WeightsError(
            f"{path} is not a LiteRT model.",
            hint="--model takes vggish, compact, or a .tflite file.",
        ) from exc
    shapes = [array.shape for array in layers]
    if shapes == [shape for w in VGGISH_SHAPES for shape in (w, w[-1:])]:
        return arrays_fingerprint(layers), True
    return file_fingerprint(path), False


def file_fingerprint(path: Path) -> str:
    """Return the fingerprint of a file whose weights are not told apart from the rest of it."""
    digest = _new_digest()
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _new_digest() -> hashlib._Hash:
    return hashlib.sha256(FRONT_END_VERSION.encode())


def _layers(content: UInt8) -> list[Float32]:
    """Return weights and biases of the layers of a LiteRT file, laid out as in a checkpoint."""
    from ai_edge_litert import schema_py_generated as schema

    if bytes(content[4:8]) != b"TFL3":
        message = "no TensorFlow Lite identifier"
        raise ValueError(message)
    model = schema.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    arrays = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        if code not in (_CONVOLUTION, _FULLY_CONNECTED) or operator.InputsLength() < 3:
            continue
        for j in (1, 2):
            tensor = graph.Tensors(operator.Inputs(j))
            values = model.Buffers(tensor.Buffer()).DataAsNumpy().view("<f4")
            arrays.append(_as_in_checkpoint(values.reshape(tensor.ShapeAsNumpy())))
    return arrays


def _as_in_checkpoint(array: Float32) -> Float32:
    """Move the output axis, first in LiteRT's layers, to the end, as TensorFlow has it."""
    return np.moveaxis(array, 0, -1)
