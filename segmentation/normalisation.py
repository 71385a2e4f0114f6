"""Faster batch normalisation in training under TensorFlow, on processors.

Keras makes it of some twenty operations over whole maps, and TensorFlow is slow to sum or scale along so few channels
as those of main.py's network: a quarter of a training step. Here whole rows are summed and scaled, in float32 too.
"""

import functools

import keras
import tensorflow as tf

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
    gamma, beta = tf.convert_to_tensor(layer.gamma.value), tf.convert_to_tensor(layer.beta.value)
    outputs, mean, variance = normalise_rows(inputs, gamma, beta, layer.epsilon)
    layer.moving_mean.assign(layer.moving_mean * layer.momentum + mean * (1 - layer.momentum))
    layer.moving_variance.assign(layer.moving_variance * layer.momentum + variance * (1 - layer.momentum))
    return outputs


@tf.custom_gradient
def normalise_rows(maps, gamma, beta, epsilon):
    """Normalise the channels of maps of (batch, height, width, channels), scale them by gamma and add beta.

    Returns the maps, in their dtype, and the mean and variance of each channel, which have no gradient. The formulas
    are those of Ioffe and Szegedy (2015), section 3.
    """
    shape = tf.shape(maps)
    width, channels = shape[2], shape[3]
    count = tf.cast(tf.size(maps) // channels, tf.float32)

    def take_rows(values):
        return tf.reshape(tf.cast(values, tf.float32), (-1, width * channels))

    def average(rows):
        """Of each channel. A product with ones sums faster than `tf.reduce_sum`, and as exactly."""
        sums = tf.matmul(tf.ones((1, tf.shape(rows)[0])), rows)
        return tf.reduce_sum(tf.reshape(sums, (width, channels)), 0) / count

    def repeat(values):
        return tf.tile(values, [width])

    def give_back(rows):
        return tf.cast(tf.reshape(rows, shape), maps.dtype)

    rows = take_rows(maps)
    mean = average(rows)
    variance = average(tf.math.squared_difference(rows, repeat(mean)))
    deviation = tf.math.rsqrt(variance + epsilon)
    scale = gamma * deviation

    def differentiate(outer, *_):
        outer, centred = take_rows(outer), take_rows(maps) - repeat(mean)
        outer_mean, covariance = average(outer), average(outer * centred)
        inner = outer * repeat(scale) - centred * repeat(scale * covariance * deviation**2) - repeat(scale * outer_mean)
        return give_back(inner), count * covariance * deviation, count * outer_mean, None

    return (give_back(rows * repeat(scale) + repeat(beta - mean * scale)), mean, variance), differentiate
