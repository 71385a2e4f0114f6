"""The data: pairs of images and labels, their augmentation, and the batches that feed the network.

    python data.py DIR     # what is in a dataset, and everything that is wrong with it

A dataset is a folder (docs/images.md):

    DIR/train/image/<stem>.<ext>   DIR/train/label/<stem>.<ext>    paired by stem
    DIR/test/<stem>.<ext>          DIR/test/label/<stem>.<ext>     the second is optional
"""

import argparse
import math
import os
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator  # tensorflow.keras's, without TensorFlow
from scipy import ndimage

from segmentation import devices, geometry
from segmentation.files import dataset, folders, images, labels
from segmentation.training import borders

# What the same tissue may look like in another section. Shears and rotations are in degrees, and keep the membranes'
# look.
AFFINE = {"rotation_range": 10, "shear_range": 5, "zoom_range": 0.1, "fill_mode": "reflect"}
IMAGE_GENERATOR = ImageDataGenerator(**AFFINE, interpolation_order=1)
LABEL_GENERATOR = ImageDataGenerator(**AFFINE, interpolation_order=0)
CONTRAST = 0.2
BRIGHTNESS = 0.1
NOISE = 0.08
NUMPY_RANDOM_STATE = threading.Lock()
WORKERS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Pairs:
    """Images and the labels that belong to them.

    `stems` are in natural order; `images` are float32 arrays (height, width, channels) in [0, 1]; `labels` are arrays
    (height, width), bool, True inside cells, or the numbers of more than two classes, as from `labels.classify`;
    `values` are the labels' values for the classes, and `palette` the colours of more than two of them, if the first
    label has some, or None.
    """

    stems: list
    images: list
    labels: list
    values: list
    palette: list | None = None


def read_pairs(folder):
    """Read the `Pairs` of `folder`/image and `folder`/label."""
    image_files, label_files = (folders.find_images(Path(folder) / part) for part in ("image", "label"))
    scaled = {stem: images.read_image(file) for stem, file in image_files.items()}
    return _join(scaled, {stem: labels.read_label(label_files[stem]) for stem in scaled}, label_files)


def take_pairs(survey):
    """The `Pairs` of train/ out of a `dataset.Survey` without problems that has kept them: no file is read again."""
    found, labelled = survey.parts["train/image"], survey.parts["train/label"]
    scaled = {file.stem: images.scale(facts.array) for file, facts in found.items()}
    decoded = {file.stem: facts.array for file, facts in labelled.items()}
    return _join(scaled, decoded, {file.stem: file for file in labelled})


def _join(scaled, decoded, label_files):
    """`Pairs` out of dicts by stem: images, labels as their files hold them, and those files."""
    stems = list(scaled)
    values = labels.find_values(decoded.values())
    classes = [labels.classify(decoded[stem], values) for stem in stems]
    palette = labels.read_palette(label_files[stems[0]], values) if len(values) > 2 else None
    return Pairs(stems, list(scaled.values()), classes, values, palette)


def split(pairs, fraction):
    """Split by `dataset.hold_out`: the `Pairs` to train on, and those that are held out."""
    parts = dataset.hold_out(len(pairs.stems), fraction)
    return tuple(
        replace(pairs, stems=pairs.stems[part], images=pairs.images[part], labels=pairs.labels[part]) for part in parts
    )


@dataclass(frozen=True)
class Augmentation:
    """How crops are varied beyond shifts, shears, small rotations and zoom.

    `turns`: flip and rotate by quarter turns, for pictures that have no upper side; `grey`: change contrast, brightness
    and noise; `elastic`: as for `deform`, in pixels, before anything else, 0 for none.
    """

    turns: bool = True
    grey: bool = True
    elastic: float = 0.0


def augment(image, label, rng, augmentation):
    """Vary an image and its label in the same way.

    The image is interpolated linearly, the label takes its nearest value, so that no new values arise.

    Parameters
    ----------
    image : float32 array (height, width, channels) in [0, 1], square
    label : array (height, width, any number)
    rng : numpy.random.Generator
    augmentation : Augmentation

    Returns
    -------
    image, label : float32 arrays of the same shapes
    """
    if augmentation.elastic:
        image, label = deform(image, label, rng, augmentation.elastic)
    transform = draw_transform(IMAGE_GENERATOR, image.shape, rng)
    image = IMAGE_GENERATOR.apply_transform(image, transform)
    label = LABEL_GENERATOR.apply_transform(label, transform)
    if augmentation.grey:
        contrast = np.float32(1 + rng.uniform(-CONTRAST, CONTRAST))
        brightness = np.float32(rng.uniform(-BRIGHTNESS, BRIGHTNESS))
        noise = rng.standard_normal(image.shape, dtype="float32")
        noise *= np.float32(rng.uniform(0, NOISE))
        image = image * contrast + (image.mean() * (1 - contrast) + brightness) + noise
    k = rng.integers(geometry.TURNS) if augmentation.turns else 0
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
    positions = np.mgrid[: size[0], : size[1]].astype("float32")
    for axis in positions:
        grid = rng.normal(0, deviation, (3, 3)).astype("float32")
        axis += ndimage.zoom(grid, zoom, order=3, mode="nearest", grid_mode=True)
    return _move(image, positions, order=1), _move(label, positions, order=0)


