"""Batches for Keras: augmented crops to train on, whole sections to validate on."""

import math
import os

import keras
import numpy as np
from scipy import ndimage

import data
import devices
import geometry

WORKERS = min(8, os.cpu_count() or 1)


class Crops(keras.utils.PyDataset):
    """Endless variations of a few sections: random crops at full resolution, image and label transformed alike.

    A crop depends on (seed, epoch, index of the batch, place in it) alone, not on the number of workers. Train with
    the callback `FollowEpochs` and with `shuffle=False`, which keeps the batches in order.

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
    border_weight, border_sigma : float
        The `w0` and `sigma` of `weigh_borders`; a weight of 0 weighs all pixels alike.
    group : devices.Group
        Which part of a batch this process makes.
    **variations
        Those of `data.augment`.

    Yields
    ------
    float32 (batch_size, crop, crop, channels) and, of the labels, float32 (batch_size, crop, crop, 1); with
    `border_weight` also the weights, like the labels
    """

    def __init__(
        self,
        images,
        labels,
        crop,
        batch_size,
        steps,
        seed=0,
        workers=WORKERS,
        border_weight=0.0,
        border_sigma=5.0,
        group=devices.ALONE,
        **variations,
    ):
        super().__init__(workers=workers)
        self.images = images
        self.targets = [label[..., np.newaxis] for label in labels]
        if border_weight:
            borders = (weigh_borders(label > 0, border_weight, border_sigma) for label in labels)
            self.targets = [np.dstack(pair) for pair in zip(labels, borders, strict=True)]
        self.crop, self.steps = crop, steps
        self.places = range(batch_size)[group.part_of(batch_size)]
        self.seed, self.epoch = seed, 0
        self.variations = variations

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rngs = (np.random.default_rng((self.seed, self.epoch, index, place)) for place in self.places)
        images, targets = zip(*map(self.draw, rngs), strict=True)
        targets = np.stack(targets)
        return np.stack(images), *np.split(targets, targets.shape[-1], axis=-1)

    def draw(self, rng):
        """One random crop of one random section, augmented."""
        i = rng.integers(len(self.images))
        height, width = self.images[i].shape[:2]
        y, x = rng.integers(height - self.crop + 1), rng.integers(width - self.crop + 1)
        window = slice(y, y + self.crop), slice(x, x + self.crop)
        return data.augment(self.images[i][window], self.targets[i][window], rng, **self.variations)


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
        devices = self.group.devices
        places = range(index * devices, (index + 1) * devices)[self.group.part_of(devices)]
        return tuple(map(np.stack, zip(*map(self.pad, places), strict=True)))

    def pad(self, place):
        """A section, its label and its weights; the last one without a weight for a place where there is none."""
        i = min(place, len(self.images) - 1)
        height, width = self.images[i].shape[:2]
        margin = (0, self.height - height), (0, self.width - width), (0, 0)
        image = np.pad(self.images[i], margin, mode="symmetric")
        label = np.pad(self.labels[i][..., np.newaxis].astype("float32"), margin)
        weight = np.pad(np.ones((height, width, 1), "float32"), margin)
        # Keras divides by all places there are.
        share = (place == i) * len(self) * self.group.devices / len(self.images)
        return image, label, weight * np.float32(share / weight.mean())


def weigh_borders(label, w0, sigma=5.0):
    """The U-Net paper's weights, by which narrow borders between cells count: 1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2)).

    Parameters
    ----------
    label : bool array (height, width), True inside cells
    w0 : float
        What a border of no width weighs more than other pixels; 10 in the paper.
    sigma : float
        Decides in pixels which borders are narrow; 5 in the paper.

    Returns
    -------
    float32 array (height, width), with a mean of 1
        d1 and d2 are the distances to the nearest and the second nearest cell. Pixels inside cells weigh 1 before
        all are divided by the mean.
    """
    nearest, second = np.full((2, *label.shape), np.inf)
    margin = int(5 * sigma)  # beyond it a cell adds nothing
    numbered, _ = ndimage.label(label)
    for i, (rows, columns) in enumerate(ndimage.find_objects(numbered), start=1):
        near = np.s_[
            max(rows.start - margin, 0) : rows.stop + margin, max(columns.start - margin, 0) : columns.stop + margin
        ]
        distance = ndimage.distance_transform_edt(numbered[near] != i)
        second[near] = np.minimum(second[near], np.maximum(nearest[near], distance))
        nearest[near] = np.minimum(nearest[near], distance)
    weights = 1 + w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2)) * ~label
    return (weights / weights.mean()).astype("float32")
