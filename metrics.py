"""Scores of predicted masks against labels: pure functions on arrays, and a command line.

    python metrics.py data/membrane/test data/membrane/test/label

A mask or a label is a bool array, True inside cells (white). "Membrane" scores are those of the black class.

Sources: V_rand and V_info are the scores of the ISBI 2012 challenge, Arganda-Carreras et al., "Crowdsourcing the
creation of image segmentation algorithms for connectomics", Frontiers in Neuroanatomy 2015, as its Fiji
implementation computes them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage
from skimage.segmentation import watershed

import data
import formats

THRESHOLDS = tuple(i / 10 for i in range(11))


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
    """Accuracy of the better constant answer, all white or all black: what any network has to beat."""
    share = float(np.mean(label))
    return max(share, 1 - share)


def dice(label, mask):
    """Dice coefficient 2 |A and B| / (|A| + |B|) of the True pixels, in [0, 1]; 1 where both are empty."""
    total = np.count_nonzero(label) + np.count_nonzero(mask)
    return 2 * np.count_nonzero(label & mask) / total if total else 1.0


def iou(label, mask):
    """Intersection over union of the True pixels, in [0, 1]; 1 where both are empty."""
    union = np.count_nonzero(label | mask)
    return np.count_nonzero(label & mask) / union if union else 1.0


def scores(label, mask):
    """All scores of one mask.

    Parameters
    ----------
    label, mask : bool arrays of one shape, True inside cells

    Returns
    -------
    dict of str to float

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if label.shape != mask.shape:
        raise ValueError(f"expected a mask of the label's shape {label.shape}, found {mask.shape}.")
    shares = contingency(label, mask)
    return {
        "accuracy": accuracy(label, mask),
        "constant": constant_accuracy(label),
        "membrane_iou": iou(~label, ~mask),
        "membrane_dice": dice(~label, ~mask),
        "v_rand": rand_of(*shares),
        "v_info": information_of(*shares),
    }


def mean_scores(rows):
    """The mean of each score over dicts of scores, as from `scores`."""
    rows = list(rows)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def score_folder(predicted, labels):
    """Score the masks of a folder.

    Parameters
    ----------
    predicted : path
        Folder of <stem>_predict.png, or of <stem>.png.
    labels : path
        Folder of labels; the higher of their two values is white.

    Returns
    -------
    dict of str to dict
        The `scores` of each stem of `labels`, in natural order.

    Raises
    ------
    ValueError
        If a label has no mask, or one of another size, or a file cannot be read.
    """
    files = formats.find_images(labels)
    if not files:
        raise ValueError(f"{labels}: no labels in this folder.")
    rows = {}
    for (stem, file), label in zip(files.items(), data.read_labels(files.values()), strict=True):
        mask_file = find_mask(predicted, stem)
        mask = formats.read_array(mask_file) > 127
        if mask.shape != label.shape:
            raise ValueError(f"{mask_file}: its size {mask.shape} is not that of {file}, {label.shape}.")
        rows[stem] = scores(label, mask)
    return rows


def find_mask(folder, stem):
    """The mask of a stem: <stem>_predict.png, or <stem>.png where the folder holds masks alone."""
    for name in (f"{stem}{formats.PREDICTED}.png", f"{stem}.png"):
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise ValueError(f"{folder}: no mask {stem}{formats.PREDICTED}.png for the label {stem}.")


def thin_borders(interior):
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


def contingency(label, interior):
    """Shares of the pixels inside cells that fall into each true and each proposed segment.

    Parameters
    ----------
    label : bool array (height, width)
        True inside cells; only these pixels count.
    interior : bool array (height, width)
        The proposal, True inside cells.

    Returns
    -------
    joint, truth, proposal : float arrays
        Shares of the pairs of segments, of the true segments, and of the proposed segments. A pixel on a line between
        proposed segments is a segment of its own, and left out of `joint` and `proposal`.
    on_lines : float
        The share of those pixels.
    count : int
        Number of pixels that count.
    """
    truth = ndimage.label(label)[0][label]
    proposal = thin_borders(interior)[label].astype(np.int64)
    count, segments = truth.size, proposal.max(initial=0) + 1
    pairs, occurrences = np.unique(truth * segments + proposal, return_counts=True)
    shares = np.bincount(proposal, minlength=1) / max(count, 1)
    joint = occurrences[pairs % segments > 0] / max(count, 1)
    return joint, np.bincount(truth)[1:] / max(count, 1), shares[1:], float(shares[0]), count


