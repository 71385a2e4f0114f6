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
import shlex
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from segmentation import arguments, devices, geometry
from segmentation.files import checks, classes, dataset, inventory, looking, scaling, splits, storage
from segmentation.sources import convert, recognise
from segmentation.training import borders, planning, runs

# How the same tissue may lie in another section: those options of ImageDataGenerator that move pixels, since grey
# values change by the lines below. Shears and rotations are in degrees, and keep the membranes' look.
AFFINE = {"rotation_range": 10, "shear_range": 5, "zoom_range": 0.1, "fill_mode": "reflect"}
BORDERS = {"reflect": "REFLECT", "nearest": "REPLICATE", "constant": "CONSTANT", "wrap": "WRAP"}  # OpenCV's names
CONTRAST = 0.2
BRIGHTNESS = 0.1
MOST_PLACES = 250  # of a class in a label, that crops are drawn around
MOST_LABELS = 256  # that are looked at to find what share of them is labelled
LARGEST_TILE, SMALLEST_TILE, HALO = 1536, 192, 32  # sides of held-out tiles, and what they see beyond, in pixels
NUMPY_RANDOM_STATE = threading.Lock()


@dataclass(frozen=True)
class Pairs:
    """Images and the labels that belong to them.

    `stems` are in natural order; `images` are a list of `storage.Scaled`, to be used as float32 arrays (height, width,
    channels), scaled by `scaling` to about 0 to 1; `labels` are arrays (height, width) of classes, as from
    `classes.classify`: a list, or a `storage.Lazy` sequence if they do not fit into memory; `classes` says what these
    are, and `pixels` how many of each class a label holds.
    """

    stems: list
    images: list
    labels: list
    classes: classes.Classes
    scaling: scaling.Scaling
    pixels: list = field(default_factory=list)


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


def take_pairs(found, sections, largest=None):
    """The `Pairs` of some sections of a `dataset.Survey` without problems; no file that it has kept is read again.

    Parameters
    ----------
    found : dataset.Survey
    sections : list
        As from `splits.split_sections`.
    largest : int or None
        Pixels; of larger sections a square of that size in their middle is taken.
    """
    known, facts = found.classes, {file: one for part in found.parts.values() for file, one in part.facts.items()}
    read_pages = functools.lru_cache(storage.DECODED)(lambda file: looking.read_image(file, facts[file]))

    def read_page(file, page):
        return read_pages(file)[page]

    def read_classes(file):
        return classes.classify(looking.read_label(file, facts[file]), known)

    def read_label(i):
        _, _, file, page = sections[i]
        pages = kept[file] if kept.get(file) is not None else read_again(file)
        return pages[page][windows[i]]

    # Labels are held as classes, a byte a pixel, and no longer as their files have them.
    store, read_again = storage.Store(), functools.lru_cache(storage.DECODED)(read_classes)
    windows = [_find_window(facts[file].size, largest) for _, file, _, _ in sections]
    label_files = dict.fromkeys(file for _, _, file, _ in sections)
    kept = {file: store.keep(read_classes(file)) for file in label_files if facts[file].array is not None}
    images = []
    for (_, file, _, page), window in zip(sections, windows, strict=True):
        shape = (*(side.stop - side.start for side in window), facts[file].channels)
        images.append(storage.Scaled(functools.partial(read_page, file, page), shape, found.scaling, window))
    arrays = storage.Lazy(read_label, range(len(sections)))
    if all(kept.get(file) is not None for file in label_files):
        arrays = [read_label(i) for i in range(len(sections))]
    counted = {file: classes.count_classes(facts[file].content, known) for file in label_files}
    facts |= {file: replace(facts[file], array=None) for file in label_files}
    parted = len(known.values) == 2 and classes.are_parted(arrays)
    pixels = [counted[file][page] for _, _, file, page in sections]
    stems = [stem for stem, *_ in sections]
    return Pairs(stems, images, arrays, replace(known, parted=parted), found.scaling, pixels)


