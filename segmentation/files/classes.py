"""Classes: from the numbers of labels to classes, and back to the values of masks. Their meaning: meanings.py."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from segmentation.files import labels

IGNORED, UNKNOWN = 255, 254  # among the numbers of classes: not labelled; a value that is no class
BACKGROUND = ("background", "outside", "0", "#000000")  # names of what is no object
LOOKED_AT = 16  # labels, and a corner of each, to tell whether objects are many
MANY, ROUND = 4, 0.2  # how many objects an image holds, and how thick they are for their size, to be told apart


@dataclass(frozen=True)
class Classes:
    """What the values of a dataset's labels mean.

    `values` are those of the classes, rising, as read by `reading`, one of `labels.READINGS`, and `names` what they are
    called. `ignore` is the value of pixels that are not labelled, or None. With `objects` a label numbers its objects,
    and the two classes are outside and inside of them. `pixels` counts those of each class in the training labels;
    `palette` holds the colours that masks take over, or is None. `parted` says that objects are many, or cells that are
    parted by lines, so that scores by object mean something; None if that was not looked at.
    """

    values: tuple
    names: tuple
    reading: str = "values"
    ignore: int | None = None
    objects: bool = False
    pixels: tuple = ()
    palette: tuple | None = None
    parted: bool | None = None

    @property
    def order(self):
        """The numbers of the classes as they are shown: of two the rarer one first."""
        numbers = list(range(len(self.values)))
        return sorted(numbers, key=lambda i: self.pixels[i]) if len(numbers) == 2 and self.pixels else numbers

    @property
    def written(self):
        """What masks hold for the classes: 0 and 255 for two, indices of a palette for colours; tuple of int."""
        if len(self.values) <= 2:
            return 0, 255
        return tuple(range(len(self.values))) if self.reading == "colours" else self.values


def classify(label, classes):
    """Turn the numbers of a label into classes.

    Parameters
    ----------
    label : labels.Label
    classes : Classes

    Returns
    -------
    array (pages, height, width)
        For two classes, all of them labelled, bool, True where the higher stands. Else uint8, the number of the class
        in `classes.values`, `IGNORED` where a pixel is not labelled, `UNKNOWN` for a value that is no class.
    """
    numbers = labels.translate_label(label, classes.reading)
    ignored = np.zeros(numbers.shape, bool) if classes.ignore is None else numbers == classes.ignore
    if classes.objects:
        found = np.stack([part_objects(page) for page in np.where(ignored, 0, numbers)])
    elif len(classes.values) == 2:
        white = _find_white(np.unique(numbers[~ignored]).tolist(), classes.values)
        found = numbers >= min(white) if white else np.zeros(numbers.shape, bool)
    else:
        places = np.minimum(np.searchsorted(classes.values, numbers), len(classes.values) - 1)
        found = np.where(np.array(classes.values)[places] == numbers, places, UNKNOWN).astype(np.uint8)
    if classes.ignore is None:
        return found
    return np.where(ignored, IGNORED, found).astype(np.uint8)


def _find_white(own, values):
    """Which of a label's own values, rising, are the higher one of two classes: by its own two, if they are others."""
    if set(own) <= set(values):
        return [value for value in own if value == values[1]]
    if len(own) <= 2:
        return own[-1:] if len(own) == 2 or own[0] != 0 else []
    return [value for value in own if value > sum(values) / 2]


def count_classes(content, classes):
    """Pixels of each class in a label: a list of lists, one a page.

    Parameters
    ----------
    content : labels.Content
    classes : Classes
    """

    def read(value):
        return labels.translate(value, content.palette, classes.reading)

    own = sorted({read(value) for value in content.counts} - {classes.ignore})
    if classes.objects:
        white = [value for value in own if value != 0]
    elif len(classes.values) == 2:
        white = _find_white(own, classes.values)
    pages = []
    for counts in content.pages:
        pixels = [0] * len(classes.values)
        for value, count in ((read(value), count) for value, count in counts.items()):
            if value == classes.ignore:
                continue
            if len(classes.values) == 2:
                pixels[value in white] += count
            elif value in classes.values:
                pixels[classes.values.index(value)] += count
        pages.append(pixels)
    return pages


def part_objects(numbers):
    """Where numbered objects are, with a border one pixel wide between those that touch, also by a corner.

    Parameters
    ----------
    numbers : array of integers (height, width)
        0 outside objects.

    Returns
    -------
    bool array (height, width)
    """
    inside = numbers != 0
    beside = (np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:])
    corners = (np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[:-1, 1:], np.s_[1:, :-1])
    for pairs in (beside, corners):
        border = np.zeros(numbers.shape, bool)
        for first, second in pairs:
            border[first] |= (numbers[first] != numbers[second]) & inside[first] & inside[second]
        inside = inside & ~border
    return inside


def known(label):
    """Where the classes of an array, as from `classify`, are labelled: bool array."""
    return label != IGNORED if label.dtype == np.uint8 else np.ones(label.shape, bool)


def are_parted(arrays):
    """Whether what is white is many objects, or cells that are parted by lines, rather than vessels or a lesion.

    By the mean over sections of how many objects there are, weighed by their area, and of how thick they are: the
    radius of the largest circle in each over the root of its area, 0.56 for a disc.

    Parameters
    ----------
    arrays : list of arrays (height, width)
        Classes, as from `classify`.
    """
    many, thick = [], []
    for i in range(0, len(arrays), max(1, len(arrays) // LOOKED_AT)):
        white = arrays[i][:1024, :1024] == 1
        numbered, count = ndimage.label(white)
        if not count:
            continue
        areas = np.bincount(numbered.ravel())[1:]
        shares = areas / areas.sum()
        inside = ndimage.distance_transform_edt(np.pad(white, 1))[1:-1, 1:-1]
        radii = ndimage.maximum(inside, numbered, np.arange(1, count + 1))
        many.append(1 / np.sum(shares**2))
        thick.append(np.sum(shares * radii / np.sqrt(areas)))
    return bool(many) and float(np.mean(many)) >= MANY and float(np.mean(thick)) >= ROUND


def to_values(mask, written):
    """Turn classes back into values.

    Parameters
    ----------
    mask : array (height, width)
        bool, or the numbers of classes, as from `classify`.
    written : sequence of int
        As `Classes.written`.

    Returns
    -------
    array (height, width) of `mask_dtype`
    """
    return np.array(written, mask_dtype(written))[mask.astype(np.uint8)]


def mask_dtype(written):
    """uint8, or uint16 for values from 256."""
    return np.dtype(np.uint16 if max(written) > 255 else np.uint8)


def find_kinds(names):
    """The classes that objects are made of, by their numbers: list of int.

    Of two the one that is not called background, or else the white one; of more all but that.
    """
    kinds = [number for number, name in enumerate(names) if name.lower() not in BACKGROUND]
    return kinds if len(names) > 2 or len(kinds) == 1 else [1]
