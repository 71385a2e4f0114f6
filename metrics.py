"""Scores of predicted masks against labels: pure functions on arrays, and a command line.

    python metrics.py data/membrane/test data/membrane/test/label

A mask or a label is a bool array, True inside cells (white). "Membrane" scores are those of the black class.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import tifffile

import data
import folders
import formats
from challenge import challenge_scores, contingency, information_of, rand_of
from challenge import v_info as v_info  # all scores can be found here
from challenge import v_rand as v_rand


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


def scores(label, mask, values=()):
    """All scores of one mask.

    Parameters
    ----------
    label, mask : arrays of one shape
        bool, True inside cells; or the numbers of more than two classes.
    values : list of int
        The names of those classes.

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
    common = {"accuracy": accuracy(label, mask), "constant": constant_accuracy(label)}
    if label.dtype != bool:
        return {**common, **class_scores(label, mask, values)}
    shares = contingency(label, mask)
    return {
        **common,
        "membrane_iou": iou(~label, ~mask),
        "membrane_dice": dice(~label, ~mask),
        "v_rand": rand_of(*shares),
        "v_info": information_of(*shares),
    }


def class_scores(label, mask, values):
    """IoU of each of several classes, NaN for one that neither label nor mask holds, and the mean of the others."""
    ious = [
        iou(label == i, mask == i) if np.any(label == i) or np.any(mask == i) else np.nan for i in range(len(values))
    ]
    named = {f"iou_{formats.name_value(value)}": score for value, score in zip(values, ious, strict=True)}
    return {"mean_iou": float(np.nanmean(ious)), **named}


def mean_scores(rows):
    """The mean of each score over dicts of scores, as from `scores`; NaN, for what there is none of, is left out."""
    columns = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: float(np.nanmean(values)) for name, values in columns.items() if not np.isnan(values).all()}


def score_folder(predicted, labels):
    """Score the masks of a folder.

    Parameters
    ----------
    predicted : path
        Folder of <stem>_predict.png, or of <stem>.png.
    labels : path
        Folder of labels; the higher of two values is white, each of more is a class.

    Returns
    -------
    dict of str to dict
        The `scores` of each stem of `labels`, in natural order.

    Raises
    ------
    ValueError
        If a label has no mask, or one of another size, or a file cannot be read.
    """
    files = folders.find_images(labels)
    if not files:
        raise ValueError(f"{labels}: no labels in this folder.")
    label_arrays = [formats.read_label(file) for file in files.values()]
    values = data.find_values(label_arrays)
    mask_files = [find_mask(predicted, stem) for stem in files]
    masks = [formats.read_label(file, indices=not formats.is_colour(values)) for file in mask_files]
    for label, mask, file, mask_file in zip(label_arrays, masks, files.values(), mask_files, strict=True):
        if mask.shape != label.shape:
            raise ValueError(f"{mask_file}: its size {mask.shape} is not that of {file}, {label.shape}.")
    if len(values) <= 2:
        masks = [mask > 127 for mask in masks]
    else:
        values = data.find_values(label_arrays + masks)
        masks = [data.classify(mask, values) for mask in masks]
    pairs = zip((data.classify(label, values) for label in label_arrays), masks, strict=True)
    return {stem: scores(*pair, values) for stem, pair in zip(files, pairs, strict=True)}


def find_mask(folder, stem):
    """The mask of a stem: <stem>_predict.png, or <stem>.png where the folder holds masks alone."""
    for name in (f"{stem}{folders.PREDICTED}.png", f"{stem}.png"):
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise ValueError(f"{folder}: no mask {stem}{folders.PREDICTED}.png for the label {stem}.")


def table(rows):
    """Lay scores out as text: a header, then a line for each of a dict of dicts of float; NaN for what one has not."""
    first = max(map(len, rows), default=0) + 2
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [" " * first + "".join(f"{name:>{len(name) + 2}}" for name in names)]
    for title, row in rows.items():
        lines.append(f"{title:{first}}" + "".join(f"{row.get(name, np.nan):{len(name) + 2}.4f}" for name in names))
    return "\n".join(lines)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("predicted", type=Path, metavar="PREDICTED", help="folder of <stem>_predict.png or <stem>.png")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="folder of labels, paired by stem")
    arguments = parser.parse_args(argv)
    try:
        rows = score_folder(arguments.predicted, arguments.labels)
        print(table({**rows, "mean": mean_scores(rows.values())}))
        files = folders.find_images(arguments.labels)
        maps = [arguments.predicted / f"{stem}_probability.tif" for stem in files]
        if all(file.is_file() for file in maps) and "v_rand" in next(iter(rows.values())):
            best = challenge_scores(data.read_labels(files.values())[0], [tifffile.imread(file) for file in maps])
            print("maps, best threshold: V_rand {v_rand:.4f} at {threshold}, V_info {v_info:.4f}".format(**best))
    except ValueError as error:
        print(f"metrics.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
