"""Recognizing VGGish's network in a LiteRT file, and reading its weights."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.models.vggish_layers import VGGISH_SHAPES

if TYPE_CHECKING:
    from audiosearch.types import Float32

# Operators of the TensorFlow Lite schema, with the options that change their results.
_CONVOLUTION, _FULLY_CONNECTED, _MAX_POOL, _RESHAPE = 3, 9, 17, 22
_SAME, _NO_ACTIVATION, _RELU = 0, 0, 1
_CONV = (_CONVOLUTION, _SAME, 1, 1, 1, 1, _RELU)
_POOL = (_MAX_POOL, _SAME, 2, 2, 2, 2, _NO_ACTIVATION)
_VGGISH = (
    (_RESHAPE,),
    *(_CONV, _POOL, _CONV, _POOL, _CONV, _CONV, _POOL, _CONV, _CONV, _POOL),
    (_RESHAPE,),
    *((_FULLY_CONNECTED, _RELU), (_FULLY_CONNECTED, _RELU), (_FULLY_CONNECTED, _NO_ACTIVATION)),
)


def vggish_arrays(content: bytes) -> list[Float32] | None:
    """Return VGGish's weights and biases, layer by layer, laid out as in a checkpoint.

    Parameters
    ----------
    content : bytes
        Bytes of a LiteRT file.

    Returns
    -------
    list of ndarray of float32, or None
        None unless the file is a chain of exactly VGGish's operators with its shapes.
    """
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        return None
    try:
        model = schema.Model.GetRootAsModel(content, 0)
        graph = model.Subgraphs(0)
        if (model.SubgraphsLength(), graph.OperatorsLength()) != (1, len(_VGGISH)):
            return None
        operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
        if tuple(_described(model, operator) for operator in operators) != _VGGISH:
            return None
        if not _is_chain(graph, operators):
            return None
        layers = [op for op, kind in zip(operators, _VGGISH, strict=True) if kind[0] in _LAYERS]
        arrays = [_array(model, graph, op.Inputs(i)) for op in layers for i in (1, 2)]
    except (struct.error, ValueError, IndexError, AttributeError, TypeError):
        return None  # damaged, or not written by the converter
    shapes = [array.shape for array in arrays]
    expected = [shape for weights in VGGISH_SHAPES for shape in (weights, weights[-1:])]
    return arrays if shapes == expected else None


_LAYERS = (_CONVOLUTION, _FULLY_CONNECTED)


def _described(model: Any, operator: Any) -> tuple[int, ...]:
    """Return an operator's code and the options that change its results."""
    from ai_edge_litert import schema_py_generated as schema

    code = int(model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode())
    table = operator.BuiltinOptions()
    if code == _CONVOLUTION:
        options = schema.Conv2DOptions()
        options.Init(table.Bytes, table.Pos)
        steps = (options.StrideH(), options.StrideW())
        dilation = (options.DilationHFactor(), options.DilationWFactor())
        return (code, options.Padding(), *steps, *dilation, options.FusedActivationFunction())
    if code == _MAX_POOL:
        options = schema.Pool2DOptions()
        options.Init(table.Bytes, table.Pos)
        steps = (options.StrideH(), options.StrideW())
        window = (options.FilterHeight(), options.FilterWidth())
        return (code, options.Padding(), *steps, *window, options.FusedActivationFunction())
    if code == _FULLY_CONNECTED:
        options = schema.FullyConnectedOptions()
        options.Init(table.Bytes, table.Pos)
        return (code, options.FusedActivationFunction())
    return (code,)


def _is_chain(graph: Any, operators: list[Any]) -> bool:
    """Return whether each operator's input is the output of the operator before it."""
    firsts = [operator.Inputs(0) for operator in operators]
    outputs = [operator.Outputs(0) for operator in operators]
    ends = graph.Inputs(0) == firsts[0] and graph.Outputs(0) == outputs[-1]
    return bool(ends and firsts[1:] == outputs[:-1])


def _array(model: Any, graph: Any, index: int) -> Float32:
    """Return a constant with its output axis moved to the end; it comes first in LiteRT."""
    tensor = graph.Tensors(index)
    values = model.Buffers(tensor.Buffer()).DataAsNumpy().view("<f4")
    return np.moveaxis(values.reshape(tensor.ShapeAsNumpy()), 0, -1)
