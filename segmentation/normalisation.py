"""Faster batch normalisation in training under TensorFlow, on processors.

Keras makes it of some twenty operations, each of which reads or writes a whole map in float32. With so few channels as
those of main.py's network that is a quarter of a training step. TensorFlow has one operation for it and one for its
gradient, in the same numbers.
"""

import functools

import keras
import tensorflow as tf

LANES = 16  # channels that oneDNN takes at once; of another number it is slow in bfloat16, but not in float32
TYPES = "float32", "bfloat16"

original = keras.layers.BatchNormalization.call


def use():
    """Let the layers of Keras take it where there is no GPU, for which it was not measured."""
    if not tf.config.list_physical_devices("GPU"):
        keras.layers.BatchNormalization.call = normalise


@functools.wraps(original)
def normalise(layer, inputs, training=None, mask=None):
    """As `keras.layers.BatchNormalization.call`, which documents the arguments."""
    maps = len(inputs.shape) == 4 and layer.axis in (-1, 3) and mask is None and inputs.dtype.name in TYPES
    plain = layer.scale and layer.center and not layer.synchronized and not getattr(layer, "renorm", False)
    if not (training and layer.trainable and maps and plain):
        return original(layer, inputs, training=training, mask=mask)
    x = inputs if inputs.shape[-1] % LANES == 0 else tf.cast(inputs, tf.float32)
    gamma, beta, old_mean, old_variance = map(
        keras.ops.convert_to_tensor, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=layer.epsilon)
    # TensorFlow's variance is that of the pixels' population, and Keras keeps that of the batch.
    count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    variance *= (count - 1) / count
    layer.moving_mean.assign(old_mean * layer.momentum + mean * (1 - layer.momentum))
    layer.moving_variance.assign(old_variance * layer.momentum + variance * (1 - layer.momentum))
    return tf.cast(outputs, layer.compute_dtype)
