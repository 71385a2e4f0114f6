"""What keeps a dataset from being trained on, beyond what is wrong with its files: how it is split, crops, classes."""

import numpy as np

from segmentation.files import classes, splits

LARGEST_CROP = 256
FRACTION = 0.2  # of the sections, held out if nothing else is said


def find_problems(found, fraction=FRACTION, crop=None, *, depth=None, group_by=None, folds=None):
    """List everything that keeps a dataset from being trained on.

    Parameters
    ----------
    found : Survey
    fraction : float
        The share of the sections to be held out.
    crop : int or None
        The side of a training crop in pixels; no image may be smaller. None for that of `find_crop`.
    depth : int or None
        How many times the network halves an image, which the fix for a crop needs.
    group_by : str or None
        One of `splits.GROUPINGS`.
    folds : int or None
        How many times a part is held out, in place of `fraction` once.

    Returns
    -------
    list of str
        One sentence a problem, each with its file and a fix; empty if there is none.
    """
    problems, part = list(found.problems), found.parts["train"]
    sizes = {file: part.facts[file].size for file in part.images.values() if part.facts[file]}
    if sizes and depth is not None:
        problems += _check_crop(sizes, crop, depth)
    elif sizes and crop:
        problems += _check_crop(sizes, crop, 0)
    if problems and not part.pairs:
        return problems
    try:
        if folds:
            parts = splits.split_folds(found, folds, group_by)
        else:
            parts = [splits.split_sections(found, fraction, group_by)]
    except ValueError as error:
        return problems or [str(error)]  # what is wrong with pairs may be why too few are left
    fix = "change the order of the files, or --validation-fraction, or give val/"
    fix = "take another number of --folds" if folds else fix
    unlearned = [problem for training, held_out in parts for problem in _check_classes(found, training, held_out, fix)]
    return problems + list(dict.fromkeys(unlearned))


def find_crop(found, depth):
    """The side of a training crop: 256 pixels, or the most that the smallest image and 2^depth allow, at least that."""
    part = found.parts["train"]
    sides = [min(part.facts[file].size) for file in part.images.values() if part.facts[file]]
    return max(min([*sides, LARGEST_CROP]) // 2**depth, 1) * 2**depth


def _check_crop(sizes, crop, depth):
    """Problems with images that are smaller than a crop."""
    crop = crop or 2**depth
    small = sorted((min(size), size, file) for file, size in sizes.items() if min(size) < crop)
    if not small:
        return []
    side, (height, width), file = small[0]
    fits = side // 2**depth * 2**depth
    fix = f"--crop {fits} fits" if fits else f"a --depth of {side.bit_length() - 1} at most fits"
    fault = f"its {height}x{width} pixels are less than --crop {crop}, as in {len(small)} of {len(sizes)} images"
    return [f"{file}: {fault}; {fix}."]


def _check_classes(found, training, held_out, fix):
    """Problems with classes that the sections to be trained on do not hold."""
    known = found.classes
    if known is None:
        return []
    counted = {}
    for part in found.parts.values():
        for file, facts in part.facts.items():
            if facts and facts.content:
                counted[file] = classes.count_classes(facts.content, known)
    here, there = (
        np.sum([counted[label][page] for _, _, label, page in sections if label in counted], axis=0)
        for sections in (training, held_out)
    )
    place = found.parts["train"].places[1]
    if not np.ndim(here) or not np.ndim(there):
        return []
    if not np.sum(there):
        return [f"{place}: what is held out has no labelled pixel to be scored by; {fix}."]
    missing = [name for name, pixels in zip(known.names, here, strict=True) if not pixels]
    if not missing or (len(known.values) > 2 and not sum(there[known.names.index(name)] for name in missing)):
        return []
    if missing == [known.names[1]] and len(known.values) == 2:
        return [f"{place}: what is trained on holds no object, {known.names[1]}; {fix}."]
    return [f"{place}: what is trained on holds no pixel of {', '.join(missing[:4])}; {fix}."]
