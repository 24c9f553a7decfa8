"""Export: a trained student and a fitted projection become one LiteRT file."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.signatures import POOLED, VALUES
from audiosearch.training.projection import N_VALUES, Projection, patch_values

if TYPE_CHECKING:
    from collections.abc import Callable


def litert_file(student: Any, projection: Projection) -> bytes:
    """Return the bytes of the LiteRT file of a student and a projection.

    Parameters
    ----------
    student : keras.Model
    projection : Projection
    """
    return two_signatures(
        lambda patches: patch_values(student, patches), projection.embeddings, n_values=N_VALUES
    )


def two_signatures(
    values: Callable[[Any], Any], embeddings: Callable[[Any], Any], *, n_values: int
) -> bytes:
    """Return the bytes of a LiteRT file with the two signatures that `Network` reads.

    Parameters
    ----------
    values : callable
        Turns a tensor of patches, float32, shape (n, 96, 64), into values, shape (n, n_values).
    embeddings : callable
        Turns averages of values, float32, shape (n, n_values), into embeddings, shape
        (n, dimension).
    n_values : int
    """
    import tensorflow as tf

    model = tf.Module()
    signatures = {
        VALUES: _constant(values, "patches", (None, PATCH_FRAMES, N_BANDS)),
        POOLED: _constant(embeddings, "averages", (None, n_values)),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(model, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, list(signatures))
        content: bytes = converter.convert()
    return content


def _constant(compute: Callable[[Any], Any], name: str, shape: tuple[int | None, ...]) -> Any:
    """Return a function without variables: a LiteRT file with two signatures can't hold any."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    rows = [tf.TensorSpec(shape, tf.float32, name=name)]
    traced = tf.function(compute, input_signature=rows).get_concrete_function()
    constant = convert_variables_to_constants_v2(traced)
    return tf.function(lambda values: constant(values)[0], input_signature=rows)
