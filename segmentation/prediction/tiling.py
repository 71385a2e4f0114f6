"""Large images in tiles, with the same result as in one piece.

A tile begins and ends on the network's pooling grid, and is predicted with a halo around it that is at least as wide as
the network looks from there. Only where the image ends do tiles end without a halo, as the image itself does.
"""

import math
import sys

import lazy_loader
import numpy as np
from tqdm import tqdm

from segmentation import devices, geometry
from segmentation.files import scaling
from segmentation.prediction import networks

keras = lazy_loader.load("keras")

TILE, SMALLEST_TILE = 2560, 256
WIDEST = 190_000_000  # values that one layer may hold, 0.7 GiB of float32: those of `TILE` at width 12
TAPS = {"nearest": 1, "bilinear": 2, "bicubic": 4, "lanczos3": 6, "lanczos5": 10}  # values that are interpolated


def predict_tiles(network, image, turns="all", tile=None, scaled=scaling.BY_DTYPE):
    """Predict an image tile by tile, padded by reflection to a size that the network takes.

    When the device is out of memory, the image is begun again with tiles of half the size.

    Parameters
    ----------
    network : keras.Model
    image : array (height, width) or (height, width, channels)
        Pixels, or floats that are scaled already.
    turns : str
        One of `geometry.TURNS`: the flips and rotations of the image to average over.
    tile : int or None
        Side of a tile without its halo, in pixels, rounded up to the pooling grid; None for `fitting_tile`.
    scaled : scaling.Scaling
        How the image is scaled: always as a whole.

    Yields
    ------
    part : float32 array (height, width) or (height, width, classes) in [0, 1]
        Probabilities of a tile and its halo.
    inner, outer : pairs of slices
        Where the tile is in `part`, and where in the image.

    Raises
    ------
    ValueError
        If the device is out of memory with tiles of `SMALLEST_TILE` pixels too.
    """
    side = max(image.shape[:2])
    scaled = scaling.fit(scaled, image)
    tile = tile or (fitting_tile(network) if side > SMALLEST_TILE else SMALLEST_TILE)
    while True:
        try:
            yield from _predict_each(network, image, turns, tile, scaled)
            return
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise
        tile = min(tile, side) // 2
        if tile < SMALLEST_TILE:
            raise ValueError(f"out of memory with tiles of {2 * tile} pixels; use a narrower network.")
        print(f"Out of memory; going on with tiles of {tile} pixels.", file=sys.stderr)


def _predict_each(network, image, turns, tile, scaled):
    """What `predict_tiles` yields, with tiles of that size."""
    multiple = size_multiple(network)
    halo = find_halo(network) if max(image.shape[:2]) > tile else 0
    tiles = geometry.cut_image(image.shape[:2], geometry.round_up(tile, multiple), halo, multiple)
    for window, inner, outer in tqdm(tiles, desc="Tiles", unit="tile", leave=False, disable=len(tiles) == 1):
        part = scaling.scale(image[window], scaled)
        missing = [(0, side.stop - side.start - length) for side, length in zip(window, part.shape[:2], strict=True)]
        part = np.pad(part, [*missing, (0, 0)], mode="symmetric")
        turned = ((k, _predict_window(network, geometry.turn(part, k))) for k in geometry.TURNS[turns])
        parts = (geometry.turn_back(inside, k) for k, inside in turned)
        yield (next(parts) if turns == "none" else np.mean(list(parts), axis=0)), inner, outer


def _predict_window(network, image):
    """Probabilities, as from `predict_tiles`, of an image of a size that the network takes."""
    # One after the other, so that memory is that of one.
    parts = [member.predict_on_batch(image[np.newaxis])[0] for member in networks.find_members(network)]
    part = parts[0] if len(parts) == 1 else np.mean(parts, axis=0)
    return part.reshape(map_shape(network, part.shape[:2]))


def map_shape(network, size):
    """Shape of the probabilities of an image of that size, (height, width).

    Returns
    -------
    tuple
        (height, width) for the one probability that tells two classes apart, (height, width, classes) for more.
    """
    classes = network.output_shape[-1]
    return (*size, classes) if classes > 1 else tuple(size)


def _computing(network):
    """The layers of a network that compute something, in order."""
    return [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]


def _take_one(network):
    """A network to look at the layers of: of an average the first, since all are alike."""
    return networks.find_members(network)[0]


def _find_window(layer):
    """What a layer computes a value from.

    Returns
    -------
    size : int
        Side of the window that it looks at; of a layer that enlarges, in values of its output.
    down, up : int
        How many times it makes an image smaller, or larger.
    """
    if isinstance(layer, keras.layers.UpSampling2D):
        return TAPS[layer.interpolation] * max(layer.size), 1, max(layer.size)
    if hasattr(layer, "kernel_size"):
        size, stride = (max(layer.kernel_size) - 1) * max(layer.dilation_rate) + 1, max(layer.strides)
        return (size, 1, stride) if "Transpose" in type(layer).__name__ else (size, stride, 1)
    if hasattr(layer, "pool_size"):
        return max(layer.pool_size), max(layer.strides), 1
    return 1, 1, 1


def size_multiple(network):
    """What height and width have to be divisible by: how many times all layers together make an image smaller.

    Returns
    -------
    int
        2**depth for `unet`; with strides on parallel branches more than need be, which costs only padding.
    """
    return math.prod(_find_window(layer)[1] for layer in _computing(_take_one(network)))


def find_halo(network):
    """How far beyond a tile that begins and ends on the pooling grid the image can matter to it, in pixels.

    Added up from the output back to the image: a layer looks as far as the next one needs it, and half a window more.
    For a tile anywhere else it would be up to a step of the grid more.

    Returns
    -------
    int
        Rounded up to a `size_multiple`.

    Raises
    ------
    ValueError
        If a layer looks at the whole image. Layers without a kernel, a pool or a size count as looking at one pixel.
    """
    network = _take_one(network)
    beyond = {id(network.outputs[0]): 0}
    for layer in reversed(_computing(network)):
        if "Global" in type(layer).__name__:
            raise ValueError(f"layer {layer.name} looks at the whole image, which cannot be predicted in tiles.")
        size, down, up = _find_window(layer)
        sideways = (max(size - down * up, 0) + 1) // 2
        reach = math.ceil((beyond.get(id(layer.output), 0) * down + sideways) / up)
        for tensor in keras.tree.flatten(layer.input):
            beyond[id(tensor)] = max(reach, beyond.get(id(tensor), 0))
    return geometry.round_up(beyond[id(network.inputs[0])], size_multiple(network))


def fitting_tile(network):
    """The side of a tile, without its halo, whose widest layer holds at most `WIDEST` values.

    Returns
    -------
    int
        Between `SMALLEST_TILE` and `TILE`; `sys.maxsize` for a network that looks at the whole image at once.
    """
    network = _take_one(network)
    multiple = size_multiple(network)
    try:
        halo = find_halo(network)
    except ValueError:
        return sys.maxsize
    widest, pixels = 0, {id(network.inputs[0]): 1}  # pixels of the image from one value to the next
    for layer in _computing(network):
        _, down, up = _find_window(layer)
        step = max(pixels[id(tensor)] for tensor in keras.tree.flatten(layer.input)) * down / up
        pixels[id(layer.output)] = step
        widest = max(widest, layer.output.shape[-1] / step**2)
    side = math.isqrt(int(WIDEST / widest)) // multiple * multiple - 2 * halo
    return min(TILE, max(SMALLEST_TILE, side))
