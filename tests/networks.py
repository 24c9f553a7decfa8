"""Small LiteRT models, made for tests."""

import tensorflow as tf


def tflite(path, embed, *, patches=None, shape=(None, 96, 64)):
    """Write a LiteRT model of a function of patches."""
    signature = [tf.TensorSpec(shape, tf.float32)]
    function = tf.function(embed, input_signature=signature)
    concrete = [function.get_concrete_function()]
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions(concrete).convert())
    return path


def mean_bands(patches):
    return tf.concat([tf.reduce_mean(patches, axis=1), tf.reduce_max(patches, axis=1)], axis=1)
