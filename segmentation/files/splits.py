"""Which sections are trained on, and which are held out: a block, a part of their own, whole groups, or each once."""

import hashlib
import math
import re

import numpy as np

GROUPINGS = ("folder", "prefix")
SCORED = 2**23  # pixels of held-out sections, at most, that are scored after each epoch


def split_sections(found, fraction, group_by=None):
    """Which labelled sections of a dataset are trained on, and which are held out.

    Those of val/ are held out, if there are any; or else the last ones of train/, as by `hold_out`.

    Returns
    -------
    training, held_out : lists as from `Part.list_sections`

    Raises
    ------
    ValueError
        As `hold_out`.
    """
    sections = found.parts["train"].list_sections()
    if found.parts["val"].images:
        return sections, found.parts["val"].list_sections()
    training, held_out = hold_out([stem for stem, *_ in sections], fraction, group_by, found.parts["train"].places[0])
    return [sections[i] for i in training], [sections[i] for i in held_out]


def split(found, fraction, group_by=None, folds=None, fold=None):
    """The sections of a run: those that are trained on, and those that are held out.

    Parameters
    ----------
    found, fraction, group_by
        As for `split_sections`.
    folds : int or None
        How many networks there are, in place of one.
    fold : int or None
        The number of one of these, from 1; None for all of them, which train on all sections and hold out all.
    """
    if not folds:
        return split_sections(found, fraction, group_by)
    if fold:
        return split_folds(found, folds, group_by)[fold - 1]
    sections = found.parts["train"].list_sections()
    return sections, sections


def split_folds(found, count, group_by=None):
    """As `split_sections`, `count` times, so that each labelled section is held out once: a list of such pairs.

    Raises
    ------
    ValueError
        As `list_folds`, or if there is a val/, which says what is held out.
    """
    place = found.parts["train"].places[0]
    if found.parts["val"].images:
        val = found.parts["val"].places[0].parent
        raise ValueError(f"{val}: is what is held out; move it away, or its images to {place}, to use --folds.")
    sections = found.parts["train"].list_sections()
    parts = list_folds([stem for stem, *_ in sections], count, group_by, place)
    return [
        ([section for i, section in enumerate(sections) if i not in part], [sections[i] for i in sorted(part)])
        for part in map(set, parts)
    ]


def list_folds(stems, count, group_by=None, place="train/image"):
    """Part sections into `count` blocks of about one size, or into as many parts of whole groups.

    Parameters
    ----------
    stems, group_by, place
        As for `hold_out`.
    count : int

    Returns
    -------
    list of list of int
        Numbers of the stems.

    Raises
    ------
    ValueError
        If there are fewer sections, or groups, than that.
    """
    groups = {}
    for i, stem in enumerate(stems):
        groups.setdefault(i if group_by is None else find_group(stem, group_by), []).append(i)
    if len(groups) < count:
        found = f"{len(stems)} images" if group_by is None else f"{len(groups)} groups by --group-by {group_by}"
        raise ValueError(f"{place}: {found} are too few for --folds {count}, each of which holds out another.")
    if group_by is None:
        return [part.tolist() for part in np.array_split(np.arange(len(stems)), count)]
    parts = [[] for _ in range(count)]
    for group in sorted(groups.values(), key=len, reverse=True):  # the largest first, each to the smallest part
        min(parts, key=len).extend(group)
    return parts


def describe(training, held_out):
    """Sections that are trained on and held out, by their stems, as text that differs where any of them does."""
    digest = hashlib.sha256("\n".join([*training, "", *held_out]).encode()).hexdigest()
    return f"{len(training)} trained on, {len(held_out)} held out ({digest[:8]})"


def thin(found, sections):
    """Sections, evenly spread, that have no more than `SCORED` pixels together, or one: a list like `sections`."""
    sizes = {file: facts.size for part in found.parts.values() for file, facts in part.facts.items() if facts}
    pixels = sum(min(math.prod(sizes[file]), SCORED) for _, file, _, _ in sections)
    return sections[:: math.ceil(pixels / SCORED)] if pixels else sections


def hold_out(stems, fraction, group_by=None, place="train/image"):
    """Hold out the last `fraction` of sections: a block, since neighbouring sections resemble each other.

    Parameters
    ----------
    stems : list of str
        In order.
    fraction : float
    group_by : str or None
        Hold out whole groups, the last ones: by "folder", or by "prefix", what comes before the last _, - or space.
    place : path
        Where the images are, for the message.

    Returns
    -------
    training, held_out : lists of int
        Numbers of the stems.

    Raises
    ------
    ValueError
        If nothing would be left to be trained on, or there is one group alone.
    """
    if group_by is None:
        first = len(stems) - max(1, round(len(stems) * fraction))
        if first < 1:
            count = f"{len(stems)} images" if len(stems) > 1 else "one image"
            text = f"{count} cannot be split with --validation-fraction {fraction}"
            raise ValueError(f"{place}: {text}; at least one has to be trained on and one held out.")
        return list(range(first)), list(range(first, len(stems)))
    groups = {}
    for i, stem in enumerate(stems):
        groups.setdefault(find_group(stem, group_by), []).append(i)
    if len(groups) < 2:
        raise ValueError(
            f"{place}: all images are of one group, {next(iter(groups), '')!r}, by --group-by {group_by}; at least one "
            "group has to be trained on and one held out."
        )
    held_out = []
    for group in list(groups)[:0:-1]:
        if held_out and len(held_out) + len(groups[group]) / 2 > fraction * len(stems):
            break
        held_out += groups[group]
    return sorted(set(range(len(stems))) - set(held_out)), sorted(held_out)


def find_group(stem, group_by):
    """The group of a section: its folder, or its stack, or what comes before the last _, - or space of its name."""
    file = re.sub(r" page \d+$", "", stem)
    folder, _, name = file.rpartition("/")
    if group_by == "folder":
        return folder
    return name if file != stem else re.split(r"[_\- ](?=[^_\- ]*$)", name)[0]
