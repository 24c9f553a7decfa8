"""Small LiteRT models, made for tests."""

import tensorflow as tf

from audiosearch.training.export import two_signatures


def tflite(path, embed, *, patches=None, shape=(None, 96, 64)):
    """Write a LiteRT model of a function of patches."""
    signature = [tf.TensorSpec(shape, tf.float32)]
    function = tf.function(embed, input_signature=signature)
    concrete = [function.get_concrete_function()]
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions(concrete).convert())
    return path


def mean_bands(patches):
    return tf.concat([tf.reduce_mean(patches, axis=1), tf.reduce_max(patches, axis=1)], axis=1)


def pooled_tflite(path, values, embeddings, *, n_values):
    """Write a LiteRT model with a second signature, from averages to embeddings."""
    path.write_bytes(two_signatures(values, embeddings, n_values=n_values))
    return path
