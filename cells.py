"""Cells out of probabilities: a mask that keeps neighbours apart.

A threshold alone has to choose: at 0.5 its pixels are right, but a faint spot in a membrane joins two cells; at 0.9 the
cells are apart, and every membrane is too wide. Here the threshold is 0.5, and cells that would merge are parted by a
line one pixel wide, where the *whole* border between them is mostly membrane.

Source: watershed from sure pixels, then merging by mean boundary probability, as connectomics does it; for instance
Nunez-Iglesias et al., "Machine learning of hierarchical clustering to segment 2D and 3D images", PLoS ONE 2013.
"""

import numpy as np
from scipy import ndimage
from skimage import graph
from skimage.segmentation import watershed

import metrics

THRESHOLD = 0.5
SURE = 0.99
SMOOTHING = 1
SMALLEST = 10
BORDERS = (0.45, 1.0)


def to_mask(probability, border=1.0, threshold=THRESHOLD):
    """Mask of the insides of cells.

    Parameters
    ----------
    probability : float array (height, width) in [0, 1]
        That of the inside of a cell.
    border : float in [0, 1]
        Two cells are parted where membrane is, on the average along their border, at least as probable as this; 1 for
        the threshold alone.
    threshold : float
        The probability above which a pixel is white.

    Returns
    -------
    bool array (height, width)
    """
    inside = probability > threshold
    if border < 1:
        inside &= ~outlines(find_cells(probability, border))
    return inside


def find_cells(probability, border):
    """Share the section out between its cells.

    Pixels that are surely inside grow to segments that meet in the membranes (a watershed); then neighbours merge, the
    least parted first, until membrane is as probable as `border` along every border that is left.

    Parameters
    ----------
    probability, border
        As for `to_mask`.

    Returns
    -------
    int array (height, width)
        A number for each cell, and its share of the membranes around it.
    """
    smooth = ndimage.gaussian_filter(probability, SMOOTHING)
    markers = ndimage.label(smooth > SURE)[0]
    markers[np.bincount(markers.ravel())[markers] < SMALLEST] = 0
    segments = watershed(-smooth, markers)
    if segments.min() == segments.max():
        return segments
    borders = graph.rag_boundary(segments, 1 - probability, connectivity=1)
    return graph.merge_hierarchical(
        segments,
        borders,
        thresh=border,
        rag_copy=False,
        in_place_merge=True,
        merge_func=lambda borders, source, target: None,
        weight_func=join_borders,
    )


def join_borders(borders, source, target, neighbour):
    """What parts `neighbour` from two segments that become one: the mean over both borders, by their lengths."""
    absent = {"weight": 0.0, "count": 0}
    parts = [borders[segment].get(neighbour, absent) for segment in (source, target)]
    count = sum(part["count"] for part in parts)
    return {"weight": sum(part["weight"] * part["count"] for part in parts) / count, "count": count}


def outlines(segments):
    """Lines one pixel wide between segments: bool, True where the pixel below or to the right is another's."""
    lines = np.zeros(segments.shape, bool)
    lines[:-1] |= segments[:-1] != segments[1:]
    lines[:, :-1] |= segments[:, :-1] != segments[:, 1:]
    return lines


def choose_border(labels, probabilities):
    """The `border` whose masks score the best mean V_rand on labelled sections.

    Where lines do harm, as they may in pictures of vessels, that is 1: no lines.

    Parameters
    ----------
    labels : list of bool arrays (height, width), True inside cells
    probabilities : list of float arrays (height, width) in [0, 1]

    Returns
    -------
    float, one of `BORDERS`
    """

    def score(border):
        pairs = zip(labels, probabilities, strict=True)
        return np.mean([metrics.v_rand(label, to_mask(probability, border)) for label, probability in pairs])

    return max(reversed(BORDERS), key=score)
