"""How many objects are found, and how well: by how much objects of a label and of a mask overlap.

Sources: Schmidt et al., MICCAI 2018, with the definitions of `stardist.matching`; SEG of the Cell Tracking Challenge,
Ulman et al., Nature Methods 2017.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
SPECKS = 0.02  # of the objects of labels, that may be smaller than what is counted (benchmarks/LOG.md)


class Overlap(NamedTuple):
    """By how much each object of a label, a row, overlaps with each of a mask, a column: float arrays.

    `iou` is the intersection over the union, `covered` the intersection over the object of the label.
    """

    iou: np.ndarray
    covered: np.ndarray


def count_matches(label, mask, overlap=0.5):
    """Count the objects of one image that are found, missed and extra.

    Each object of the label is matched with one of the mask at most, so that as many as possible have an IoU of
    `overlap` or more.

    Parameters
    ----------
    label, mask : arrays of integers (height, width)
        Numbered objects, 0 outside; or bool, whose connected parts (4 neighbours) are the objects.
    overlap : float

    Returns
    -------
    dict
        `found`, `missed` and `extra` objects, and `iou`, the sum of the IoU of those found.
    """
    return _count(compare(label, mask).iou, overlap)


def _count(ious, overlap):
    """What `count_matches` returns, by the IoU of each object of a label with each of a mask."""
    from scipy import optimize  # here, since it takes a third of a second to start, which a check does without

    enough = ious >= overlap
    matched = 0
    if enough.any():
        most = min(ious.shape)
        rows, columns = optimize.linear_sum_assignment(-(enough + ious / (2 * most)))
        kept = enough[rows, columns]
        matched, ious = np.count_nonzero(kept), ious[rows, columns][kept]
    return {
        "found": int(matched),
        "missed": int(enough.shape[0] - matched),
        "extra": int(enough.shape[1] - matched),
        "iou": float(np.sum(ious)) if matched else 0.0,
    }


def score_matches(counts):
    """Scores over all objects of some images.

    Parameters
    ----------
    counts : list of dict
        As from `count_matches`.

    Returns
    -------
    dict of str to float
        `precision`, `recall`, `f1` and `matched_iou`, the mean IoU of the objects that are found; NaN where there are
        none to count.
    """
    found, missed, extra, iou = (sum(one[name] for one in counts) for name in ("found", "missed", "extra", "iou"))
    return {
        "precision": found / (found + extra) if found + extra else np.nan,
        "recall": found / (found + missed) if found + missed else np.nan,
        "f1": 2 * found / (2 * found + missed + extra) if found + missed + extra else np.nan,
        "matched_iou": iou / found if found else np.nan,
    }


def _number(array):
    """Numbers of objects from 1 on, without gaps."""
    if array.dtype == bool:
        return ndimage.label(array)[0]
    values, numbers = np.unique(array, return_inverse=True)
    return numbers.reshape(array.shape) + int(values[0] != 0)


def measure_areas(array):
    """The pixels of each object of a label or a mask, as for `count_matches`: int array."""
    return np.bincount(_number(array).ravel())[1:]


def find_smallest(areas):
    """The pixels that all objects of labels but `SPECKS` have at least: int, 1 without objects.

    Parameters
    ----------
    areas : iterable of arrays
        Those of each label, as from `measure_areas`.
    """
    areas = np.concatenate([[], *areas])
    return int(np.quantile(areas, SPECKS, method="lower")) if areas.size else 1


def leave_out_specks(mask, smallest):
    """A mask, as for `count_matches`, without its objects of fewer pixels."""
    numbers = _number(mask)
    kept = np.bincount(numbers.ravel()) >= smallest
    return np.where(kept[numbers], mask, 0).astype(mask.dtype)


def compare(label, mask):
    """The `Overlap` of the objects of two arrays, as for `count_matches`."""
    label, mask = map(_number, (label, mask))
    rows, columns = int(label.max(initial=0)) + 1, int(mask.max(initial=0)) + 1
    shared = np.bincount(label.ravel().astype(np.int64) * columns + mask.ravel(), minlength=rows * columns)
    shared = shared.reshape(rows, columns)
    area = shared.sum(1, keepdims=True)
    union = area + shared.sum(0, keepdims=True) - shared
    return Overlap(*((shared / np.maximum(whole, 1))[1:, 1:] for whole in (union, area)))


def score_pairs(pairs):
    """All scores by object of some images, whose labels and masks are as for `count_matches`.

    Returns
    -------
    scores : dict of str to dict
        For each of `OVERLAPS`, by a title such as "IoU 0.5", what `score_matches` returns.
    seg : float
        The mean over the objects of all labels of the IoU with the object of the mask that covers more than half of
        them, 0 where there is none: SEG. NaN without objects.
    """
    counts, found = {overlap: [] for overlap in OVERLAPS}, []
    for label, mask in pairs:
        overlaps = compare(label, mask)
        for overlap, counted in counts.items():
            counted.append(_count(overlaps.iou, overlap))
        found.append(np.where(overlaps.covered > 0.5, overlaps.iou, 0).max(axis=1, initial=0))
    every = np.concatenate(found) if found else np.array([])
    scores = {f"IoU {overlap}": score_matches(counted) for overlap, counted in counts.items()}
    return scores, float(every.mean()) if every.size else np.nan
