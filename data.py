"""The data: pairs of images and labels, their augmentation, and the batches that feed the network.

    python data.py DIR                 # what is in a dataset, and everything that is wrong with it
    python data.py SOURCE --to DIR     # bring one that is laid out otherwise into the layout wanted here

A dataset is a folder (docs/images.md):

    DIR/train/image/<stem>.<ext>   DIR/train/label/<stem>.<ext>    paired by stem
    DIR/test/<stem>.<ext>          DIR/test/label/<stem>.<ext>     the second is optional
    DIR/val/image  DIR/val/label   DIR/dataset.json                optional
"""

import argparse
import functools
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

from segmentation import arguments, devices, geometry
from segmentation.files import classes, dataset, inventory, scaling, splits
from segmentation.sources import convert, known
from segmentation.training import borders

# What the same tissue may look like in another section. Shears and rotations are in degrees, and keep the membranes'
# look.
AFFINE = {"rotation_range": 10, "shear_range": 5, "zoom_range": 0.1, "fill_mode": "reflect"}
IMAGE_GENERATOR = ImageDataGenerator(**AFFINE, interpolation_order=1)
LABEL_GENERATOR = ImageDataGenerator(**AFFINE, interpolation_order=0)
WEIGHT_GENERATOR = ImageDataGenerator(**AFFINE | {"fill_mode": "constant"}, interpolation_order=0)
CONTRAST = 0.2
BRIGHTNESS = 0.1
NOISE = 0.08
CENTRED = 0.5  # of the crops, where a class is rare
MOST_PLACES = 1000  # of a label, that crops are centred on
NUMPY_RANDOM_STATE = threading.Lock()
WORKERS = min(8, os.cpu_count() or 1)


class Lazy:
    """A sequence of arrays that are made when they are asked for; the last `dataset.MOST_KEPT` of them are kept.

    Parameters
    ----------
    make : callable
        The array of a number.
    numbers : list of int
    """

    def __init__(self, make, numbers):
        self.make, self.numbers = make, numbers
        self._kept = functools.lru_cache(dataset.MOST_KEPT)(make)

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self._kept(number) for number in self.numbers[index]]
        return self._kept(self.numbers[index])


def _make(make, count):
    """Arrays 0, 1, ...: a list, or of many a `Lazy` sequence."""
    return [make(i) for i in range(count)] if count <= dataset.MOST_KEPT else Lazy(make, list(range(count)))


def _take(arrays, part):
    """Some of a list of arrays, or of a `Lazy` sequence, by their numbers."""
    if isinstance(arrays, Lazy):
        return Lazy(arrays.make, [arrays.numbers[i] for i in part])
    return [arrays[i] for i in part]


@dataclass(frozen=True)
class Pairs:
    """Images and the labels that belong to them.

    `stems` are in natural order; `images` are a list, or of more than `dataset.MOST_KEPT` a `Lazy` sequence, of float32
    arrays (height, width, channels), scaled by `scaling` to about 0 to 1; `labels` are likewise arrays (height, width)
    of classes, as from `classes.classify`; `classes` says what these are.
    """

    stems: list
    images: list
    labels: list
    classes: classes.Classes
    scaling: scaling.Scaling


def read_pairs(folder):
    """Read the `Pairs` of DIR/train, or of DIR/val, as the whole dataset DIR says what they mean.

    Raises
    ------
    ValueError
        With all that is wrong with them.
    """
    folder = Path(folder).resolve()
    found = dataset.survey(folder.parent, keep=True, names={"train", folder.name})
    if found.problems:
        raise ValueError("\n".join(found.problems))
    return take_pairs(found, found.parts[folder.name].list_sections())


def take_pairs(found, sections):
    """The `Pairs` of some sections of a `dataset.Survey` without problems that has kept them: no file is read again.

    Parameters
    ----------
    found : dataset.Survey
    sections : list
        As from `splits.split_sections`.
    """
    facts = {file: known for part in found.parts.values() for file, known in part.facts.items()}

    def read_image(i):
        _, file, _, page = sections[i]
        pages = dataset.read_image(file, facts[file])
        return scaling.scale(pages[page], scaling.fit(found.scaling, pages[page]))

    def read_label(i):
        _, _, file, page = sections[i]
        return classes.classify(dataset.read_label(file, facts[file]), found.classes)[page]

    arrays = _make(read_label, len(sections))
    known = replace(found.classes, parted=len(found.classes.values) == 2 and classes.are_parted(arrays))
    return Pairs([stem for stem, *_ in sections], _make(read_image, len(sections)), arrays, known, found.scaling)


def split(pairs, fraction, group_by=None):
    """Split by `splits.hold_out`: the `Pairs` to train on, and those that are held out."""
    parts = splits.hold_out(pairs.stems, fraction, group_by)
    return tuple(
        replace(
            pairs,
            stems=[pairs.stems[i] for i in part],
            images=_take(pairs.images, part),
            labels=_take(pairs.labels, part),
        )
        for part in parts
    )


