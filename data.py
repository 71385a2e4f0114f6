"""Images and labels for training: pairing, reading, splitting, augmenting.

A dataset is a folder (see README.md):

    DIR/train/image/<stem>.<ext>   DIR/train/label/<stem>.<ext>    paired by stem
    DIR/test/<stem>.<ext>          DIR/test/label/<stem>.<ext>     the second is optional

    python data.py DIR     # what is there, and everything that is wrong with it

PNG, TIFF, JPEG or BMP. In a label the higher of two values is the inside of a cell, the lower is membrane; each of more
values is a class.
"""

import argparse
import sys
import threading
from pathlib import Path

import numpy as np
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator  # tensorflow.keras's, without TensorFlow
from scipy import ndimage

import folders
import formats
import geometry

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
    """Read an image for the network: float32 (height, width, 1 or 3) in [0, 1], as `scale` makes it.

    Raises
    ------
    ValueError
        If the file cannot be read, or its pixels not scaled; says which file.
    """
    array = formats.read_array(file)
    check_range(array, file)
    return scale(array)


def scale(array):
    """Scale an image by its dtype, never by its content.

    Parameters
    ----------
    array : array (height, width) or (height, width, channels)
        Such as `check_range` lets pass.

    Returns
    -------
    float32 array (height, width, channels) in [0, 1]
    """
    if array.dtype.kind == "u":
        array = array / np.float32(np.iinfo(array.dtype).max)
    return array.astype("float32", copy=False).reshape(*array.shape[:2], -1)


def check_range(array, file):
    """Refuse pixels that cannot be scaled by their dtype.

    Parameters
    ----------
    array : array
        Pixels: unsigned integers, whose range becomes [0, 1], or floats in [0, 1] already.
    file : path
        Where they come from, for the message.

    Raises
    ------
    ValueError
        If the dtype is another, or a float is outside [0, 1] or no number; says which file.
    """
    if array.dtype.kind not in "uf":
        raise ValueError(f"{file}: expected 8 or 16 bits without sign, or floats, found {array.dtype}; convert it.")
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if not np.isfinite([low, high]).all():
            raise ValueError(f"{file}: holds values that are no finite numbers (NaN or infinite); replace them.")
        if low < 0 or high > 1:
            found = f"{low:.4g} to {high:.4g}"
            raise ValueError(f"{file}: floats have to lie between 0 and 1, found {found}; divide all images alike.")


def read_labels(files):
    """Read labels that belong together.

    Returns
    -------
    labels : list of arrays (height, width)
        As `classify` makes them.
    values : list of int
        The values that stand for the classes, rising.
    """
    labels = [formats.read_label(file) for file in files]
    values = find_values(labels)
    return [classify(label, values) for label in labels], values


def find_values(labels):
    """The values that arrays hold between them: list of int, rising."""
    return sorted(set().union(*(np.unique(label).tolist() for label in labels)))


def classify(label, values):
    """Turn the values of a label into classes.

    Returns
    -------
    array (height, width)
        For two values bool, True where the higher stands; for more uint8, the class by its place in `values`.
    """
    if len(values) <= 2:
        return label == values[-1]
    return np.searchsorted(values, label).astype(np.uint8)


def read_pairs(folder):
    """Read `folder`/image and `folder`/label.

    Returns
    -------
    stems : list of str, in natural order
    images : list of float32 arrays (height, width, channels) in [0, 1]
    labels : list of arrays (height, width)
        bool, True inside cells; of more than two classes their numbers, as from `classify`.
    values : list of int
        The labels' values for the classes.
    """
    images = folders.find_images(Path(folder) / "image")
    labels = folders.find_images(Path(folder) / "label")
    classes, values = read_labels([labels[stem] for stem in images])
    return list(images), [read_image(file) for file in images.values()], classes, values


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
    k = rng.integers(geometry.TURNS) if turns else 0
    return geometry.turn(image, k), geometry.turn(label.astype("float32"), k)


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


def main(argv=None):
    import check  # it imports this module

    parser = argparse.ArgumentParser(description="Check a dataset: what is there, and what is wrong with it.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="dataset: train/image, train/label, test")
    folder = parser.parse_args(argv).folder
    if not folder.is_dir():
        print(f"data.py: {folder}: no such folder.", file=sys.stderr)
        return 2
    parts, problems = check.survey(folder)
    print(check.describe(folder, parts))
    print(*problems or ["No problems found."], sep="\n", file=sys.stderr if problems else sys.stdout)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
