"""All scores of a mask, those of a folder of masks, and how they are laid out."""

from pathlib import Path

import numpy as np

from segmentation.files import folders, labels
from segmentation.scores import isbi2012, pixels


def score_mask(label, mask, values=()):
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
    common = {"accuracy": pixels.accuracy(label, mask), "constant": pixels.constant_accuracy(label)}
    if label.dtype != bool:
        return {**common, **_score_classes(label, mask, values)}
    segments = isbi2012.find_contingency(label, mask)
    return {
        **common,
        "membrane_iou": pixels.iou(~label, ~mask),
        "membrane_dice": pixels.dice(~label, ~mask),
        "v_rand": isbi2012.rand_of(segments),
        "v_info": isbi2012.information_of(segments),
    }


def _score_classes(label, mask, values):
    """IoU of each of several classes, NaN for one that neither label nor mask holds, and the mean of the others."""
    ious = [
        pixels.iou(label == i, mask == i) if np.any(label == i) or np.any(mask == i) else np.nan
        for i in range(len(values))
    ]
    named = {f"iou_{labels.name_value(value)}": score for value, score in zip(values, ious, strict=True)}
    return {"mean_iou": float(np.nanmean(ious)), **named}


def mean_scores(rows):
    """The mean of each score over dicts of scores, as from `score_mask`; NaN counts as missing."""
    columns = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: float(np.nanmean(values)) for name, values in columns.items() if not np.isnan(values).all()}


def score_folder(mask_folder, label_folder):
    """Score the masks of a folder.

    Parameters
    ----------
    mask_folder : path
        Folder of <stem>_predict.png, or of <stem>.png.
    label_folder : path
        Folder of labels; the higher of two values is white, each of more is a class.

    Returns
    -------
    dict of str to dict
        The scores of each mask, as from `score_mask`, by the stems of `label_folder` in natural order.

    Raises
    ------
    ValueError
        If a label has no mask, or one of another size, or a file cannot be read.
    """
    files = folders.find_images(label_folder)
    if not files:
        raise ValueError(f"{label_folder}: no labels in this folder.")
    label_arrays = [labels.read_label(file) for file in files.values()]
    values = labels.find_values(label_arrays)
    mask_files = [_find_mask(mask_folder, stem) for stem in files]
    masks = [labels.read_label(file, indices=not labels.is_colour(values)) for file in mask_files]
    for label, mask, file, mask_file in zip(label_arrays, masks, files.values(), mask_files, strict=True):
        if mask.shape != label.shape:
            raise ValueError(f"{mask_file}: its size {mask.shape} is not that of {file}, {label.shape}.")
    if len(values) <= 2:
        masks = [mask > 127 for mask in masks]
    else:
        values = labels.find_values(label_arrays + masks)
        masks = [labels.classify(mask, values) for mask in masks]
    classes = [labels.classify(label, values) for label in label_arrays]
    return {stem: score_mask(label, mask, values) for stem, label, mask in zip(files, classes, masks, strict=True)}


def _find_mask(folder, stem):
    """The mask of a stem: <stem>_predict.png, or <stem>.png where the folder holds masks alone."""
    for name in (f"{stem}{folders.PREDICTED}.png", f"{stem}.png"):
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise ValueError(f"{folder}: no mask {stem}{folders.PREDICTED}.png for the label {stem}.")


def format_table(rows):
    """Lay out a dict of dicts of float as text: a header, then a line for each; NaN for a score that is missing."""
    first = max(map(len, rows), default=0) + 2
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [" " * first + "".join(f"{name:>{len(name) + 2}}" for name in names)]
    for title, row in rows.items():
        lines.append(f"{title:{first}}" + "".join(f"{row.get(name, np.nan):{len(name) + 2}.4f}" for name in names))
    return "\n".join(lines)