@dataclass(frozen=True)
class Augmentation:
    """How crops are varied beyond shifts, shears, small rotations and zoom.

    `turns`: one of `geometry.TURNS`, all flips and quarter turns for pictures that have no upper side, mirror for those
    that have one; `grey`: change contrast, brightness and noise, in shares of the scaled range; `elastic`: as for
    `deform`, in pixels, before anything else, 0 for none.
    """

    turns: str = "all"
    grey: bool = True
    elastic: float = 0.0


def augment(image, label, rng, augmentation, ignoring=False):
    """Vary an image and its label in the same way.

    The image is interpolated linearly, the label takes its nearest value, so that no new values arise.

    Parameters
    ----------
    image : float32 array (height, width, channels), about 0 to 1, square
    label : array (height, width, any number)
    rng : numpy.random.Generator
    augmentation : Augmentation
    ignoring : bool
        Whether the last channel of the label weighs its pixels: what comes in from outside then weighs nothing.

    Returns
    -------
    image, label : float32 arrays of the same shapes
    """
    if augmentation.elastic:
        image, label = deform(image, label, rng, augmentation.elastic, ignoring)
    transform = draw_transform(IMAGE_GENERATOR, image.shape, rng)
    image = IMAGE_GENERATOR.apply_transform(image, transform)
    moved = LABEL_GENERATOR.apply_transform(label, transform)
    if ignoring:
        moved[..., -1:] = WEIGHT_GENERATOR.apply_transform(label[..., -1:], transform)
    label = moved
    if augmentation.grey:
        contrast = np.float32(1 + rng.uniform(-CONTRAST, CONTRAST))
        brightness = np.float32(rng.uniform(-BRIGHTNESS, BRIGHTNESS))
        noise = rng.standard_normal(image.shape, dtype="float32")
        noise *= np.float32(rng.uniform(0, NOISE))
        image = image * contrast + (image.mean() * (1 - contrast) + brightness) + noise
    turns = geometry.TURNS[augmentation.turns]
    k = turns[rng.integers(len(turns))]
    return geometry.turn(image, k), geometry.turn(label.astype("float32"), k)


def draw_transform(generator, shape, rng):
    """Draw a transform of an ImageDataGenerator, out of `rng` and safely in threads."""
    # The generator draws from numpy's global state, which threads share: seed it, draw and put it back.
    with NUMPY_RANDOM_STATE:
        state = np.random.get_state()
        transform = generator.get_random_transform(shape, seed=int(rng.integers(2**32)))
        np.random.set_state(state)
    return transform


def deform(image, label, rng, deviation, ignoring=False):
    """Deform an image and its label elastically, as in the U-Net paper.

    Random displacements on a grid of 3x3 points, interpolated bicubically between them.

    Parameters
    ----------
    image, label : float32 arrays (height, width, any number)
    rng : numpy.random.Generator
    deviation : float
        Standard deviation of the displacements in pixels; 10 in the paper.
    ignoring : bool
        As for `augment`.
    """
    size = image.shape[:2]
    zoom = [side / 3 for side in size]
    positions = np.mgrid[: size[0], : size[1]].astype("float32")
    for axis in positions:
        grid = rng.normal(0, deviation, (3, 3)).astype("float32")
        axis += ndimage.zoom(grid, zoom, order=3, mode="nearest", grid_mode=True)
    moved = _move(label, positions, order=0)
    if ignoring:
        moved[..., -1:] = _move(label[..., -1:], positions, order=0, mode="constant")
    return _move(image, positions, order=1), moved


def _move(image, positions, order, mode="reflect"):
    """Take each pixel of an array (height, width, channels) from its position, interpolated by splines of an order."""
    channels = np.moveaxis(image, -1, 0)
    return np.stack([ndimage.map_coordinates(c, positions, order=order, mode=mode) for c in channels], axis=-1)


