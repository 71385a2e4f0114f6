"""The scores of the ISBI 2012 challenge: V_rand and V_info, which ask whether the right pixels are in one cell, and
the pixel error.

Source: Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for connectomics",
Frontiers in Neuroanatomy 2015, as its Fiji implementation, Trainable_Segmentation's `metrics`, computes them.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

THRESHOLDS = tuple(i / 10 for i in range(11))


def _thin_borders(interior):
    """Segments of a proposal whose borders have been thinned to lines.

    The 4-connected components of `interior` are the seeds of a watershed on the flat rest.

    Parameters
    ----------
    interior : bool array (height, width)

    Returns
    -------
    int array (height, width)
        0 on the lines, 1, 2, ... in the segments.
    """
    seeds, count = ndimage.label(interior)
    if count == 0:
        return seeds
    return watershed(~interior, seeds, connectivity=1, watershed_line=True)


@dataclass(frozen=True)
class Contingency:
    """How the pixels that count, those inside cells, fall into true and proposed segments.

    `joint`, `truth` and `proposal` are float arrays: shares of the pairs of segments, of the true segments, and of the
    proposed segments. A pixel on a line between proposed segments is a segment of its own, and left out of `joint` and
    `proposal`; `on_lines` is the share of those pixels. `count` is the number of pixels that count.
    """

    joint: np.ndarray
    truth: np.ndarray
    proposal: np.ndarray
    on_lines: float
    count: int


def find_contingency(label, interior):
    """The `Contingency` of a section.

    Parameters
    ----------
    label : bool array (height, width)
        True inside cells; only these pixels count.
    interior : bool array (height, width)
        The proposal, True inside cells.
    """
    truth = ndimage.label(label)[0][label]
    proposal = _thin_borders(interior)[label].astype(np.int64)
    count, segments = truth.size, proposal.max(initial=0) + 1
    pairs, occurrences = np.unique(truth * segments + proposal, return_counts=True)
    shares = np.bincount(proposal, minlength=1) / max(count, 1)
    return Contingency(
        joint=occurrences[pairs % segments > 0] / max(count, 1),
        truth=np.bincount(truth)[1:] / max(count, 1),
        proposal=shares[1:],
        on_lines=float(shares[0]),
        count=count,
    )


def v_rand(label, interior):
    """Foreground-restricted Rand score after border thinning, of one section.

    The harmonic mean of two chances: that two pixels of one proposed segment belong to one cell, and that two pixels
    of one cell belong to one proposed segment.

    Parameters
    ----------
    label, interior : bool arrays (height, width)
        As for `find_contingency`.

    Returns
    -------
    float in [0, 1]; 1 if no pixel counts.
    """
    return rand_of(find_contingency(label, interior))


def v_info(label, interior):
    """Foreground-restricted information score after border thinning, of one section.

    Twice the mutual information of true and proposed segments over the sum of their entropies. Parameters and range
    are those of `v_rand`; 1 where both have a single segment.
    """
    return information_of(find_contingency(label, interior))


def rand_of(found):
    """`v_rand` from a `Contingency`."""
    if found.count == 0:
        return 1.0
    alone = found.on_lines / found.count
    proposed, true = np.sum(found.proposal**2), np.sum(found.truth**2)
    return float(2 * (np.sum(found.joint**2) + alone) / (proposed + alone + true))


def information_of(found):
    """`v_info` from a `Contingency`."""
    alone = found.on_lines * np.log(max(found.count, 1))
    both = _entropy(found.truth) + _entropy(found.proposal) + alone
    return float(2 * (both - _entropy(found.joint) - alone) / both) if both > 0 else 1.0


def _entropy(shares):
    """Sum of -p log p in nats, empty segments left out."""
    shares = shares[shares > 0]
    return -np.sum(shares * np.log(shares))


def challenge_scores(labels, probabilities):
    """The challenge's scores of a stack, each at its best threshold; V_rand and V_info are averaged over sections.

    The pixel error is 1 less the F-score of the cells' pixels, those of all sections together. It is not 1 less the
    accuracy.

    Parameters
    ----------
    labels : bool array (sections, height, width)
        True inside cells.
    probabilities : float array (sections, height, width) in [0, 1]
        Probability of the inside of a cell.

    Returns
    -------
    dict with the best `v_rand`, `v_info` and `pixel_error`, and the `threshold` of the best `v_rand`.
    """
    rand, information, errors = [], [], []
    for threshold in THRESHOLDS:
        errors.append(_pixel_error(labels, probabilities, threshold))
        found = [find_contingency(a, b > threshold) for a, b in zip(labels, probabilities, strict=True)]
        rand.append(np.mean(list(map(rand_of, found))))
        information.append(np.mean(list(map(information_of, found))))
    best = int(np.argmax(rand))
    return {
        "v_rand": float(rand[best]),
        "v_info": float(max(information)),
        "pixel_error": min(errors),
        "threshold": THRESHOLDS[best],
    }


def _pixel_error(labels, probabilities, threshold):
    """1 less the F-score of the cells' pixels at a threshold; 0 if there are none, and none are found."""
    found = [probability > threshold for probability in probabilities]
    right = sum(np.count_nonzero(label & mask) for label, mask in zip(labels, found, strict=True))
    counted = sum(np.count_nonzero(label) + np.count_nonzero(mask) for label, mask in zip(labels, found, strict=True))
    return 1 - 2 * right / counted if counted else 0.0
