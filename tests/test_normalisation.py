"""Batch normalisation under TensorFlow, beside Keras's own."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("Keras computes by another backend", allow_module_level=True)

import tensorflow as tf

from segmentation import devices, normalisation


def step(call, monkeypatch, image, **options):
    """What a layer with this `call` gives for an image in training, its gradients, and what it keeps of the image."""
    monkeypatch.setattr(keras.layers.BatchNormalization, "call", call)
    layer = keras.layers.BatchNormalization(momentum=0.9, **options)
    layer.build(image.shape)
    count = image.shape[layer.axis]
    for weight, values in zip(
        layer.weights, (np.arange(count) - 1, np.arange(count), np.ones(count), np.ones(count)), strict=True
    ):
        weight.assign(values)
    image = tf.Variable(tf.cast(image, layer.compute_dtype))
    weights = np.random.default_rng(1).random(image.shape)
    with tf.GradientTape() as tape:
        output = layer(image, training=True)
        loss = tf.reduce_sum(tf.cast(output, "float32") * weights)
    gradients = tape.gradient(loss, [image, *[weight.value for weight in layer.trainable_variables]])
    kept = [layer.moving_mean, layer.moving_variance]
    return [np.float32(keras.ops.convert_to_numpy(part)) for part in (output, *gradients, *kept)]


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("dtype, error", [("float32", 1e-4), ("mixed_bfloat16", 0.02)])
def test_a_step_is_that_of_keras(monkeypatch, channels, dtype, error):
    image = np.float32(np.random.default_rng(0).normal(2, 3, (4, 5, 6, channels)))
    usual = step(normalisation.original, monkeypatch, image, dtype=dtype)
    monkeypatch.setattr(normalisation, "original", None)
    ours = step(normalisation.normalise, monkeypatch, image, dtype=dtype)
    for one, other in zip(ours, usual, strict=True):
        np.testing.assert_allclose(one, other, rtol=error, atol=error * max(np.abs(other).max(), 1))


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
