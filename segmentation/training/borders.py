"""Weights by which narrow borders between cells count more in training."""

import numpy as np
from scipy import ndimage


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
