"""Batch normalisation under TensorFlow, beside its formulas in float64, and where Keras's own is left."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("Keras computes by another backend", allow_module_level=True)

import tensorflow as tf

from segmentation import devices, normalisation


def step(image, weights, gamma, beta, dtype):
    """What a layer gives for an image in training, the gradients of its weighted sum, and the statistics it keeps."""
    layer = keras.layers.BatchNormalization(momentum=0.9, dtype=dtype)
    layer.build(image.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    image = tf.Variable(tf.cast(image, layer.compute_dtype))
    with tf.GradientTape() as tape:
        output = layer(image, training=True)
        loss = tf.reduce_sum(tf.cast(output, "float32") * weights)
    gradients = tape.gradient(loss, [image, layer.gamma.value, layer.beta.value])
    kept = [layer.moving_mean, layer.moving_variance]
    return [np.float32(keras.ops.convert_to_numpy(part)) for part in (output, *gradients, *kept)]


def compute_step(image, weights, gamma, beta):
    """The same by the formulas of Ioffe and Szegedy (2015), section 3, in float64."""
    mean, variance = image.mean((0, 1, 2)), image.var((0, 1, 2))
    deviation = np.sqrt(variance + 1e-3)
    normalised = (image - mean) / deviation
    outer_mean, covariance = weights.mean((0, 1, 2)), (weights * normalised).mean((0, 1, 2))
    inner = gamma / deviation * (weights - outer_mean - normalised * covariance)
    count = image[..., 0].size
    kept = 0.1 * mean, 0.9 + 0.1 * variance
    return normalised * gamma + beta, inner, count * covariance, count * outer_mean, *kept


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("dtype, error", [("float32", 1e-5), ("mixed_bfloat16", 0.01)])
def test_a_step_is_exact(monkeypatch, channels, dtype, error):
    """With channels that hardly change beside others that do: sums that are a little rough are far off there."""
    monkeypatch.setattr(normalisation, "original", None)
    monkeypatch.setattr(keras.layers.BatchNormalization, "call", normalisation.normalise)
    random = np.random.default_rng(0)
    deviations, means = np.geomspace(0.01, 3, channels), np.linspace(-3, 3, channels)
    image = random.normal(0, 1, (4, 64, 48, channels)) * deviations + means
    image, weights = (
        tf.cast(tf.cast(values, tf.bfloat16), tf.float64).numpy()
        for values in (image, random.normal(0, 1, image.shape))
    )
    given = image, weights, np.arange(channels) - 1.0, np.arange(channels) + 0.5
    for one, other in zip(step(*given, dtype), compute_step(*given), strict=True):
        np.testing.assert_allclose(one, other, rtol=error, atol=error * np.abs(other).max())


@pytest.mark.parametrize("options", [{"axis": 1}, {"scale": False}, {"center": False}, {"trainable": False}])
def test_other_layers_are_left_to_keras(monkeypatch, options):
    image = np.float32(np.random.default_rng(0).normal(2, 3, (4, 5, 6, 3)))
    asked = []
    usual = normalisation.original
    monkeypatch.setattr(normalisation, "original", lambda *given, **more: asked.append(1) or usual(*given, **more))
    monkeypatch.setattr(keras.layers.BatchNormalization, "call", normalisation.normalise)
    layer = keras.layers.BatchNormalization(**options)
    assert layer(image, training=True).shape == image.shape
    assert keras.layers.BatchNormalization()(image[0, 0], training=True).shape == image[0, 0].shape
    assert keras.layers.BatchNormalization()(image).shape == image.shape  # in prediction
    assert len(asked) == 3


@pytest.mark.parametrize("gpus", ["", "GPU:0"])
def test_it_is_used_where_there_is_no_gpu(monkeypatch, gpus):
    monkeypatch.setattr(keras.layers.BatchNormalization, "call", normalisation.original)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus.split())
    devices.start()
    expected = normalisation.original if gpus else normalisation.normalise
    assert keras.layers.BatchNormalization.call is expected
