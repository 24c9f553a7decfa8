"""Export: YAMNet's layers and a fitted projection become compact.tflite, with 8-bit integers."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.signatures import POOLED, SOUNDS, SOUNDS_FROM_VALUES, VALUES
from audiosearch.models.tagger import NAMES
from audiosearch.training.network import N_VALUES, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from audiosearch.training.projection import Projection
    from audiosearch.types import Float32

_CALIBRATION_BATCH = 64
_LARGE_MATRIX = 100_000  # numbers

Computation = tuple["Callable[[Any], Any]", tuple[int | None, ...]]


def litert_file(
    network: Network, projection: Projection, names: Sequence[str], patches: Float32
) -> bytes:
    """Return the bytes of compact.tflite.

    Parameters
    ----------
    network : Network
    projection : Projection
    names : sequence of str
        Names of the classes.
    patches : ndarray of float32, shape (n, 96, 64)
        Patches of many sounds. The ranges of the integers are those of their values.
    """
    content = signatures_file(
        {
            VALUES: (network.values, (PATCH_FRAMES, N_BANDS)),
            POOLED: (projection.embeddings, (N_VALUES,)),
            SOUNDS: (network.sounds, (PATCH_FRAMES, N_BANDS)),
            SOUNDS_FROM_VALUES: (network.sounds_from_values, (N_VALUES,)),
        }
    )
    return _quantized(_with_metadata(content, NAMES, "\n".join(names).encode()), patches)


def signatures_file(computations: Mapping[str, Computation]) -> bytes:
    """Return the bytes of a LiteRT file with several signatures, in single precision.

    Parameters
    ----------
    computations : mapping of str to (callable, tuple of int)
        By the signature's name, a function of a tensor of float32, and the shape of the tensor
        without its first axis, whose length is free.
    """
    import tensorflow as tf

    signatures = {
        name: _constant(compute, (None, *shape)) for name, (compute, shape) in computations.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, list(signatures))
        content: bytes = converter.convert()
    return content


def _constant(compute: Callable[[Any], Any], shape: tuple[int | None, ...]) -> Any:
    """Return a function without variables: a LiteRT file with two signatures can't hold any."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    rows = [tf.TensorSpec(shape, tf.float32, name="rows")]
    traced = tf.function(compute, input_signature=rows).get_concrete_function()
    constant = convert_variables_to_constants_v2(traced)
    return tf.function(lambda rows: constant(rows)[0], input_signature=rows)


def _with_metadata(content: bytes, name: str, text: bytes) -> bytes:
    """Return a LiteRT file with one more entry in its metadata."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text, dtype=np.uint8)
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _quantized(content: bytes, patches: Float32) -> bytes:
    """Return a LiteRT file whose convolutions compute in 8-bit integers.

    Large matrices are stored as 8-bit integers. All but convolutions computes in single precision.
    """
    from ai_edge_quantizer import qtyping, quantizer

    operations = qtyping.TFLOperationName
    quantization = quantizer.Quantizer(content)
    for operation in (operations.CONV_2D, operations.DEPTHWISE_CONV_2D):
        quantization.add_static_config(".*", operation, activation_num_bits=8, weight_num_bits=8)
    weights = qtyping.TensorQuantizationConfig(
        num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
    )
    matrices = qtyping.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
        min_weight_elements=_LARGE_MATRIX,
    )
    quantization.update_quantization_recipe(".*", operations.FULLY_CONNECTED, matrices)
    batches = np.array_split(patches, -(-len(patches) // _CALIBRATION_BATCH))
    data = [{"rows": batch} for batch in batches]
    ranges = quantization.calibrate({VALUES: data, SOUNDS: data})
    return bytes(quantization.quantize(ranges).quantized_model)
