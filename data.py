"""Images and labels: finding, reading, splitting, augmenting, batching, writing.

A dataset is a folder (see README.md):

    DIR/train/image/<stem>.png   DIR/train/label/<stem>.png    paired by stem
    DIR/test/<stem>.png          DIR/test/label/<stem>.png     the second is optional

In a label the higher of two values is the inside of a cell, the lower is membrane.
"""

import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator  # tensorflow.keras's, without TensorFlow
from PIL import Image

SUFFIXES = (".png",)
PREDICTED = "_predict"

# What the same tissue may look like in another section. Shears and rotations are in degrees, and keep the membranes'
# look; flips and quarter turns cost nothing, and a section has no upper side.
AFFINE = {"rotation_range": 10, "shear_range": 5, "zoom_range": 0.1, "horizontal_flip": True, "vertical_flip": True}
CONTRAST = 0.2
BRIGHTNESS = 0.1
NOISE = 0.08


def find_images(folder):
    """List the images of a folder in natural order (2 before 10), without hidden files and predictions.

    Parameters
    ----------
    folder : path

    Returns
    -------
    dict of str to Path
        Stem to file.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder.")
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and file.name[0] != "." and not file.stem.endswith(PREDICTED)
    ]
    return {file.stem: file for file in sorted(files, key=natural_order)}


def natural_order(file):
    """Sort key that puts section2.png before section10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", Path(file).stem)]


def read_array(file):
    """Read a file as it is: a uint8 array (height, width).

    Raises
    ------
    ValueError
        If the file is no 8-bit grey image, or damaged; says which file.
    """
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: cannot be read as an image ({error}).") from None
    if image.mode not in ("1", "L"):
        raise ValueError(f"{file}: expected an 8-bit grey image, found mode {image.mode}; convert it to 8-bit grey.")
    return np.asarray(image.convert("L"))


def read_image(file):
    """Read an image for the network: float32 (height, width, 1), the dtype's range scaled to [0, 1]."""
    array = read_array(file)
    return (array / np.float32(np.iinfo(array.dtype).max))[..., np.newaxis]


def read_labels(files):
    """Read labels that belong together: a list of bool (height, width), True where their higher value stands."""
    arrays = [read_array(file) for file in files]
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
    images = find_images(Path(folder) / "image")
    labels = find_images(Path(folder) / "label")
    return list(images), [read_image(file) for file in images.values()], read_labels([labels[stem] for stem in images])


def split(count, fraction):
    """Hold out the last `fraction` of `count` sections: a block, since neighbouring sections resemble each other.

    Returns
    -------
    training, held_out : slice
    """
    first = count - max(1, round(count * fraction))
    return slice(0, first), slice(first, count)


