"""Flips, turns and other transforms of an image, and how an image is cut into tiles. NumPy alone."""

import itertools
import math

import numpy as np

# Numbers of the flips and rotations, as for `turn`, that an image may be seen in.
TURNS = {"none": (0,), "mirror": (0, 4), "all": tuple(range(8))}


def turn(image, k):
    """The k-th of the eight flips and rotations of an array (height, width, ...)."""
    return np.rot90(image[:, ::-1] if k >= 4 else image, k % 4)


def turn_back(image, k):
    """Undo `turn`."""
    image = np.rot90(image, -(k % 4))
    return image[:, ::-1] if k >= 4 else image


def find_matrix(transform, size):
    """The matrix of a transform of Keras's ImageDataGenerator.

    Parameters
    ----------
    transform : dict
        As from `ImageDataGenerator.get_random_transform`, which names its shifts by the other axis: `tx` is along x.
    size : tuple (height, width)

    Returns
    -------
    float64 array (2, 3)
        By which (x, y, 1) in the moved image becomes (x, y) in the image, in pixels.
    """
    theta, shear = np.deg2rad([transform["theta"], transform["shear"]])
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    shearing = np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
    zoom = np.diag([transform["zx"], transform["zy"]])
    flip = np.diag([-1 if transform[f"flip_{axis}"] else 1 for axis in ("horizontal", "vertical")])
    linear = rotation @ shearing @ zoom @ flip
    centre = (np.array(size[::-1]) - 1) / 2
    shift = rotation @ [transform["tx"], transform["ty"]]
    return np.column_stack([linear, centre + shift - linear @ centre])


def round_up(number, multiple):
    """The least multiple that is not below a number."""
    return -(-number // multiple) * multiple


def cut_axis(length, tile, halo, multiple):
    """Cut one axis of an image into tiles, as few as possible and equal.

    Parameters
    ----------
    length : int
        That of the axis, in pixels; the last window reaches beyond it, to the next multiple.
    tile : int
        Side of a tile at most, a multiple of `multiple`.
    halo : int
        How much of the image is looked at on either side of a tile, a multiple of `multiple`.
    multiple : int
        Step of the grid on which windows begin and end.

    Yields
    ------
    window, inner, outer : slices
        What is to be looked at of the image, where the tile is in that, and where it is in the image. All windows are
        of one size, and begin at multiples.
    """
    padded = round_up(length, multiple)
    count = max(1, math.ceil((padded - 2 * halo) / tile))
    side = round_up(math.ceil((padded + 2 * halo * (count - 1)) / count), multiple)
    step = side - 2 * halo
    count = max(1, math.ceil((padded - 2 * halo) / step)) if count > 1 else 1
    for k in range(count):
        start = min(k * step, padded - side)
        first = k * step + halo if k else 0
        last = (k + 1) * step + halo if k < count - 1 else length
        yield slice(start, start + side), slice(first - start, last - start), slice(first, last)


def cut_image(size, tile, halo, multiple=1):
    """Cut an image into tiles, each axis by `cut_axis`.

    Parameters
    ----------
    size : tuple (height, width)
    tile, halo, multiple
        As for `cut_axis`.

    Returns
    -------
    list of (window, inner, outer)
        Each a pair of slices, by which arrays (height, width, ...) are indexed.
    """
    axes = [list(cut_axis(length, tile, halo, multiple)) for length in size]
    return [tuple(zip(*pair, strict=True)) for pair in itertools.product(*axes)]
