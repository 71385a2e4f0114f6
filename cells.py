"""Cells out of probabilities: a mask that keeps neighbours apart.

A threshold alone has to choose: at 0.5 its pixels are right, but a faint spot in a membrane joins two cells; at 0.9 the
cells are apart, and every membrane is too wide. Here the threshold is 0.5, and cells that would merge are parted by a
line one pixel wide, where the *whole* border between them is mostly membrane.

Source: watershed from sure pixels, then merging by mean boundary probability, as connectomics does it; for instance
Nunez-Iglesias et al., "Machine learning of hierarchical clustering to segment 2D and 3D images", PLoS ONE 2013.
"""

import itertools

import numpy as np
from scipy import ndimage
from skimage import graph
from skimage.segmentation import watershed

import challenge
import tiles

THRESHOLD = 0.5
SMOOTHING = 1
SMALLEST = 10
BLOCK, OVERLAP = 1024, 64
# What main.py may choose from: lines by a network that is so sure of the insides of cells, or no lines.
LINES = {"border": 0.45, "sure": 0.99}
LESS_SURE = tuple(LINES | {"sure": sure} for sure in (0.8, 0.9, 0.95, 0.98))
NO_LINES = {"border": 1.0}
# Differences in V_rand as small as this are chance on half a dozen sections (benchmarks/LOG.md).
MARGIN = 0.01


def to_mask(probability, border=1.0, sure=0.99, threshold=THRESHOLD):
    """Mask of the insides of cells.

    Parameters
    ----------
    probability : float array (height, width) in [0, 1]
        That of the inside of a cell.
    border : float in [0, 1]
        Two cells are parted where membrane is, on the average along their border, at least as probable as this; 1 for
        the threshold alone.
    sure : float in [0, 1]
        The probability above which pixels are the core of a cell.
    threshold : float
        The probability above which a pixel is white.

    Returns
    -------
    bool array (height, width)
        Sections larger than `BLOCK` are looked at block by block, since merging takes more than twice as long for
        twice the cells.
    """
    inside = probability > threshold
    if border < 1:
        axes = (list(tiles.cut(length, BLOCK, OVERLAP, 1)) for length in probability.shape)
        for place in itertools.product(*axes):
            window, inner, outer = zip(*place, strict=True)
            inside[outer] &= ~outlines(find_cells(probability[window], border, sure))[inner]
    return inside


def find_cells(probability, border, sure):
    """Share the section out between its cells.

    Pixels that are surely inside grow to segments that meet in the membranes (a watershed); then neighbours merge, the
    least parted first, until membrane is as probable as `border` along every border that is left.

    Parameters
    ----------
    probability, border, sure
        As for `to_mask`.

    Returns
    -------
    int array (height, width)
        A number for each cell, and its share of the membranes around it.
    """
    smooth = ndimage.gaussian_filter(probability, SMOOTHING)
    markers = ndimage.label(smooth > sure)[0]
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


def choose(labels, probabilities):
    """The settings whose masks score the best mean V_rand on labelled sections.

    Cores as sure as `LINES` says are the rule; a network that is less sure has to show that others are better by
    more than `MARGIN`. Where lines do harm, as they may in pictures of vessels, there are none.

    Parameters
    ----------
    labels : list of bool arrays (height, width), True inside cells
    probabilities : list of float arrays (height, width) in [0, 1]

    Returns
    -------
    dict
        `border` and, with lines, `sure`, as for `to_mask`.
    """

    def score(settings):
        pairs = zip(labels, probabilities, strict=True)
        return np.mean([challenge.v_rand(label, to_mask(probability, **settings)) for label, probability in pairs])

    usual, *others, without = (score(settings) for settings in (LINES, *LESS_SURE, NO_LINES))
    best = int(np.argmax(others))
    lines, reached = (LESS_SURE[best], others[best]) if others[best] > usual + MARGIN else (LINES, usual)
    return lines if reached > without else NO_LINES
