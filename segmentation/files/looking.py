"""What a check has to know of one image, or one label, which is decoded for it once."""

from __future__ import annotations  # some fields have the names of the modules of their types

import hashlib
from dataclasses import dataclass

import numpy as np

from segmentation.files import images, labels, scaling


@dataclass(frozen=True)
class Facts:
    """What a check has to know of an image or a label.

    `size` is (height, width), `pages` how many images the file holds, `channels` how many each has, `digests` are
    fingerprints of the pages' pixels, None for a page of one value. Of an image `greys` are its `scaling.Greys` and
    `ends` its lowest and highest value, of a label `content` is its `labels.Content`. `notes` say what was left out of
    a file, `in_grey` that a picture in red, green and blue shows no colour. `array` is what was decoded, pages of
    pixels or a `labels.Label`, if it is to be trained on and was kept.
    """

    size: tuple
    pages: int
    channels: int
    dtype: str
    digests: tuple
    greys: scaling.Greys | None = None
    ends: np.ndarray | None = None
    content: labels.Content | None = None
    notes: tuple = ()
    in_grey: bool = False
    array: object = None


def look_at_image(file):
    """The `Facts` of images to train on or to predict; ValueError if they cannot be used."""
    raster = images.read_raster(file)
    pages = images.to_pages(raster)
    scaling.check(pages, None, file)
    greys = images.to_grey(pages)
    return Facts(
        size=pages.shape[1:3],
        pages=len(pages),
        channels=pages.shape[3] if pages.ndim == 4 else 1,
        dtype=str(pages.dtype),
        digests=tuple(map(_digest, greys)),
        greys=scaling.survey(pages),
        ends=np.array([pages.min(), pages.max()], pages.dtype),
        notes=tuple(f"{note}." for note in images.list_notes(raster)),
        in_grey=pages.ndim == 4 and greys.ndim == 3,
        array=pages,
    )


def look_at_label(file):
    """The `Facts` of a label; ValueError if it cannot be used."""
    label = labels.read_label(file)
    return Facts(
        size=label.numbers.shape[1:],
        pages=len(label.numbers),
        channels=1,
        dtype=str(label.numbers.dtype),
        digests=tuple(map(_digest, label.numbers)),
        content=labels.survey(label),
        notes=tuple(f"{note}." for note in label.notes),
        array=label,
    )


def read_image(file, facts):
    """The pages of an image, as a survey has kept them, or read again."""
    if facts.array is not None:
        return facts.array
    pages = images.read_pages(file)
    return images.to_grey(pages) if facts.channels == 1 else pages


def read_label(file, facts):
    """The `labels.Label` of a file, as a survey has kept it, or read again."""
    return labels.read_label(file) if facts.array is None else facts.array


def _digest(array):
    """A fingerprint of an array's values, whatever their type; None if they are all one, as in a blank tile."""
    low, high = array.min().item(), array.max().item()  # beside which half floats would overflow
    if low == high:
        return None
    plain = array.dtype.kind == "u" or (low >= 0 and high <= 65535 and not np.any(array % 1))
    dtype = np.float64 if not plain or high > 65535 else np.uint16 if high > 255 else np.uint8
    fingerprint = hashlib.sha256()
    for row in array:
        fingerprint.update(np.ascontiguousarray(row, dtype=dtype))
    return fingerprint.hexdigest()
