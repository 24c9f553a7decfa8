"""Small LiteRT models, made for tests."""

import tensorflow as tf

from audiosearch.models.signatures import POOLED, VALUES
from audiosearch.training.export import signatures_file


def tflite(path, embed, *, shape=(None, 96, 64)):
    """Write a LiteRT model that computes a function of patches."""
    signature = [tf.TensorSpec(shape, tf.float32)]
    function = tf.function(embed, input_signature=signature)
    concrete = [function.get_concrete_function()]
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions(concrete).convert())
    return path


def mean_bands(patches):
    """Return the mean and the maximum of each band: shape (n, 128)."""
    return tf.concat([tf.reduce_mean(patches, axis=1), tf.reduce_max(patches, axis=1)], axis=1)


def band_statistics(patches, *, dimension):
    """Return statistics of each band over the patch, repeated or cut to a dimension."""
    parts = [*tf.split(patches, 4, axis=1), patches]
    means = [tf.reduce_mean(part, axis=1) for part in parts]
    maxima = [tf.reduce_max(part, axis=1) for part in parts]
    values = tf.concat([*means, *maxima], axis=1)  # (n, 640)
    return tf.tile(values, [1, -(-dimension // 640)])[:, :dimension]


def pooled_tflite(path, values, embeddings, *, n_values):
    """Write a LiteRT model with a second signature, from averages to embeddings."""
    computations = {VALUES: (values, (96, 64)), POOLED: (embeddings, (n_values,))}
    path.write_bytes(signatures_file(computations))
    return path
