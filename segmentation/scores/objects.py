"""How many objects are found: by how much objects of a label and of a mask overlap, as StarDist counts them.

Schmidt et al., MICCAI 2018; the definitions are those of `stardist.matching`.
"""

import numpy as np
from scipy import ndimage, optimize


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
    label, mask = map(_number, (label, mask))
    ious = _compare(label, mask)
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


def _compare(label, mask):
    """The IoU of each object of a label with each of a mask: array (objects, objects)."""
    rows, columns = int(label.max(initial=0)) + 1, int(mask.max(initial=0)) + 1
    shared = np.bincount(label.ravel().astype(np.int64) * columns + mask.ravel(), minlength=rows * columns)
    shared = shared.reshape(rows, columns)
    union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    return (shared / np.maximum(union, 1))[1:, 1:]
