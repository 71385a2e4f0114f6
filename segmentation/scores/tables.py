"""All scores of a mask, those of a folder of masks, and how they are laid out."""

import csv
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from segmentation.files import blur, classes, description, folders, labels, meanings, pairing, writing
from segmentation.scores import isbi2012, pixels

MOST_COLUMNS = 8
MISSED = 0.005  # IoU of a class that is as good as never found
NEARLY_WHITE = 250  # as some programs write 254 for white
SCORES = "scores.csv"


def score_mask(label, mask, known):
    """All scores of one mask; pixels that are not labelled count in none.

    Parameters
    ----------
    label, mask : arrays of one shape
        Classes, as from `classes.classify`.
    known : classes.Classes

    Returns
    -------
    dict of str to float
        Accuracy, that of the best constant answer, IoU and Dice of each class by its name, of two the rarer one first,
        the mean IoU of more than two; NaN for a class, of more than two, that neither holds. V_rand and V_info where
        objects are many.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if label.shape != mask.shape:
        raise ValueError(f"expected a mask of the label's shape {label.shape}, found {mask.shape}.")
    counted = classes.known(label)
    true, found = label[counted], mask[counted]
    if not true.size:
        return {}
    scores = {"accuracy": pixels.accuracy(true, found), "constant": pixels.constant_accuracy(true)}
    ious = {}
    for i in known.order:
        name, here, there = known.names[i], true == i, found == i
        absent = len(known.values) > 2 and not (here.any() or there.any())
        ious[f"{name}_iou"] = np.nan if absent else pixels.iou(here, there)
        ious[f"{name}_dice"] = np.nan if absent else pixels.dice(here, there)
    if len(known.values) > 2:
        scores["mean_iou"] = float(np.nanmean(list(ious.values())[::2]))
    scores |= ious
    if known.parted and len(known.values) == 2:
        segments = isbi2012.find_contingency(label == 1, (mask == 1) & counted)
        scores |= {"v_rand": isbi2012.rand_of(segments), "v_info": isbi2012.information_of(segments)}
    return scores


def mean_scores(rows):
    """The mean of each score over dicts of scores, as from `score_mask`; NaN counts as missing."""
    columns = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: float(np.nanmean(values)) for name, values in columns.items() if not np.isnan(values).all()}


def list_missed(scores, known):
    """Those of more than two classes that masks and labels nearly nowhere share: list of their names.

    Parameters
    ----------
    scores : dict of str to float
        Means, as from `mean_scores`.
    known : classes.Classes
    """
    several = len(known.values) > 2
    return [name for name in known.names if several and scores.get(f"{name}_iou", 1.0) < MISSED]


def write_scores(file, rows):
    """Write scores, a dict of section to dict as from `score_mask`, as CSV; what is missing is empty."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    there = {stem: {name: value for name, value in row.items() if not np.isnan(value)} for stem, row in rows.items()}
    writing.write_table(file, [{"section": stem, **row} for stem, row in there.items()], ["section", *names])


def read_scores(file):
    """Scores as `write_scores` has written them."""
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    return {row.pop("section"): {name: float(value) for name, value in row.items() if value} for row in rows}


def summarise_folds(folds):
    """The scores of all folds together: dict of dicts.

    Parameters
    ----------
    folds : list of dict of str to dict
        Of each fold the scores of the sections that it held out, as from `score_mask`.

    Returns
    -------
    dict of str to dict
        "held out" has the means over all sections, "spread" the standard deviation of the means of the folds, which are
        there as "fold 1" and on.
    """
    means = {f"fold {i}": mean_scores(rows.values()) for i, rows in enumerate(folds, start=1)}
    every = mean_scores([row for rows in folds for row in rows.values()])
    found = {name: [scores[name] for scores in means.values() if name in scores] for name in every}
    spread = {name: float(np.std(values, ddof=1)) for name, values in found.items() if len(values) > 1}
    return {"held out": every, "spread": spread, **means}


