"""Images and labels for training: pairing, reading, splitting, augmenting.

A dataset is a folder (see README.md):

    DIR/train/image/<stem>.png   DIR/train/label/<stem>.png    paired by stem
    DIR/test/<stem>.png          DIR/test/label/<stem>.png     the second is optional

In a label the higher of two values is the inside of a cell, the lower is membrane.
"""

import threading
from pathlib import Path

import numpy as np
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator  # tensorflow.keras's, without TensorFlow
from scipy import ndimage

import formats

# What the same tissue may look like in another section. Shears and rotations are in degrees, and keep the membranes'
# look.
AFFINE = {"rotation_range": 10, "shear_range": 5, "zoom_range": 0.1, "fill_mode": "reflect"}
IMAGE_GENERATOR = ImageDataGenerator(**AFFINE, interpolation_order=1)
LABEL_GENERATOR = ImageDataGenerator(**AFFINE, interpolation_order=0)
CONTRAST = 0.2
BRIGHTNESS = 0.1
NOISE = 0.08
NUMPY_RANDOM_STATE = threading.Lock()


def read_image(file):
    """Read an image for the network: float32 (height, width, 1), the dtype's range scaled to [0, 1]."""
    array = formats.read_array(file)
    return (array / np.float32(np.iinfo(array.dtype).max))[..., np.newaxis]


def read_labels(files):
    """Read labels that belong together: a list of bool (height, width), True where their higher value stands."""
    arrays = [formats.read_array(file) for file in files]
    inside = max(array.max() for array in arrays)
    return [array == inside for array in arrays]


def read_pairs(folder):
    """Read `folder`/image and `folder`/label.

    Returns
    -------
    stems : list of str, in natural order
    images : list of float32 arrays (height, width, 1) in [0, 1]
    labels : list of bool arrays (height, width), True inside cells
    """
    images = formats.find_images(Path(folder) / "image")
    labels = formats.find_images(Path(folder) / "label")
    return list(images), [read_image(file) for file in images.values()], read_labels([labels[stem] for stem in images])


def split(count, fraction):
    """Hold out the last `fraction` of `count` sections: a block, since neighbouring sections resemble each other.

    Returns
    -------
    training, held_out : slice
    """
    first = count - max(1, round(count * fraction))
    return slice(0, first), slice(first, count)


def augment(image, label, rng, turns=True, grey=True, elastic=0.0):
    """Vary an image and its label in the same way.

    The image is interpolated linearly, the label takes its nearest value, so that no new values arise.

    Parameters
    ----------
    image : float32 array (height, width, channels) in [0, 1], square
    label : array (height, width, any number)
    rng : numpy.random.Generator
    turns : bool
        Whether to flip and rotate by quarter turns, for pictures that have no upper side.
    grey : bool
        Whether to change contrast, brightness and noise.
    elastic : float
        As for `deform`, before anything else; 0 for none.

    Returns
    -------
    image, label : float32 arrays of the same shapes
    """
    label = label.astype("float32")
    if elastic:
        image, label = deform(image, label, rng, elastic)
    transform = draw_transform(IMAGE_GENERATOR, image.shape, rng)
    image = IMAGE_GENERATOR.apply_transform(image, transform)
    label = LABEL_GENERATOR.apply_transform(label, transform)
    if grey:
        contrast = np.float32(1 + rng.uniform(-CONTRAST, CONTRAST))
        brightness = np.float32(rng.uniform(-BRIGHTNESS, BRIGHTNESS))
        noise = rng.standard_normal(image.shape, dtype="float32")
        noise *= np.float32(rng.uniform(0, NOISE))
        image = image * contrast + (image.mean() * (1 - contrast) + brightness) + noise
    k = rng.integers(8) if turns else 0
    return turn(image, k), turn(label, k)


def turn(image, k):
    """The k-th of the eight flips and rotations of an array (height, width, ...)."""
    return np.rot90(image[:, ::-1] if k >= 4 else image, k % 4)


def turn_back(image, k):
    """Undo `turn`."""
    image = np.rot90(image, -(k % 4))
    return image[:, ::-1] if k >= 4 else image


def draw_transform(generator, shape, rng):
    """Draw a transform of an ImageDataGenerator, out of `rng` and safely in threads."""
    # The generator draws from numpy's global state, which threads share: seed it, draw and put it back.
    with NUMPY_RANDOM_STATE:
        state = np.random.get_state()
        transform = generator.get_random_transform(shape, seed=int(rng.integers(2**32)))
        np.random.set_state(state)
    return transform


def deform(image, label, rng, deviation):
    """Deform an image and its label elastically, as in the U-Net paper.

    Random displacements on a grid of 3x3 points, interpolated bicubically between them.

    Parameters
    ----------
    image, label : float32 arrays (height, width, any number)
    rng : numpy.random.Generator
    deviation : float
        Standard deviation of the displacements in pixels; 10 in the paper.
    """
    size = image.shape[:2]
    zoom = [side / 3 for side in size]
    places = np.mgrid[: size[0], : size[1]].astype("float32")
    for axis in places:
        grid = rng.normal(0, deviation, (3, 3)).astype("float32")
        axis += ndimage.zoom(grid, zoom, order=3, mode="nearest", grid_mode=True)
    return move(image, places, order=1), move(label, places, order=0)


def move(image, places, order):
    """Take each pixel of an array (height, width, channels) from its place, interpolated by splines of an order."""
    channels = np.moveaxis(image, -1, 0)
    return np.stack([ndimage.map_coordinates(c, places, order=order, mode="reflect") for c in channels], axis=-1)
