"""Labels from files to classes, and classes back to the values and colours that masks are written in.

Of two values the higher is white: the inside of a cell, True. Each of more values is a class, numbered as they rise.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.files import images


def read_label(file, indices=True):
    """Read a label as whole numbers.

    Parameters
    ----------
    file, indices
        As for `images.read_pages`.

    Returns
    -------
    array of integers (height, width)
        Grey values, or a palette's indices. 8-bit colours become numbers that grow with their brightness.

    Raises
    ------
    ValueError
        As `images.read_array`, and if a label holds fractions.
    """
    label = images.read_array(file, indices)
    if label.dtype.kind == "f":
        if not np.isfinite(label).all() or np.any(label % 1):
            raise ValueError(f"{file}: its values are no whole numbers; a label holds one number a class.")
        label = label.astype(np.int64)
    if label.ndim == 3:
        red, green, blue = np.moveaxis(label.astype(np.int64), -1, 0)
        label = (red + green + blue) << 24 | red << 16 | green << 8 | blue
    return label


def read_labels(files):
    """Read labels that belong together.

    Returns
    -------
    labels : list of arrays (height, width)
        As `classify` makes them.
    values : list of int
        The values that stand for the classes, rising.
    """
    labels = [read_label(file) for file in files]
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
        For two values bool, True where the higher stands; for more uint8, the index of the class in `values`.
    """
    if len(values) <= 2:
        return label == values[-1]
    return np.searchsorted(values, label).astype(np.uint8)


def read_palette(file, values):
    """The colours that a label shows its classes in, to write masks alike.

    Parameters
    ----------
    file : path
        An indexed PNG, or a label in colours.
    values : list of int
        The values of its classes, as `read_label` reads them.

    Returns
    -------
    list of int, or None
        Red, green and blue of each index; None for a label in grey.
    """
    if is_colour(values):
        return [value >> shift & 255 for value in values for shift in (16, 8, 0)]
    if Path(file).suffix.lower() != ".png":
        return None
    with Image.open(file) as image:
        return image.getpalette("RGB") if image.mode == "P" else None


def is_colour(values):
    """Whether the values of labels are colours."""
    return max(values) >= 1 << 24


def name_value(value):
    """A label's value as text: a number, or a colour such as #ff8000."""
    return f"#{value & 0xFFFFFF:06x}" if is_colour([value]) else str(value)


def name_values(values):
    """The first few values, or colours, as text."""
    return ", ".join(name_value(value) for value in sorted(values)[:4])


def values_to_write(values):
    """What masks hold for the classes of those values: 0 and 255 for two, indices of a palette for colours.

    Returns
    -------
    tuple of int
    """
    if len(values) <= 2:
        return 0, 255
    return tuple(range(len(values))) if is_colour(values) else tuple(values)


def to_values(mask, written):
    """Turn classes back into values.

    Parameters
    ----------
    mask : array (height, width)
        bool, or the numbers of classes, as from `classify`.
    written : sequence of int
        As from `values_to_write`.

    Returns
    -------
    array (height, width) of `mask_dtype`
    """
    return np.array(written, mask_dtype(written))[mask.astype(np.uint8)]


def mask_dtype(written):
    """uint8, or uint16 for values from 256."""
    return np.dtype(np.uint16 if max(written) > 255 else np.uint8)