def read_held_out(run):
    """The `Pairs` that the network in the folder of a run has held out.

    Raises
    ------
    ValueError
        If that is no folder of a run, or its data are no longer there, or their images are others: of these the network
        may have seen the labels.
    """
    options = runs.read_arguments(run)
    if "data" not in options:
        raise ValueError(f"{run}: is no folder of a run of main.py (there is no run.json in it).")
    found = dataset.survey(
        options["data"],
        keep=True,
        ignore=options.get("ignore"),
        objects=options.get("objects", False),
        rule=options.get("scaling"),
    )
    if found.problems:
        raise ValueError("\n".join(found.problems))
    fraction = options.get("validation_fraction", checks.FRACTION)
    folds, fold = options.get("folds"), options.get("fold")
    training, held_out = splits.split(found, fraction, options.get("group_by"), folds, fold)
    stems = [[stem for stem, *_ in sections] for sections in (training, splits.thin(found, held_out))]
    begun = runs.read_summary(run).get("trained_on", {}).get("sections")
    if begun and begun != splits.describe(*stems):
        raise ValueError(f"{options['data']}: its images are no longer those that the run in {run} had; train again.")
    return take_pairs(found, held_out)


def _find_window(size, largest):
    """The middle of an image, of so many pixels at most, or all of it: a pair of slices."""
    if largest is None or math.prod(size) <= largest:
        return tuple(slice(0, side) for side in size)
    sides = [min(side, math.isqrt(largest)) for side in size]
    return tuple(
        slice((length - side) // 2, (length - side) // 2 + side) for length, side in zip(size, sides, strict=True)
    )


def split(pairs, fraction, group_by=None):
    """Split by `splits.hold_out`: the `Pairs` to train on, and those that are held out."""
    return tuple(pick(pairs, part) for part in splits.hold_out(pairs.stems, fraction, group_by))


def pick(pairs, numbers):
    """The `Pairs` of some sections, by their numbers."""
    lazy = isinstance(pairs.labels, storage.Lazy)
    return replace(
        pairs,
        stems=[pairs.stems[i] for i in numbers],
        images=[pairs.images[i] for i in numbers],
        labels=storage.Lazy(pairs.labels.__getitem__, numbers) if lazy else [pairs.labels[i] for i in numbers],
        pixels=[pairs.pixels[i] for i in numbers] if pairs.pixels else [],
    )


@dataclass(frozen=True)
class Augmentation:
    """How crops are varied beyond shifts, shears, small rotations and zoom.

    `turns`: one of `geometry.TURNS`, all flips and quarter turns for pictures that have no upper side, mirror for those
    that have one; `grey`: change contrast and brightness, and add noise of a standard deviation of up to `noise`, all
    in shares of the scaled range; `elastic`: as for `deform`, in pixels, before anything else, 0 for none.
    """

    turns: str = "all"
    grey: bool = True
    elastic: float = 0.0
    noise: float = planning.NOISE


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
    label = label.astype("float32")
    if augmentation.elastic:
        image, label = deform(image, label, rng, augmentation.elastic, ignoring)
    matrix = geometry.find_matrix(draw_transform(make_generator(), image.shape, rng), image.shape[:2])
    image = transform(image, matrix, order=1)
    moved = transform(label, matrix, order=0)
    if ignoring:
        moved[..., -1:] = transform(label[..., -1:], matrix, order=0, fill_mode="constant")
    label = moved
    if augmentation.grey:
        contrast = np.float32(1 + rng.uniform(-CONTRAST, CONTRAST))
        brightness = np.float32(rng.uniform(-BRIGHTNESS, BRIGHTNESS))
        noise = rng.standard_normal(image.shape, dtype="float32")
        noise *= np.float32(rng.uniform(0, augmentation.noise))
        offset = image.mean() * (1 - contrast) + brightness
        image *= contrast
        image += offset
        image += noise
    turns = geometry.TURNS[augmentation.turns]
    k = turns[rng.integers(len(turns))]
    return geometry.turn(image, k), geometry.turn(label, k)


@functools.cache
def make_generator():
    """A Keras ImageDataGenerator of what tissue may look like, `AFFINE`."""
    # tensorflow.keras's, without TensorFlow. Not above, since Keras takes seconds to start, and a check does without.
    from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(**AFFINE)


def draw_transform(generator, shape, rng):
    """Draw a transform of an ImageDataGenerator, out of `rng` and safely in threads."""
    # The generator draws from numpy's global state, which threads share: seed it, draw and put it back.
    with NUMPY_RANDOM_STATE:
        state = np.random.get_state()
        transform = generator.get_random_transform(shape, seed=int(rng.integers(2**32)))
        np.random.set_state(state)
    return transform


def transform(array, matrix, order, fill_mode=AFFINE["fill_mode"]):
    """Move the pixels of an array as `ImageDataGenerator.apply_transform` does, by OpenCV and many times as fast.

    Parameters
    ----------
    array : float32 array (height, width, channels)
    matrix : array (2, 3)
        As from `geometry.find_matrix`.
    order : int
        1 to interpolate linearly, 0 to take the nearest value.
    fill_mode : str
        ImageDataGenerator's name of what comes in from outside.

    Returns
    -------
    float32 array of the same shape
    """
    import cv2  # not above, since a check does without

    border = getattr(cv2, f"BORDER_{BORDERS[fill_mode]}")
    flags = (cv2.INTER_NEAREST, cv2.INTER_LINEAR)[order] | cv2.WARP_INVERSE_MAP
    # One by one, since OpenCV takes no more than four channels, and two in steps of 1/32 pixel.
    channels = np.ascontiguousarray(np.moveaxis(array, -1, 0))
    moved = [cv2.warpAffine(c, matrix, c.shape[::-1], flags=flags, borderMode=border) for c in channels]
    return np.stack(moved, axis=-1)


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


def _make_target(label, border_weight, border_sigma, gain, class_weights):
    """A label, and what its pixels weigh, if that differs: narrow borders more, and what is not labelled nothing.

    Parameters
    ----------
    label : array (height, width)
    border_weight, border_sigma
        As for `Crops`.
    gain : float or None
        What all labelled pixels weigh; None if all pixels are labelled.
    class_weights
        As for `Crops`.

    Returns
    -------
    array (height, width, 1 or 2)
    """
    if not (border_weight or gain or class_weights is not None):
        return label[..., np.newaxis]
    known = classes.known(label)
    weights = known * np.float32(gain or 1)
    if class_weights is not None:
        weights *= class_weights[np.where(known, label, 0)]
    if border_weight:
        weights *= borders.weigh_borders((label > 0) & known, border_weight, border_sigma)
    return np.dstack([np.where(known, label, 0), weights])


class Crops:
    """Endless variations of a few sections: random crops at full resolution, image and label transformed alike.

    A sequence of batches, for `batches.Batches`. A crop depends on (seed, epoch, index of the batch, index in it)
    alone.

    Parameters
    ----------
    images : list of float32 arrays (height, width, channels), about 0 to 1
        Or of `storage.Scaled`.
    labels : sequence of arrays (height, width)
        Classes, as from `classes.classify`.
    crop : int
        Side of a crop in pixels.
    batch_size, steps : int
        Crops a batch, batches an epoch.
    seed : int
        Where the random numbers begin.
    augmentation : Augmentation
    border_weight, border_sigma : float
        The `w0` and `sigma` of `borders.weigh_borders`; a weight of 0 weighs all labelled pixels alike.
    ignoring : bool
        Whether there are pixels that are not labelled, which weigh nothing.
    class_weights : float32 array or None
        What the pixels of each class weigh; None if all weigh the same.
    centred : float in [0, 1]
        Share of the crops that are drawn around a pixel of a class of `holding`, each of these as often.
    holding : dict of int to list of int
        The sections that hold some of a class.
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
        augmentation=Augmentation(),
        border_weight=0.0,
        border_sigma=5.0,
        ignoring=False,
        class_weights=None,
        centred=0.0,
        holding=None,
        group=devices.ALONE,
    ):
        self.images, self.labels, self.ignoring = images, labels, ignoring
        # So that a loss by few strokes is no smaller than one by all pixels.
        some = labels[:: len(labels) // MOST_LABELS + 1]
        gain = 1 / max(np.mean([classes.known(label).mean() for label in some]), 1e-9) if ignoring else None
        self.make_target = functools.partial(
            _make_target,
            border_weight=border_weight,
            border_sigma=border_sigma,
            gain=gain,
            class_weights=class_weights,
        )
        self.weighted = None
        if border_weight:  # which needs whole labels
            self.weighted = storage.Lazy(lambda i: self.make_target(labels[i]), range(len(labels)))
            if not isinstance(labels, storage.Lazy):
                self.weighted = list(self.weighted)
        self.crop, self.steps, self.augmentation = crop, steps, augmentation
        self.centred, self.holding, self.places = centred, list((holding or {}).items()), {}
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
        if self.centred and self.holding and rng.random() < self.centred:
            number, sections = self.holding[rng.integers(len(self.holding))]
            i = sections[rng.integers(len(sections))]
            places = self._find_places(number, i)
            corner = places[rng.integers(len(places))] - rng.integers(self.crop, size=2)
            y, x = np.clip(corner, 0, np.subtract(self.images[i].shape[:2], self.crop))
        window = slice(y, y + self.crop), slice(x, x + self.crop)
        target = self.weighted[i][window] if self.weighted is not None else self.make_target(self.labels[i][window])
        return augment(self.images[i][window], target, rng, self.augmentation, self.ignoring)

    def _find_places(self, number, i):
        """Some pixels of a class in a section: int32 array (places, 2)."""
        if (number, i) not in self.places:
            found = np.argwhere(self.labels[i] == number).astype("int32")
            self.places[number, i] = found[:: len(found) // MOST_PLACES + 1].copy()
        return self.places[number, i]


class Sections:
    """Held-out sections in order, as they are: whole, one a batch and device, or in tiles where they are large.

    All batches have one size: that of the largest section, or of tiles as large as most sections are, at most
    `LARGEST_TILE`. What is missing is padded by reflection; the third item of a batch weighs padding, halos and what is
    not labelled with zero, and every section alike. What fills the last batch weighs nothing.

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
        self.images, self.labels, self.group = images, labels, group
        sizes = np.array([image.shape[:2] for image in images])
        side = max(min(np.median(sizes, axis=0).max(), LARGEST_TILE) - 2 * HALO, SMALLEST_TILE)
        if np.ptp(sizes, axis=0).max() == 0 and sizes.max() <= LARGEST_TILE:
            side = LARGEST_TILE
        self.tiles = [
            (i, window, inner, outer)
            for i, size in enumerate(sizes.tolist())
            for window, inner, outer in geometry.cut_image(size, int(side), HALO)
        ]
        sides = np.max([[part.stop - part.start for part in window] for _, window, _, _ in self.tiles], axis=0)
        self.height, self.width = (int(geometry.round_up(side, multiple)) for side in sides)
        self.labelled = {}

    def __len__(self):
        return math.ceil(len(self.tiles) / self.group.devices)

    def __getitem__(self, index):
        count = self.group.devices
        own = range(index * count, (index + 1) * count)[self.group.part_of(count)]
        return tuple(map(np.stack, zip(*map(self._pad, own), strict=True)))

    def _pad(self, number):
        """A tile, its label and its weights; the last one, weighing nothing, where there is none of that number."""
        i, window, inner, _ = self.tiles[min(number, len(self.tiles) - 1)]
        tile, label = self.images[i][window], self.labels[i]
        if i not in self.labelled:
            self.labelled[i] = np.count_nonzero(classes.known(label))
        label = label[window][..., np.newaxis]
        margin = (0, self.height - len(label)), (0, self.width - label.shape[1]), (0, 0)
        counted = np.zeros(label.shape, bool)
        counted[inner] = classes.known(label)[inner]
        weight = np.pad(counted.astype("float32"), margin)
        # Keras divides by the number of items in all batches, those that fill the last one among them.
        gain = (number < len(self.tiles)) * len(self) * self.group.devices / len(self.images)
        weight *= np.float32(gain / max(np.float32(self.labelled[i] / weight.size), 1e-9))
        label = np.pad(np.where(classes.known(label), label, 0).astype("float32"), margin)
        return np.pad(tile, margin, mode="symmetric"), label, weight


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
    print(f"{out} is written. Next: python data.py {shlex.quote(str(out))}")
    return 0


def check(options):
    """Print what there is in a dataset, and what is wrong with it; returns the exit code."""
    (folder,) = options.folders
    advice = recognise.advise(folder)
    if advice:
        print(f"data.py: {advice}", file=sys.stderr)
        return 2
    found = dataset.survey(folder, ignore=options.ignore, objects=options.objects, rule=options.scaling)
    print(inventory.describe(found), *found.notes, sep="\n")
    print(*(f"Warning: {text}" for text in found.warnings), sep="\n", end="\n" * bool(found.warnings))
    problems = checks.find_problems(found)
    print(*problems or ["No problems found."], sep="\n", file=sys.stderr if problems else sys.stdout)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