def v_rand(label, interior):
    """Foreground-restricted Rand score after border thinning, of one section.

    The harmonic mean of two chances: that two pixels of one proposed segment belong to one cell, and that two pixels
    of one cell belong to one proposed segment.

    Parameters
    ----------
    label, interior : bool arrays (height, width)
        As for `contingency`.

    Returns
    -------
    float in [0, 1]; 1 if no pixel counts.
    """
    return rand_of(*contingency(label, interior))


def v_info(label, interior):
    """Foreground-restricted information score after border thinning, of one section.

    Twice the mutual information of true and proposed segments over the sum of their entropies. Parameters and range
    are those of `v_rand`; 1 where both have a single segment.
    """
    return information_of(*contingency(label, interior))


def rand_of(joint, truth, proposal, on_lines, count):
    """`v_rand` from a `contingency`."""
    if count == 0:
        return 1.0
    alone = on_lines / count
    return float(2 * (np.sum(joint**2) + alone) / (np.sum(proposal**2) + alone + np.sum(truth**2)))


def information_of(joint, truth, proposal, on_lines, count):
    """`v_info` from a `contingency`."""
    alone = on_lines * np.log(max(count, 1))
    both = entropy(truth) + entropy(proposal) + alone
    return float(2 * (both - entropy(joint) - alone) / both) if both > 0 else 1.0


def entropy(shares):
    """Sum of -p log p in nats, empty segments left out."""
    shares = shares[shares > 0]
    return -np.sum(shares * np.log(shares))


def challenge_scores(labels, probabilities):
    """The challenge's scores of a stack: averaged over sections at each threshold, then the best threshold.

    Parameters
    ----------
    labels : bool array (sections, height, width)
        True inside cells.
    probabilities : float array (sections, height, width) in [0, 1]
        Probability of the inside of a cell.

    Returns
    -------
    dict with the best `v_rand` and `v_info`, and the `threshold` of the best `v_rand`.
    """
    rand, information = [], []
    for threshold in THRESHOLDS:
        tables = [contingency(a, b > threshold) for a, b in zip(labels, probabilities, strict=True)]
        rand.append(np.mean([rand_of(*shares) for shares in tables]))
        information.append(np.mean([information_of(*shares) for shares in tables]))
    best = int(np.argmax(rand))
    return {"v_rand": float(rand[best]), "v_info": float(max(information)), "threshold": THRESHOLDS[best]}


def table(rows):
    """Lay scores out as text: a header, then a line for each of a dict of dicts of float."""
    first = max(map(len, rows), default=0) + 2
    names = list(next(iter(rows.values())))
    lines = [" " * first + "".join(f"{name:>{len(name) + 2}}" for name in names)]
    for title, row in rows.items():
        lines.append(f"{title:{first}}" + "".join(f"{row[name]:{len(name) + 2}.4f}" for name in names))
    return "\n".join(lines)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("predicted", type=Path, metavar="PREDICTED", help="folder of <stem>_predict.png or <stem>.png")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="folder of labels, paired by stem")
    arguments = parser.parse_args(argv)
    try:
        rows = score_folder(arguments.predicted, arguments.labels)
        print(table({**rows, "mean": mean_scores(rows.values())}))
        files = formats.find_images(arguments.labels)
        maps = [arguments.predicted / f"{stem}_probability.tif" for stem in files]
        if all(file.is_file() for file in maps):
            best = challenge_scores(data.read_labels(files.values()), [tifffile.imread(file) for file in maps])
            print("maps, best threshold: V_rand {v_rand:.4f} at {threshold}, V_info {v_info:.4f}".format(**best))
    except ValueError as error:
        print(f"metrics.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
