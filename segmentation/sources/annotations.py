"""Outlines and run lengths, as annotation tools write them in JSON, drawn as labels: COCO, LabelMe."""

import json
from pathlib import Path

import numpy as np
from skimage import draw

from segmentation.files import classes

CORNERS = 64  # of a circle


def read_json(file):
    """What a JSON file holds, or ValueError with its name."""
    try:
        return json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read as JSON ({' '.join(str(error).split())}).") from None


def draw_objects(objects, size):
    """Draw objects into a label, later ones over earlier ones.

    Between objects of one value that touch, a border one pixel wide stays 0, as by `classes.part_objects`.

    Parameters
    ----------
    objects : list of (int, shape)
        The value of each, and its shape: a list of outlines, each an array (points, 2) of x and y in pixels from the
        upper left corner of the image, or the run lengths of COCO, a dict.
    size : (int, int)
        Height and width.

    Returns
    -------
    array (height, width) of integers, 0 where no object is
    """
    values, numbers = np.zeros((2, *size), np.int64)
    for number, (value, shape) in enumerate(objects, start=1):
        places = _fill_runs(shape, size) if isinstance(shape, dict) else _fill_outlines(shape, size)
        values[places], numbers[places] = value, number
    label = np.zeros(size, np.int64)
    for value in np.unique(values[numbers > 0]):
        label[classes.part_objects(np.where(values == value, numbers, 0))] = value
    return label


def _fill_outlines(outlines, size):
    """The pixels that have their middle inside one of the outlines: arrays of rows and of columns."""
    filled = []
    for outline in outlines:
        x, y = np.asarray(outline, float).reshape(-1, 2).T
        filled.append(draw.polygon(y - 0.5, x - 0.5, size))
    return tuple(np.concatenate(places) for places in zip(*filled, strict=True)) if filled else ([], [])


def _fill_runs(runs, size):
    """The pixels inside COCO's run lengths, which go column by column and begin outside: arrays of rows and columns."""
    height, width = runs["size"]
    counts = runs["counts"]
    counts = _read_counts(counts) if isinstance(counts, str) else counts
    if (height, width) != tuple(size) or sum(counts) != height * width:
        raise ValueError(f"holds run lengths of {sum(counts)} pixels for {size[0]}x{size[1]}.")
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return np.nonzero(inside.reshape(width, height).T)


def _read_counts(text):
    """Run lengths out of COCO's text, as pycocotools (maskApi.c) writes it.

    Five bits a character from 48 on, the lowest first; 32 says that more follow, 16 of the last that it is negative.
    From the fourth on a number is the difference to the one before the last.
    """
    counts, value, shift = [], 0, 0
    for bits in (ord(char) - 48 for char in text):
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits >> 4 & 1) << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    return counts


def read_outline(shape):
    """The outline of a shape of LabelMe; None for one that has no area, such as a line.

    Returns
    -------
    array (points, 2) of x and y, or None
    """
    points, kind = np.asarray(shape["points"], float), shape.get("shape_type") or "polygon"
    if kind in ("polygon", "rectangle") and len(points) > 2:
        return points
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points.min(0), points.max(0)
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if kind == "circle" and len(points) == 2:
        angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        radius = np.hypot(*(points[1] - points[0]))
        return points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return None