@contextmanager
def whole_file(path):
    """Give a temporary name beside `path` to write to; the file is moved to `path` only once it is whole.

    A run that is killed leaves the old file or the new one, never a part of one.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_mask(path, mask):
    """Write a bool array (height, width) as an 8-bit PNG of 0 and 255."""
    with whole_file(path) as temporary:
        Image.fromarray(np.uint8(mask) * np.uint8(255)).save(temporary, optimize=True)


class Crops(keras.utils.PyDataset):
    """Endless variations of a few sections: random crops at full resolution, image and label transformed alike.

    What a batch holds depends on (seed, epoch, index) alone, not on the number of workers. Train with the
    callback `FollowEpochs` and with `shuffle=False`, which keeps the batches in order.

    Parameters
    ----------
    images : list of float32 arrays (height, width, channels) in [0, 1]
    labels : list of bool arrays (height, width)
    crop : int
        Side of a crop in pixels.
    batch_size, steps : int
        Crops a batch, batches an epoch.
    seed : int
        Where the random numbers begin.

    Yields
    ------
    float32 (batch_size, crop, crop, channels) and float32 (batch_size, crop, crop, 1) of 0 and 1
    """

    def __init__(self, images, labels, crop, batch_size, steps, seed=0, workers=2):
        super().__init__(workers=workers)
        self.images, self.labels = images, labels
        self.crop, self.batch_size, self.steps = crop, batch_size, steps
        self.seed, self.epoch = seed, 0

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng((self.seed, self.epoch, index))
        images, labels = zip(*(self.draw(rng) for _ in range(self.batch_size)), strict=True)
        return np.stack(images), np.stack(labels)

    def draw(self, rng):
        """One random crop of one random section, augmented."""
        i = rng.integers(len(self.images))
        height, width = self.images[i].shape[:2]
        y, x = rng.integers(height - self.crop + 1), rng.integers(width - self.crop + 1)
        window = slice(y, y + self.crop), slice(x, x + self.crop)
        return augment(self.images[i][window], self.labels[i][window][..., np.newaxis], rng)


class FollowEpochs(keras.callbacks.Callback):
    """Let an epoch's random numbers, those of `crops` and of dropout, depend on (seed, epoch) alone.

    Then a resumed run goes on as if it had not been stopped. Neither follows by itself: Keras calls `on_epoch_end` of a
    dataset more often than there are epochs, and does not save the state of dropout.
    """

    def __init__(self, crops):
        super().__init__()
        self.crops = crops

    def on_epoch_begin(self, epoch, logs=None):
        self.crops.epoch = epoch
        for i, layer in enumerate(self.model.layers):
            if hasattr(layer, "seed_generator"):
                seed = np.random.default_rng((self.crops.seed, epoch, i)).integers(2**31)
                layer.seed_generator.state.assign([int(seed), 0])


IMAGE_GENERATOR = ImageDataGenerator(**AFFINE, fill_mode="reflect", interpolation_order=1)
LABEL_GENERATOR = ImageDataGenerator(**AFFINE, fill_mode="reflect", interpolation_order=0)
NUMPY_RANDOM_STATE = threading.Lock()


def augment(image, label, rng):
    """Vary an image and its label in the same way.

    The image is interpolated linearly, the label takes its nearest value, so that no new values arise. Grey values
    change in contrast, brightness and noise.

    Parameters
    ----------
    image : float32 array (height, width, channels) in [0, 1], square
    label : array (height, width, 1)
    rng : numpy.random.Generator

    Returns
    -------
    image, label : float32 arrays of the same shapes
    """
    # ImageDataGenerator draws from numpy's global state, which threads share: seed it, draw and put it back.
    with NUMPY_RANDOM_STATE:
        state = np.random.get_state()
        transform = IMAGE_GENERATOR.get_random_transform(image.shape, seed=int(rng.integers(2**32)))
        np.random.set_state(state)
    quarter_turns = rng.integers(4)
    image = np.rot90(IMAGE_GENERATOR.apply_transform(image, transform), quarter_turns)
    label = np.rot90(LABEL_GENERATOR.apply_transform(label.astype("float32"), transform), quarter_turns)
    contrast = np.float32(1 + rng.uniform(-CONTRAST, CONTRAST))
    brightness = np.float32(rng.uniform(-BRIGHTNESS, BRIGHTNESS))
    noise = np.float32(rng.uniform(0, NOISE)) * rng.standard_normal(image.shape, dtype="float32")
    middle = image.mean()
    return (image - middle) * contrast + middle + brightness + noise, label


class Sections(keras.utils.PyDataset):
    """Whole held-out sections, one a batch, in order, as they are.

    Sections are padded by reflection to a common size that the network accepts; the third item of a batch weighs the
    padding with zero, and every section alike.

    Parameters
    ----------
    images : list of float32 arrays (height, width, channels) in [0, 1]
    labels : list of bool arrays (height, width)
    multiple : int
        What height and width have to be divisible by.

    Yields
    ------
    float32 (1, height, width, channels), float32 (1, height, width, 1) and the weights, like the labels
    """

    def __init__(self, images, labels, multiple):
        super().__init__()
        self.images, self.labels = images, labels
        sides = np.max([image.shape[:2] for image in images], axis=0)
        self.height, self.width = (int(-(-side // multiple) * multiple) for side in sides)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        height, width = self.images[index].shape[:2]
        margin = (0, self.height - height), (0, self.width - width), (0, 0)
        image = np.pad(self.images[index], margin, mode="symmetric")
        label = np.pad(self.labels[index][..., np.newaxis].astype("float32"), margin)
        weight = np.pad(np.ones((height, width, 1), "float32"), margin)
        return image[np.newaxis], label[np.newaxis], (weight / weight.mean())[np.newaxis]
