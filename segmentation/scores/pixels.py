"""Scores by pixel: accuracy, Dice and IoU of arrays."""

import numpy as np


def accuracy(label, mask):
    """Share of the pixels that agree, in [0, 1].

    Parameters
    ----------
    label, mask : bool arrays of one shape, not empty

    Returns
    -------
    float
    """
    return float(np.mean(label == mask))


def constant_accuracy(label):
    """Accuracy of the best constant answer, one class for all pixels: what any network has to beat."""
    return float(np.bincount(label.ravel()).max() / label.size)


def dice(label, mask):
    """Dice coefficient 2 |A and B| / (|A| + |B|) of the True pixels, in [0, 1]; 1 where both are empty."""
    total = np.count_nonzero(label) + np.count_nonzero(mask)
    return 2 * np.count_nonzero(label & mask) / total if total else 1.0


def iou(label, mask):
    """Intersection over union of the True pixels, in [0, 1]; 1 where both are empty."""
    union = np.count_nonzero(label | mask)
    return np.count_nonzero(label & mask) / union if union else 1.0
