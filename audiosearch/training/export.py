"""From a trained student and a fitted mix to one LiteRT file."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.runtime import POOLED
from audiosearch.training.mix import N_VALUES, Projection, patch_values

if TYPE_CHECKING:
    from collections.abc import Callable


def litert(student: Any, mix: Projection) -> bytes:
    """Return the LiteRT file of a student and a mix.

    Parameters
    ----------
    student : keras.Model
    mix : Projection
    """
    return two_signatures(
        lambda patches: patch_values(student, patches), mix.embeddings, n_values=N_VALUES
    )


def two_signatures(
    values: Callable[[Any], Any], embeddings: Callable[[Any], Any], *, n_values: int
) -> bytes:
    """Return a LiteRT file of patches to values, and of averages of values to embeddings.

    Parameters
    ----------
    values : callable
        From a tensor of shape (n, 96, 64) to one of shape (n, n_values).
    embeddings : callable
        From a tensor of shape (n, n_values) to one of shape (n, 128).
    n_values : int
    """
    import tensorflow as tf

    model = tf.Module()
    signatures = {
        "serving_default": _constant(values, "patches", (None, PATCH_FRAMES, N_BANDS)),
        POOLED: _constant(embeddings, "averages", (None, n_values)),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(model, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, list(signatures))
        content: bytes = converter.convert()
    return content


def _constant(compute: Callable[[Any], Any], name: str, shape: tuple[int | None, ...]) -> Any:
    """Return a function without variables, which a file of two signatures does not keep."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    rows = [tf.TensorSpec(shape, tf.float32, name=name)]
    traced = tf.function(compute, input_signature=rows).get_concrete_function()
    constant = convert_variables_to_constants_v2(traced)
    return tf.function(lambda values: constant(values)[0], input_signature=rows)
