"""Large images in tiles, with the same result as in one piece.

A tile is predicted with a halo around it that is at least as wide as the network looks, from a place on the network's
pooling grid. Only where the image ends do tiles end without a halo, as the image itself does.
"""

import math

import keras
import numpy as np


def size_multiple(network):
    """What height and width have to be divisible by: the product of the strides of all layers that shrink an image.

    Returns
    -------
    int
        2**depth for `unet`; with strides on parallel branches more than need be, which costs only padding.
    """
    shrinking = [layer for layer in network.layers if hasattr(layer, "strides") and not is_transposed(layer)]
    return math.prod(max(layer.strides) for layer in shrinking)


def is_transposed(layer):
    return "Transpose" in type(layer).__name__


def receptive_radius(network):
    """How far from a pixel the image can matter to its probability, in pixels: at least that, added up over the layers.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If a layer looks at the whole image. Layers without a kernel, a pool or a size count as looking at one pixel.
    """
    reach = {id(network.inputs[0]): (0, 1)}  # radius, and what a step to the next value is in pixels
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        radius, pixel = map(max, zip(*(reach[id(tensor)] for tensor in keras.tree.flatten(layer.input)), strict=True))
        if hasattr(layer, "kernel_size"):
            size, stride = max(layer.kernel_size), max(layer.strides)
            if is_transposed(layer):
                radius += (size - 1) // stride * pixel
                pixel //= stride
            else:
                radius += size // 2 * max(layer.dilation_rate) * pixel
                pixel *= stride
        elif hasattr(layer, "pool_size"):
            radius += (max(layer.pool_size) - 1) * pixel
            pixel *= max(layer.strides)
        elif isinstance(layer, keras.layers.UpSampling2D):
            # Interpolation looks at the next value.
            radius += pixel if layer.interpolation != "nearest" else 0
            pixel //= max(layer.size)
        elif "Global" in type(layer).__name__:
            raise ValueError(f"layer {layer.name} looks at the whole image, which cannot be predicted in tiles.")
        reach[id(layer.output)] = radius, pixel
    return reach[id(network.outputs[0])][0]


def cut(height, width, tile, halo, multiple):
    """Cut an image into tiles.

    Parameters
    ----------
    height, width : int
        Those of the image, which is to be padded to a multiple of `multiple`.
    tile : int
        Side of a tile, a multiple of `multiple`.
    halo : int
        How much of the image is predicted around a tile, a multiple of `multiple`.

    Yields
    ------
    window, inner, outer : pairs of slices
        What is to be predicted of the padded image, where the tile is in that, and where it is in the image. All
        windows are of one size.
    """
    side = tile + 2 * halo
    ends = round_up(height, multiple) - side, round_up(width, multiple) - side
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            top, left = (max(min(start - halo, end), 0) for start, end in zip((y, x), ends, strict=True))
            bottom, right = min(y + tile, height), min(x + tile, width)
            yield (
                np.s_[top : top + side, left : left + side],
                np.s_[y - top : bottom - top, x - left : right - left],
                np.s_[y:bottom, x:right],
            )


def round_up(number, multiple):
    """The least multiple that is not below a number."""
    return -(-number // multiple) * multiple
