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

from segmentation import geometry
from segmentation.scores import isbi2012

THRESHOLD = 0.5
SMOOTHING = 1
SURE = (0.99, 0.95, 0.9, 0.8)
SMALLEST_CORE = 10
BLOCK, OVERLAP = 1024, 64
# What main.py may choose from: to part cells where membrane is more probable than not, or never.
LINES, NO_LINES = 0.5, 1.0


def mask_cells(probability, border=NO_LINES, threshold=THRESHOLD):
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
    return (probability > threshold) & ~find_lines(probability, border)


def find_lines(probability, border):
    """Lines that part cells, whatever the threshold; parameters as for `mask_cells`.

    Returns
    -------
    bool array (height, width)
        Sections larger than `BLOCK` are looked at block by block, since merging takes more than twice as long for
        twice the cells.
    """
    lines = np.zeros(probability.shape, bool)
    if border < 1:
        for window, inner, outer in geometry.cut_image(probability.shape, BLOCK, OVERLAP):
            lines[outer] = _outline(_find_cells(probability[window], border))[inner]
    return lines


def _find_cells(probability, border):
    """Divide a section among its cells.

    Cores grow to segments that meet in the membranes (a watershed); then neighbours merge, the least parted first,
    until membrane is as probable as `border` along every border that is left.

    Parameters
    ----------
    probability, border
        As for `mask_cells`.

    Returns
    -------
    int array (height, width)
        A number for each cell and its part of the membranes around it.
    """
    smooth = ndimage.gaussian_filter(probability, SMOOTHING)
    segments = watershed(-smooth, _find_cores(smooth))
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
        weight_func=_join_borders,
    )


def _find_cores(probability):
    """Number the cores of cells: connected pixels that are surely inside.

    How sure differs from cell to cell and from network to network. So the surest pixels come first, and at each lower
    level of `SURE` what has no core in it yet becomes one, if it has `SMALLEST_CORE` pixels.

    Parameters
    ----------
    probability : float array (height, width) in [0, 1]

    Returns
    -------
    int array (height, width), 0 outside cores
    """
    cores = np.zeros(probability.shape, int)
    for sure in SURE:
        parts, _ = ndimage.label(probability > sure)
        new = np.bincount(parts.ravel()) >= SMALLEST_CORE
        new[parts[cores > 0]] = False
        new[0] = False
        cores = np.where(new[parts], parts + cores.max(), cores)
    return cores


def _join_borders(borders, source, target, neighbour):
    """What parts `neighbour` from two segments that become one: the mean over both borders, by their lengths."""
    absent = {"weight": 0.0, "count": 0}
    parts = [borders[segment].get(neighbour, absent) for segment in (source, target)]
    count = sum(part["count"] for part in parts)
    return {"weight": sum(part["weight"] * part["count"] for part in parts) / count, "count": count}


def _outline(segments):
    """Lines one pixel wide between segments: bool, True where the pixel below or to the right is another's."""
    lines = np.zeros(segments.shape, bool)
    lines[:-1] |= segments[:-1] != segments[1:]
    lines[:, :-1] |= segments[:, :-1] != segments[:, 1:]
    return lines


def choose_border(labels, probabilities):
    """Which `border` makes the better masks of labelled sections, by their mean V_rand.

    Lines do harm where a faint spot is no membrane, as in pictures of vessels.

    Parameters
    ----------
    labels : list of bool arrays (height, width), True inside cells
    probabilities : list of float arrays (height, width) in [0, 1]

    Returns
    -------
    float
        `LINES` or `NO_LINES`.
    """

    def score(border):
        pairs = zip(labels, probabilities, strict=True)
        return np.mean([isbi2012.v_rand(label, mask_cells(probability, border)) for label, probability in pairs])

    return max(NO_LINES, LINES, key=score)
