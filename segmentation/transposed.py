"""A faster gradient of transposed convolutions under JAX.

For its kernel JAX takes the gradient of a transposed convolution by a convolution whose window is as large as the
image. On a GPU this is a quarter of a training step of the paper's U-Net. Here it is the gradient of the convolution
whose transpose the layer is, in the same numbers, for layers that double or triple the image as those of a U-Net do.
"""

import functools

import jax
from keras.src.backend.jax import nn

original = nn.conv_transpose  # Keras has no public place to give a gradient of one's own


def use():
    """Let the layers of Keras take it."""
    _enlarge.defvjp(_keep, _find_gradients)
    nn.conv_transpose = conv_transpose


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """As `keras.ops.conv_transpose`, which documents the arguments."""
    inputs, kernel = nn.convert_to_tensor(inputs), nn.convert_to_tensor(kernel)
    pairs = tuple(value if isinstance(value, int) else tuple(value) for value in (strides, dilation_rate))
    plain = padding == "valid" and not output_padding and data_format == "channels_last" and kernel.ndim == 4
    if plain and pairs == (kernel.shape[:2], (1, 1)):
        return _enlarge(inputs, kernel)
    return original(inputs, kernel, strides, padding, output_padding, data_format, dilation_rate)


@jax.custom_vjp
def _enlarge(image, kernel):
    """A transposed convolution that gives each pixel a window of its own: strides are as large as the kernel."""
    return original(image, kernel, kernel.shape[:2], "valid", None, "channels_last")


def _shrink(image, kernel):
    """The convolution whose transpose it is."""
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(image, kernel, kernel.shape[:2], "VALID", dimension_numbers=numbers)


def _keep(image, kernel):
    return _enlarge(image, kernel), (image, kernel)


def _find_gradients(kept, gradient):
    image, kernel = kept
    # <gradient, enlarge(image, kernel)> is <shrink(gradient, kernel), image>.
    of_image, pull_back = jax.vjp(functools.partial(_shrink, gradient), kernel)
    return of_image, *pull_back(image)