def _find_places(labels, number):
    """Some pixels of a class: dict of the number of a label to an array (places, 2), without labels that have none."""
    places = {}
    for i, label in enumerate(labels):
        found = np.argwhere(label == number)
        if len(found):
            places[i] = found[:: len(found) // MOST_PLACES + 1]
    return places


def _make_target(label, border_weight, border_sigma, gain):
    """A label, and what its pixels weigh, if that differs: narrow borders more, and what is not labelled nothing.

    Parameters
    ----------
    label : array (height, width)
    border_weight, border_sigma
        As for `Crops`.
    gain : float or None
        What all labelled pixels weigh; None if all pixels are labelled.

    Returns
    -------
    array (height, width, 1 or 2)
    """
    if not (border_weight or gain):
        return label[..., np.newaxis]
    known = classes.known(label)
    weights = known * np.float32(gain or 1)
    if border_weight:
        weights *= borders.weigh_borders((label > 0) & known, border_weight, border_sigma)
    return np.dstack([np.where(known, label, 0), weights])


class Crops(keras.utils.PyDataset):
    """Endless variations of a few sections: random crops at full resolution, image and label transformed alike.

    A crop depends on (seed, epoch, index of the batch, index in it) alone, not on the number of workers. Train with
    `callbacks.FollowEpochs` and with `shuffle=False`, which keeps the batches in order.

    Parameters
    ----------
    images : list of float32 arrays (height, width, channels), about 0 to 1
    labels : list of arrays (height, width)
        Classes, as from `classes.classify`.
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
        The `w0` and `sigma` of `borders.weigh_borders`; a weight of 0 weighs all labelled pixels alike.
    ignoring : bool
        Whether there are pixels that are not labelled, which weigh nothing.
    centred : int or None
        A class, so rare that half of the crops have to hold some of it; None to draw all of them anywhere.
    group : devices.Group
        Which part of a batch this process makes.

    Yields
    ------
    float32 (batch_size, crop, crop, channels) and, of the labels, float32 (batch_size, crop, crop, 1); with
    `border_weight` or `ignoring` also the weights, like the labels
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
        ignoring=False,
        centred=None,
        group=devices.ALONE,
    ):
        super().__init__(workers=workers)
        self.images, self.ignoring = images, ignoring
        # So that a loss by few strokes is no smaller than one by all pixels.
        gain = 1 / max(np.mean([classes.known(label).mean() for label in labels]), 1e-9) if ignoring else None

        def make(i):
            return _make_target(labels[i], border_weight, border_sigma, gain)

        self.targets = _make(make, len(labels))
        self.crop, self.steps, self.augmentation = crop, steps, augmentation
        self.places = {} if centred is None else _find_places(labels, centred)
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
        if self.places and rng.random() < CENTRED:
            i = list(self.places)[rng.integers(len(self.places))]
            corner = self.places[i][rng.integers(len(self.places[i]))] - rng.integers(self.crop, size=2)
            y, x = np.clip(corner, 0, np.subtract(self.images[i].shape[:2], self.crop))
        window = slice(y, y + self.crop), slice(x, x + self.crop)
        return augment(self.images[i][window], self.targets[i][window], rng, self.augmentation, self.ignoring)


class Sections(keras.utils.PyDataset):
    """Whole held-out sections, one a batch and device, in order, as they are.

    Sections are padded by reflection to a common size that the network accepts; the third item of a batch weighs the
    padding, and what is not labelled, with zero, and every section alike. What fills the last batch weighs nothing.

    Parameters
    ----------
    images, labels
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
        known = classes.known(self.labels[i])[..., np.newaxis]
        label = np.pad(np.where(known, self.labels[i][..., np.newaxis], 0).astype("float32"), margin)
        weight = np.pad(known.astype("float32"), margin)
        # Keras divides by the number of items in all batches, those that fill the last one among them.
        gain = (number == i) * len(self) * self.group.devices / len(self.images)
        return section, label, weight * np.float32(gain / max(weight.mean(), 1e-9))


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Check a dataset: what is there and what is wrong. With --to, bring others into its layout."
    )
    how = "dataset: train/image, train/label, test; with --to any that is known, or several to be merged"
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help=how)
    parser.add_argument("--to", type=Path, metavar="NEW", help="new folder for the dataset in the layout wanted here")
    arguments.add_meaning(parser)
    options = parser.parse_args(argv)
    if options.to:
        return bring(options.folders, options.to)
    if len(options.folders) > 1:
        parser.error("several datasets are merged into a new one; name it with --to NEW")
    return check(options)


def bring(sources, out):
    """Bring datasets into the layout wanted here, and say what was recognised; returns the exit code."""
    try:
        print(convert.convert(sources, out))
    except ValueError as error:
        print(f"data.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. {out} was not written.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"\ndata.py: {error.filename or out}: {error.strerror}. Nothing was written.", file=sys.stderr)
        return 2
    print(f"{out} is written. Next: python data.py {out}")
    return 0


def check(options):
    """Print what there is in a dataset, and what is wrong with it; returns the exit code."""
    (folder,) = options.folders
    advice = known.advise(folder)
    if advice:
        print(f"data.py: {advice}", file=sys.stderr)
        return 2
    found = dataset.survey(folder, ignore=options.ignore, objects=options.objects, rule=options.scaling)
    print(inventory.describe(found), *found.notes, sep="\n")
    print(*(f"Warning: {text}" for text in found.warnings), sep="\n", end="\n" * bool(found.warnings))
    problems = dataset.find_problems(found)
    print(*problems or ["No problems found."], sep="\n", file=sys.stderr if problems else sys.stdout)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
