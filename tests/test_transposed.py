"""The gradient of transposed convolutions under JAX."""

import os
import subprocess
import sys

import pytest
from helpers import REPOSITORY

pytest.importorskip("jax", reason="JAX is not installed")

COMPARE = """
import jax, keras, numpy as np
from keras.src.backend.jax import nn
from segmentation import devices

usual = nn.conv_transpose

rng = np.random.default_rng(0)
image = rng.random((2, 5, 6, 3), "float32")
for size, options in [(2, {"strides": 2}), (3, {"strides": 3}), ((2, 3), {"strides": (2, 3)}),
                      (3, {"strides": 2, "padding": "same"}), (2, {"strides": 2, "data_format": "channels_first"})]:
    layer = keras.layers.Conv2DTranspose(4, size, **options)
    weights = rng.random(layer(image).shape, "float32")

    def find_gradients():
        def find_loss(image, kernel):
            return (layer.stateless_call([kernel, layer.bias.value], [], image)[0] * weights).sum()

        given = image, layer.kernel.value
        return "custom_vjp" in str(jax.make_jaxpr(find_loss)(*given)), jax.grad(find_loss, argnums=(0, 1))(*given)

    nn.conv_transpose = usual
    other, before = find_gradients()
    devices.start()
    ours, after = find_gradients()
    print(other, ours)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), before, after)
"""


def test_gradients_are_those_of_keras():
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", COMPARE]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"] * 3 + ["False", "False"] * 2