def _move(image, positions, order):
    """Take each pixel of an array (height, width, channels) from its position, interpolated by splines of an order."""
    channels = np.moveaxis(image, -1, 0)
    return np.stack([ndimage.map_coordinates(c, positions, order=order, mode="reflect") for c in channels], axis=-1)


class Crops(keras.utils.PyDataset):
    """Endless variations of a few sections: random crops at full resolution, image and label transformed alike.

    A crop depends on (seed, epoch, index of the batch, index in it) alone, not on the number of workers. Train with
    `callbacks.FollowEpochs` and with `shuffle=False`, which keeps the batches in order.

    Parameters
    ----------
    images : list of float32 arrays (height, width, channels) in [0, 1]
    labels : list of arrays (height, width)
        bool, or the numbers of classes.
    crop : int
        Side of a crop in pixels.
    batch_size, steps : int
        Crops a batch, batches an epoch.
    seed : int
        Where the random numbers begin.
    workers : int
        Threads that make batches while the network trains.
    augmentation : Augmentation
    border_weight, border_sigma : float
        The `w0` and `sigma` of `borders.weigh_borders`; a weight of 0 weighs all pixels alike.
    group : devices.Group
        Which part of a batch this process makes.

    Yields
    ------
    float32 (batch_size, crop, crop, channels) and, of the labels, float32 (batch_size, crop, crop, 1); with
    `border_weight` also the weights, like the labels
    """

    def __init__(
        self,
        images,
        labels,
        *,
        crop,
        batch_size,
        steps,
        seed=0,
        workers=WORKERS,
        augmentation=Augmentation(),
        border_weight=0.0,
        border_sigma=5.0,
        group=devices.ALONE,
    ):
        super().__init__(workers=workers)
        self.images = images
        self.targets = [label[..., np.newaxis] for label in labels]
        if border_weight:
            weights = (borders.weigh_borders(label > 0, border_weight, border_sigma) for label in labels)
            self.targets = [np.dstack(pair) for pair in zip(labels, weights, strict=True)]
        self.crop, self.steps, self.augmentation = crop, steps, augmentation
        self.own = range(batch_size)[group.part_of(batch_size)]
        self.seed, self.epoch = seed, 0

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rngs = (np.random.default_rng((self.seed, self.epoch, index, i)) for i in self.own)
        crops, targets = zip(*map(self._draw, rngs), strict=True)
        targets = np.stack(targets)
        return np.stack(crops), *np.split(targets, targets.shape[-1], axis=-1)

    def _draw(self, rng):
        """One random crop of one random section, augmented."""
        i = rng.integers(len(self.images))
        height, width = self.images[i].shape[:2]
        y, x = rng.integers(height - self.crop + 1), rng.integers(width - self.crop + 1)
        window = slice(y, y + self.crop), slice(x, x + self.crop)
        return augment(self.images[i][window], self.targets[i][window], rng, self.augmentation)


class Sections(keras.utils.PyDataset):
    """Whole held-out sections, one a batch and device, in order, as they are.

    Sections are padded by reflection to a common size that the network accepts; the third item of a batch weighs the
    padding with zero, and every section alike. What fills the last batch weighs nothing.

    Parameters
    ----------
    images : list of float32 arrays (height, width, channels) in [0, 1]
    labels : list of arrays (height, width)
        As for `Crops`.
    multiple : int
        What height and width have to be divisible by.
    group : devices.Group
        Which part of a batch this process makes.

    Yields
    ------
    float32 (1, height, width, channels), float32 (1, height, width, 1) and the weights, like the labels
    """

    def __init__(self, images, labels, multiple, group=devices.ALONE):
        super().__init__()
        self.images, self.labels, self.group = images, labels, group
        sides = np.max([image.shape[:2] for image in images], axis=0)
        self.height, self.width = (int(geometry.round_up(side, multiple)) for side in sides)

    def __len__(self):
        return math.ceil(len(self.images) / self.group.devices)

    def __getitem__(self, index):
        count = self.group.devices
        own = range(index * count, (index + 1) * count)[self.group.part_of(count)]
        return tuple(map(np.stack, zip(*map(self._pad, own), strict=True)))

    def _pad(self, number):
        """A section, its label and its weights; the last one, weighing nothing, where there is none of that number."""
        i = min(number, len(self.images) - 1)
        height, width = self.images[i].shape[:2]
        margin = (0, self.height - height), (0, self.width - width), (0, 0)
        section = np.pad(self.images[i], margin, mode="symmetric")
        label = np.pad(self.labels[i][..., np.newaxis].astype("float32"), margin)
        weight = np.pad(np.ones((height, width, 1), "float32"), margin)
        # Keras divides by the number of items in all batches, those that fill the last one among them.
        gain = (number == i) * len(self) * self.group.devices / len(self.images)
        return section, label, weight * np.float32(gain / weight.mean())


def main(argv=None):
    parser = argparse.ArgumentParser(description="Check a dataset: what is there, and what is wrong with it.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="dataset: train/image, train/label, test")
    found = dataset.survey(parser.parse_args(argv).folder)
    if not found.folder.is_dir():
        print(f"data.py: {found.problems[0]}", file=sys.stderr)
        return 2
    print(dataset.describe(found))
    lines = found.problems or ["No problems found."]
    print(*lines, sep="\n", file=sys.stderr if found.problems else sys.stdout)
    return 2 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