def score_folder(mask_folder, label_folder, known):
    """Score the masks of a folder.

    Parameters
    ----------
    mask_folder : path
        Folder of <stem>_predict.png, or of masks alone.
    label_folder : path
        Folder of labels, paired by their names with the masks.
    known : classes.Classes
        What the labels mean. If it does not say whether objects are many, these labels decide.

    Returns
    -------
    rows : dict of str to dict
        The scores of each mask, as from `score_mask`, by the stems of the labels in natural order; of a stack a row a
        page.
    known : classes.Classes

    Raises
    ------
    ValueError
        If a label has no mask, or one of another size, or a file cannot be read.
    """
    files, label_files, _ = find_masks(mask_folder, label_folder)
    if known.parted is None:
        some = list(label_files.values())[:: max(1, len(label_files) // classes.LOOKED_AT)]
        pages = [page for file in some for page in classes.classify(labels.read_label(file), known)]
        known = replace(known, parted=classes.are_parted(pages))
    return {name: score_mask(*pair, known) for name, pair in read_sections(files, label_files, known)}, known


def read_sections(files, label_files, known):
    """Read labels and masks section by section.

    Parameters
    ----------
    files, label_files : dict of str to Path
        As from `find_masks`.
    known : classes.Classes

    Yields
    ------
    name : str
        The stem of the label and, of a stack, the page.
    label, mask : pair of arrays (height, width)
        As from `classes.classify`.

    Raises
    ------
    ValueError
        If a mask has another size or number of pages than its label, or a file cannot be read.
    """
    others = _Values(files.values())
    for stem, file in label_files.items():
        label, mask = classes.classify(labels.read_label(file), known), read_mask(files[stem], known, others)
        if len(mask) != len(label):
            raise ValueError(f"{files[stem]}: has {len(mask)} pages, its label {file} has {len(label)}.")
        if mask.shape != label.shape:
            raise ValueError(f"{files[stem]}: its size {mask.shape[1:]} is not that of {file}, {label.shape[1:]}.")
        for page in range(len(label)):
            yield stem if len(label) == 1 else f"{stem} page {page + 1}", (label[page], mask[page])


def read_objects(files, label_files, known):
    """Read the objects of labels and masks of two classes section by section; yields pairs as for `objects.compare`.

    Parameters as for `read_sections`. Labels and masks that number their objects keep their numbers. Where nothing is
    labelled there are no objects in the mask either.
    """
    (kind,) = classes.find_kinds(known.names)
    numbers = {}
    for name, (label, mask) in read_sections(files, label_files, known):
        objects, found, counted = label == kind, mask == kind, classes.known(label)
        stem = name if name in label_files else name.rsplit(" page ", 1)[0]
        if known.objects:
            if stem not in numbers:
                labelled, predicted = labels.read_label(label_files[stem]), labels.read_label(files[stem])
                numbered = _numbers_objects(predicted, known)
                numbers = {stem: (iter(labelled.numbers), iter(predicted.numbers) if numbered else None)}
            true, own = numbers[stem]
            objects, found = next(true), next(own) if own else found
        yield np.where(counted, objects, False), np.where(counted, found, False)  # of their own types


def find_classes(label_files, mask_files, folder, ignore=None, objects=False):
    """What the values of the labels in a folder mean, to score masks by them.

    Parameters
    ----------
    label_files, mask_files : dicts of Path
    folder : path
        Of the labels; dataset.json is looked for there and in the two folders above it.
    ignore, objects
        As for `dataset.survey`.

    Returns
    -------
    classes.Classes
    notes : list of str
        What was guessed.

    Raises
    ------
    ValueError
        If it cannot be known what they mean.
    """
    described = description.find_description(folder)
    ignore = described.ignore if ignore is None else ignore
    contents = {file: labels.survey(labels.read_label(file)) for file in label_files.values()}
    finding = meanings.find_classes(contents, described.values, ignore, objects)
    masks, noted = {}, {}
    for file in mask_files.values():
        mask = labels.read_label(file)
        masks[file] = labels.survey(mask)
        noted = dict.fromkeys(mask.notes, file) | noted
    if finding.classes and len(finding.classes.values) == 2 and not (described.values or objects):
        sharp = [content for content in masks.values() if not blur.find_ends(content, content.in_colour)]
        reading = finding.classes.reading
        held = [{labels.translate(value, content.palette, reading) for value in content.counts} for content in sharp]
        written = set().union(*held)
        if len(written) > 2 and not written & set(finding.classes.values) - {0}:
            file, known = next(iter(mask_files.values())), finding.classes
            there, named = (
                ", ".join(labels.name_value(value, value > meanings.HIGHEST) for value in sorted(values)[:4])
                for values in (written, known.values)
            )
            raise ValueError(
                f"{file}: masks hold {there}, labels {named}; write masks in the values of the labels, and those that "
                "number objects as inside and outside."
            )
        more = written - {0, 255} - set(finding.classes.values)
        more -= set(range(NEARLY_WHITE, 255))
        if more and 2 < len(written) <= meanings.MOST_CLASSES and not meanings.is_mixed(held):
            # The labels lack a class that the masks have.
            chosen = tuple(sorted((written - {255}) | set(finding.classes.values)))
            known = replace(finding.classes, values=chosen, names=tuple(map(str, chosen)))
            finding = replace(finding, classes=known)
    values = set().union(*(content.counts for content in contents.values())) - {ignore}
    if finding.classes is None and len(values) == 1:  # scored as it is
        (value,) = values
        chosen = (0, value or 255)
        finding = meanings.Finding(classes.Classes(chosen, tuple(map(str, chosen)), ignore=ignore), [], [], [])
    known = finding.classes
    for held, told in ((contents, described.values.values()), (masks, known.values)) if known else ():
        if lone := meanings.find_lone(held, known, told):
            raise ValueError(": ".join(map(str, lone[0])))
    notes = finding.notes + finding.warnings
    notes += [f"{file}: {note}." for note, file in noted.items()]
    if finding.classes and len(finding.classes.values) > 2 and masks:
        known = set(finding.classes.values)
        found = {
            labels.translate(value, c.palette, finding.classes.reading) for c in masks.values() for value in c.counts
        }
        text = ", ".join(labels.name_value(value, value > meanings.HIGHEST) for value in sorted(found - known)[:4])
        if found - known:
            notes.append(f"masks hold {text}, which no label does.")
        if found - known and not found & known - {min(known)}:
            file = next(iter(mask_files.values()))
            raise ValueError(
                f"{file}: masks hold {text}, labels other values; write masks in the values of the labels."
            )
    if finding.classes is None:
        raise ValueError(_place(finding.problems[0], folder))
    counted = [page for content in contents.values() for page in classes.count_classes(content, finding.classes)]
    known = replace(finding.classes, pixels=tuple(np.sum(counted, axis=0).tolist()))
    return known, [_place(text, folder, *noted.values()) for text in notes]


def _place(text, folder, *files):
    """A sentence with the folder that it is about before it, unless it begins with a file in there, or one of some."""
    return text if text.startswith((str(folder), *map(str, files))) else f"{folder}: {text}"


def find_masks(mask_folder, label_folder):
    """The masks and the labels of two folders: dicts of label stem to Path; ValueError if a label has no mask.

    A list of masks without a label comes third.
    """
    label_files = folders.find_images(label_folder, masks=True)
    if not label_files:
        raise ValueError(f"{label_folder}: no labels in this folder.")
    found = folders.find_images(mask_folder, masks=True)
    written = {stem.removesuffix(folders.PREDICTED): f for stem, f in found.items() if stem.endswith(folders.PREDICTED)}
    of_dataset = (Path(mask_folder).resolve().parent / "train").is_dir()
    if not written and of_dataset and Path(label_folder).resolve().parent == Path(mask_folder).resolve():
        raise ValueError(f"{mask_folder}: no masks in it, *{folders.PREDICTED}.png; the images there are none.")
    masks = written or found
    paired = pairing.pair(list(masks), list(label_files))
    if paired.orphans:
        stem = paired.orphans[0]
        name = f"{stem}{folders.PREDICTED}.png"
        if masks and not written:
            name = f"such as {next(iter(masks.values())).name}"
        raise ValueError(f"{mask_folder}: no mask {name} for the label {label_files[stem]}.")
    files = {label_stem: masks[stem] for stem, label_stem in paired.labels.items()}
    left_out = [masks[stem] for stem in paired.unlabelled]
    return files, {stem: label_files[stem] for stem in label_files if stem in files}, left_out


class _Values:
    """What some masks hold together: read when it is asked for, and once."""

    def __init__(self, files):
        self.files = files

    @functools.cached_property
    def together(self):
        return set().union(*(_list_values(labels.read_label(Path(file)), "greys") for file in self.files))


def read_mask(file, known, others=None):
    """Read a mask as classes: array (pages, height, width) as from `classes.classify`.

    Of two classes by the values of the labels if it holds no others, or else by its own two; by the two that all masks,
    `others`, hold together where these are not those of the labels.

    Where labels number their objects a mask may, too.

    Raises
    ------
    ValueError
        If a mask of two classes holds more values.
    """
    mask = labels.read_label(Path(file))
    if len(known.values) > 2 or _numbers_objects(mask, known):
        return classes.classify(mask, replace(known, ignore=None))
    two = replace(known, ignore=None, objects=False)
    held = _list_values(mask, known.reading)
    together = others.together if others and len(held) == 1 and len(others.together) == 2 else held
    if not held | together <= set(known.values):
        two = replace(two, values=(0, 255), reading="greys")
        if len(held) == 1 and len(together) == 2:
            two = replace(two, values=tuple(sorted(together)))
    if unknown := meanings.find_unknown(labels.survey(mask), two, mask=True):
        raise ValueError(f"{file}: holds {len(unknown)} more values than the two of a mask; write it in 0 and 255.")
    return classes.classify(mask, two)


def _numbers_objects(mask, known):
    """Whether a mask numbers its objects, as its label does, rather than parts inside and outside."""
    if not known.objects or mask.numbers.min() < 0:
        return False
    content, two = labels.survey(mask), replace(known, values=(0, 255), ignore=None, objects=False)
    return bool(meanings.find_unknown(content, two, mask=True)) and meanings.may_number_objects([content])


def _list_values(label, reading):
    """What a label holds, read in one of `labels.READINGS`: set of int."""
    return set(np.unique(labels.translate_label(label, reading)).tolist())


def format_table(rows):
    """Lay out a dict of dicts of float as text; NaN for a score that is missing.

    A line for each dict, or for each score where these are many and the dicts are few.
    """
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    if len(names) > max(MOST_COLUMNS, len(rows)):
        rows = {name: {title: row.get(name, np.nan) for title, row in rows.items()} for name in names}
        names = list(dict.fromkeys(title for row in rows.values() for title in row))
    first = max(map(len, rows), default=0) + 2
    widths = {name: max(len(name), 6) + 2 for name in names}
    lines = [" " * first + "".join(f"{name:>{widths[name]}}" for name in names)]
    for title, row in rows.items():
        lines.append(f"{title:{first}}" + "".join(f"{row.get(name, np.nan):{widths[name]}.4f}" for name in names))
    return "\n".join(lines)
