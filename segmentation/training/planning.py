"""What is chosen from the data where it is not given, each by a rule that is printed."""

import numpy as np

from segmentation.files import classes
from segmentation.scores import objects

FEWEST, MOST_LABELS = 8, 64  # that tell an order; that are looked at
MOST_IMAGES = 32  # that are looked at
UPRIGHT = 0.3  # of the pixels; 0.77 of streets, below 0.03 of sections, nuclei and vessels (benchmarks/LOG.md)
SMALL = 0.1  # of the pixels; of a class below that Dice finds more, and of others no more (benchmarks/LOG.md)
STEPS, MORE_STEPS = 220, 350  # an epoch, for two classes and for more (benchmarks/LOG.md)
DROPOUT = 0.5  # share of features, for two classes; so short a training of more needs all (benchmarks/LOG.md)
NOISE, TIMES = 0.08, 3  # share of the range; of the noise that images have (benchmarks/LOG.md)
LEAST_NOISE = 0.01  # share of the range
LARGEST = 1024  # side of the part of an image in which noise is measured, in pixels
LARGEST_LABEL = 2048  # side of the part of a label whose objects are measured, in pixels
RARE, CENTRED = 0.02, 0.5  # of the pixels; of the crops: by chance few hold any of a class like that


def plan(options, images, labels, known):
    """Choose the options of main.py that are None; returns what was chosen, in sentences.

    Parameters
    ----------
    options : argparse.Namespace
    images : sequence of float32 arrays (height, width, channels), about 0 to 1
        The training images, or `storage.Scaled`.
    labels : sequence of arrays (height, width)
        Classes of the training images, as from `classes.classify`.
    known : classes.Classes
    """
    lines = []
    if options.turns is None:
        options.turns = choose_turns(labels, len(known.values))
        if options.turns != "all":
            where = "one above the other" if options.turns == "mirror" else "side by side"
            lines.append(f"The classes lie {where} alike in all labels: --turns {options.turns}.")
    if options.loss is None:
        options.loss = choose_loss(known)
        if options.loss == "dice":
            name, share = known.names[np.argmin(known.pixels)], min(known.pixels) / sum(known.pixels)
            lines.append(f"{name} has {share:.1%} of the pixels: Dice is added to the loss (--loss dice).")
    several, more = len(known.values) > 2, []
    if options.class_weights is None:
        options.class_weights = several and choose_loss(known) == "dice"
        more += ["rare ones weigh more (--class-weights)"] * options.class_weights
    if options.dropout is None:
        options.dropout = 0.0 if several else DROPOUT
        more += ["no features are dropped (--dropout 0)"] * several
    if options.steps_per_epoch is None:
        options.steps_per_epoch = MORE_STEPS if several else STEPS
        more += [f"training is longer (--steps-per-epoch {MORE_STEPS})"] * (several and not options.minutes)
    if more:
        lines.append(f"There are {len(known.values)} classes: {', '.join(more)}.")
    if options.noise is None and options.grey:
        noise = measure_noise(images)
        options.noise = round(float(np.clip(TIMES * noise, LEAST_NOISE, NOISE)), 3)
        if options.noise < NOISE:
            text = f"Images have little noise, about {noise:.3f} of their range"
            lines.append(f"{text}: no more than {options.noise:g} is added in training (--noise).")
    if options.centred is None:
        options.centred = choose_centred(known)
        if options.centred:
            name = known.names[known.order[0]]
            lines.append(f"{name} is rare: {options.centred:.0%} of the crops are around it (--centred).")
    return lines


def choose_turns(labels, count):
    """Turns that leave the classes where they are in all images: one of `geometry.TURNS`, for `count` classes."""
    some = take_some(labels)
    if measure_order(some, 1, count) > UPRIGHT:
        return "none"
    return "mirror" if measure_order(some, 0, count) > UPRIGHT else "all"


def take_some(labels):
    """At most `MOST_LABELS` of them, evenly spread: list of arrays."""
    return [labels[i] for i in range(0, len(labels), len(labels) // MOST_LABELS + 1)]


def measure_order(labels, axis, count):
    """How surely the classes of labels lie in the same order along an axis.

    Of each class, how much more of it is in the first half of a label, among the labelled pixels there, than in the
    last, as a share of both: the mean over labels, less two standard errors, weighed by the pixels of the class. 0 for
    classes that lie anywhere, 1 for those that are always in one half.
    """
    halves = []
    for label in labels:
        turned = np.moveaxis(label, axis, 0)
        middle = len(turned) // 2
        parts = [turned[:middle], turned[len(turned) - middle :]]
        halves.append([np.bincount(part[classes.known(part)], minlength=count)[:count] for part in parts])
    counted = np.array(halves, float)
    first, last = np.moveaxis(counted / np.maximum(counted.sum(-1, keepdims=True), 1), 1, 0)
    both = first + last
    there = both > 0
    more = np.divide(first - last, both, out=np.zeros_like(both), where=there)
    number = np.maximum(there.sum(0), 1)
    mean = more.sum(0) / number
    spread = np.sqrt((there * (more - mean) ** 2).sum(0) / np.maximum(number - 1, 1))
    sure = np.where(number >= FEWEST, np.maximum(np.abs(mean) - 2 * spread / np.sqrt(number), 0), 0)
    return float(sure @ both.sum(0) / max(both.sum(), 1))


def measure_noise(images):
    """The standard deviation of the noise of images, by how far pixels are from the middle of their neighbours.

    The median over images of the median over pixels, which edges do not change. Where more than half of the pixels are
    like their neighbours, as in a drawing, it is 0.

    Parameters
    ----------
    images : sequence of float32 arrays (height, width, channels)
    """
    found = []
    for i in range(0, len(images), len(images) // MOST_IMAGES + 1):
        height, width = images[i].shape[:2]
        y, x = max(0, (height - LARGEST) // 2), max(0, (width - LARGEST) // 2)
        part = images[i][y : y + LARGEST, x : x + LARGEST]
        second = np.abs(part[:-2] - 2 * part[1:-1] + part[2:])
        # Of normal noise the median of |x| is 0.6745 deviations, and 1, -2, 1 make it larger by the root of 6.
        found.append(np.median(second) / 0.6745 / np.sqrt(6) if second.size else 0)
    return float(np.median(found))


def choose_loss(known):
    """The loss: with Dice if a class has less than `SMALL` of the pixels."""
    return "dice" if min(known.pixels) < SMALL * sum(known.pixels) else "cross-entropy"


def choose_centred(known):
    """The share of crops that are drawn around objects: `CENTRED` if one of two classes is rare, or else none."""
    rare = len(known.values) == 2 and min(known.pixels) < RARE * sum(known.pixels)
    return CENTRED if rare else 0.0


def choose_smallest(labels, known):
    """The pixels that objects have at least, as nearly all of the labels do; 1 where objects are few."""
    if not known.parted:
        return 1
    window = np.s_[:LARGEST_LABEL, :LARGEST_LABEL]
    kinds = classes.find_kinds(known.names)
    return objects.find_smallest(
        objects.measure_areas(label[window] == kind) for label in take_some(labels) for kind in kinds
    )
