"""What the numbers of labels mean: which are classes, which are not labelled, and which only number objects.

What cannot be told apart for sure is refused, with the words by which its owner can say it.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from segmentation.files import labels

MOST_CLASSES = 32
HIGHEST = 65535  # that a mask can hold
IGNORED, UNKNOWN = 255, 254  # among the numbers of classes: not labelled; a value that is no class
WHITE = {1, 255, 65535}  # what programs write for the one class of a mask
LOOKED_AT = 16  # labels, and a corner of each, to tell whether objects are many
MANY, ROUND = 4, 0.2  # how many objects an image holds, and how thick they are for their size, to be told apart


@dataclass(frozen=True)
class Classes:
    """What the values of a dataset's labels mean.

    `values` are those of the classes, rising, as read by `reading`, one of `labels.READINGS`, and `names` what they are
    called. `ignore` is the value of pixels that are not labelled, or None. With `objects` a label numbers its objects,
    and the two classes are outside and inside of them. `pixels` counts those of each class in the training labels;
    `palette` holds the colours that masks take over, or is None. `parted` says that objects are many, or cells that are
    parted by lines, so that scores by object mean something; None if that was not looked at.
    """

    values: tuple
    names: tuple
    reading: str = "values"
    ignore: int | None = None
    objects: bool = False
    pixels: tuple = ()
    palette: tuple | None = None
    parted: bool | None = None

    @property
    def order(self):
        """The numbers of the classes as they are shown: of two the rarer one first."""
        numbers = list(range(len(self.values)))
        return sorted(numbers, key=lambda i: self.pixels[i]) if len(numbers) == 2 and self.pixels else numbers

    @property
    def written(self):
        """What masks hold for the classes: 0 and 255 for two, indices of a palette for colours; tuple of int."""
        if len(self.values) <= 2:
            return 0, 255
        return tuple(range(len(self.values))) if self.reading == "colours" else self.values


@dataclass(frozen=True)
class Finding:
    """What was found out about labels: their `classes`, or None, and sentences, without the name of their folder.

    `problems` keep them from being trained on, `notes` say what was guessed, and `warnings` what may not be meant.
    """

    classes: Classes | None
    problems: list
    notes: list
    warnings: list


def find_classes(contents, values=None, ignore=None, objects=False):
    """Find out what the values of labels mean.

    Parameters
    ----------
    contents : dict of path to labels.Content
    values : dict of str to int or None
        What the owner calls the classes, as from `description.read_description`.
    ignore : int or None
        The value of pixels that are not labelled.
    objects : bool
        Whether labels number objects.

    Returns
    -------
    Finding
    """
    values = values or {}
    named = {*values.values()} | ({ignore} if ignore is not None else set())
    reading = labels.choose_reading(contents.values(), named)
    read = {file: _translate(content, reading, ignore) for file, content in contents.items()}
    finding = Finding(None, [], [], [])
    if objects:
        chosen = (0, 255)
        names = tuple(values) if len(values) == 2 else ("background", "object")
    else:
        chosen = _choose_values(read, values, reading, finding)
        titles = {value: name for name, value in values.items()}
        names = tuple(titles.get(value, labels.name_value(value, reading == "colours")) for value in chosen)
    if finding.problems or len(chosen) < 2:
        return finding
    palette = None
    if reading == "colours":
        palette = tuple(value >> shift & 255 for value in chosen for shift in (16, 8, 0))
    elif reading == "values" and len(chosen) > 2:
        found = labels.read_palette(next(iter(contents)))
        palette = tuple(found) if found else None
    classes = Classes(tuple(chosen), names, reading, ignore, objects, palette=palette)
    return replace(finding, classes=classes)


def _translate(content, reading, ignore):
    """A `labels.Content` with the values as they are read, and without those that are not labelled."""

    def read(value):
        return labels.translate(value, content.palette, reading)

    counts = Counter()
    for value, pixels in content.counts.items():
        counts[read(value)] += pixels
    return labels.Content(
        {value: pixels for value, pixels in counts.items() if value != ignore},
        parts={read(value): parts for value, parts in content.parts.items() if read(value) != ignore},
        cores=frozenset(map(read, content.cores)) - {ignore},
        solid=frozenset(map(read, content.solid)) - {ignore},
    )


def _choose_values(read, values, reading, finding):
    """The values of the classes, rising; what is noticed is added to the lists of a `Finding`.

    Parameters
    ----------
    read : dict of path to labels.Content
        As from `_translate`.
    values, reading
        As for `find_classes` and `Classes`.
    """
    smoothed = [file for file, content in read.items() if _is_two_valued(content) and not _fit(content, values)]
    plain = {file: content for file, content in read.items() if file not in smoothed}
    together = set().union(*(content.counts for content in plain.values()))
    two = sorted(values.values()) if len(values) == 2 else None
    if _is_mixed(plain, together) and not (values and together <= set(values.values())):
        counted = Counter(max(content.counts) for content in plain.values() if max(content.counts, default=0) in WHITE)
        codings = ", ".join(f"{count} with 0 and {white}" for white, count in sorted(counted.items()))
        finding.notes.append(f"each mask is read by its own two values ({codings}).")
        together, two = {0, 255}, two or [0, 255]
        if not smoothed:
            return two
    if smoothed and len(together) <= 2:
        chosen = two or (sorted(together) if len(together) == 2 else [0, max(read[smoothed[0]].counts)])
        half = sum(chosen) / 2
        named = f"{smoothed[0]} and {len(smoothed) - 1} more" if len(smoothed) > 1 else str(smoothed[0])
        finding.notes.append(
            f"{named}: masks of two values that JPEG or smoothing has blurred; read as white above {half:g}."
        )
        return chosen
    everything = set().union(*(content.counts for content in read.values()))
    if values:
        _check_named(read, values, reading, two, finding)
        return sorted(values.values())
    if len(everything) > 2:
        _look_for_other_meanings(read, everything, reading, finding)
    if len(everything) == 1:
        value = labels.name_value(min(everything), reading == "colours")
        finding.problems.append(f"all labels hold the one value {value}; two are needed, an object and the rest.")
    return two or sorted(everything)


def _fit(content, values):
    """Whether all values of a label are named."""
    return bool(values) and set(content.counts) <= set(values.values())


def _is_mixed(plain, together):
    """Whether labels are masks of two values each, of which the higher differs by file, as 1 and 255 do."""
    highs = {max(content.counts) for content in plain.values() if max(content.counts, default=0) > 0}
    return (
        len(together) > 2
        and together <= {0} | WHITE
        and all(len(c.counts) <= 2 for c in plain.values())
        and len(highs) > 1
    )


def _is_two_valued(content):
    """Whether a label of more than two values is a mask of two that JPEG, or interpolation, has blurred.

    Every value that fills a square of a few pixels is then near one of the ends, and the others are of the seams.
    """
    if len(content.counts) <= 2:
        return False
    low, high = min(content.counts), max(content.counts)
    if high - low < 2 * labels.NEAR or low < 0 or not content.cores:
        return False
    near_low = {value for value in content.counts if (value - low) * labels.NEAR <= high - low}
    near_high = {value for value in content.counts if (high - value) * labels.NEAR <= high - low}
    between = set(content.counts) - near_low - near_high
    if not content.cores <= near_low | near_high or not (content.cores & near_low and content.cores & near_high):
        return False
    return (len(near_low) > 1 and len(near_high) > 1) or len(between) > 2


def _check_named(read, values, reading, two, finding):
    """Add problems with values that the owner has not named."""
    known, unknown = set(values.values()), {}
    for file, content in read.items():
        others = set(content.counts) - known
        coded = two and two[1] in WHITE and len(content.counts) <= 2 and set(content.counts) <= {0} | WHITE
        if others and not coded:
            unknown[file] = others
    if unknown:
        file, found = next(iter(unknown.items()))
        names = ", ".join(labels.name_value(value, reading == "colours") for value in sorted(found)[:4])
        more = f", as {len(unknown)} labels hold such values" if len(unknown) > 1 else ""
        finding.problems.append(f"{file}: holds {names}, which dataset.json does not name{more}; name it there.")


def _look_for_other_meanings(read, everything, reading, finding):
    """Add problems and warnings where more than two values may be something else than classes."""
    in_colour = reading == "colours"
    if _are_objects(read.values(), everything):
        finding.problems.append(
            "the labels number objects, each value one connected part, not classes: with --objects inside is told from "
            "outside; name the values in dataset.json if they are classes after all."
        )
        return
    if not in_colour and (min(everything) < 0 or max(everything) > HIGHEST):
        value = min(everything) if min(everything) < 0 else max(everything)
        finding.problems.append(
            f"the labels hold {value}, which no mask can; write 0 to {HIGHEST}, or give it as --ignore {value} if it "
            "stands for pixels that are not labelled."
        )
        return
    _check_count(read, everything, finding)
    if finding.problems or in_colour:
        return
    if _are_objects(read.values(), everything, alike=True):
        finding.warnings.append(
            "each value is one connected part, in every label the same ones: they are learned as classes; --objects if "
            "they number objects."
        )
    shaped = [content for content in read.values() if content.parts]
    if 2 * len(shaped) < len(read):
        return
    counts = sum((Counter(content.counts) for content in shaped), Counter())
    solid = frozenset().union(*(content.solid for content in shaped))
    common, pixels = counts.most_common(1)[0]
    total, values = counts.total(), sorted(everything)
    if pixels > 0.8 * total and not solid - {common}:
        strokes = ", ".join(str(value) for value in values if value != common)
        finding.problems.append(
            f"value {common} has {pixels / total:.0%} of the pixels and {strokes} are thin strokes, as if {common} "
            f"were not labelled: say so by --ignore {common}, or name {common} in dataset.json if it is a class."
        )
    elif values[-1] >= 255 and values[-2] < values[-1] // 2 and values[-2] - values[0] < MOST_CLASSES:
        where = "" if values[-1] in solid else ", a thin ring around everything"
        finding.problems.append(
            f"is value {values[-1]}{where}, one that stands for pixels that are not labelled? Then say so by --ignore "
            f'{values[-1]}, or "ignore": {values[-1]} in dataset.json; name it there if it is a class.'
        )
    else:
        thin = [value for value in values if value not in solid and value != common]
        if len(thin) == 1 and len(values) > 2 and counts[thin[0]] > 0.005 * total:
            finding.warnings.append(
                f"value {thin[0]} is a thin line everywhere and is learned as a class; --ignore {thin[0]} if it stands "
                "for pixels that are not labelled."
            )


def _are_objects(contents, everything, alike=False):
    """Whether the values of labels number objects: each one connected part, running on, different from file to file.

    With `alike` whether they may number objects, though the values are the same in all files.
    """
    combinations, single, highest, runs_on = 0, 0, [], 0
    for content in contents:
        numbers = sorted(value for value in content.counts if value != 0)
        if not numbers:
            continue
        highest.append(numbers[-1])
        runs_on += len(numbers) >= 0.9 * (numbers[-1] - numbers[0] + 1)
        if content.parts:
            combinations += len(numbers)
            single += sum(content.parts.get(value, 1) == 1 for value in numbers)
    if not combinations or single < 0.8 * combinations or len(everything) < 4:
        return False
    differ = len({frozenset(content.counts) for content in contents}) > 1
    return len(everything) > MOST_CLASSES or ((differ or alike) and runs_on >= 0.9 * len(highest))


def _check_count(read, everything, finding):
    """Add a problem for labels of more values than there can be classes."""
    many = {}
    for file, content in read.items():
        if file.suffix.lower() in (".jpg", ".jpeg") and len(content.counts) > 2:
            many[file] = "JPEG has changed its values; save it anew as PNG, from where it was drawn"
        elif len(content.counts) > MOST_CLASSES:
            many[file] = "save labels as PNG, not smoothed, or train with --objects if they number objects"
    for file, fix in list(many.items())[:1]:
        more = f", as {len(many)} labels hold as many" if len(many) > 1 else ""
        finding.problems.append(f"{file}: holds {len(read[file].counts)} values, a class each{more}; {fix}.")
    if not many and len(everything) > MOST_CLASSES:
        finding.problems.append(
            f"the labels hold {len(everything)} values together, more than the {MOST_CLASSES} classes there can be."
        )


def classify(label, classes):
    """Turn the numbers of a label into classes.

    Parameters
    ----------
    label : labels.Label
    classes : Classes

    Returns
    -------
    array (pages, height, width)
        For two classes, all of them labelled, bool, True where the higher stands. Else uint8, the number of the class
        in `classes.values`, `IGNORED` where a pixel is not labelled, `UNKNOWN` for a value that is no class.
    """
    numbers = labels.translate_label(label, classes.reading)
    ignored = np.zeros(numbers.shape, bool) if classes.ignore is None else numbers == classes.ignore
    if classes.objects:
        found = np.stack([part_objects(page) for page in np.where(ignored, 0, numbers)])
    elif len(classes.values) == 2:
        white = _find_white(np.unique(numbers[~ignored]).tolist(), classes.values)
        found = numbers >= min(white) if white else np.zeros(numbers.shape, bool)
    else:
        places = np.minimum(np.searchsorted(classes.values, numbers), len(classes.values) - 1)
        found = np.where(np.array(classes.values)[places] == numbers, places, UNKNOWN).astype(np.uint8)
    if classes.ignore is None:
        return found
    return np.where(ignored, IGNORED, found).astype(np.uint8)


def _find_white(own, values):
    """Which of a label's own values, rising, are the higher one of two classes: by its own two, if they are others."""
    if set(own) <= set(values):
        return [value for value in own if value == values[1]]
    if len(own) <= 2:
        return own[-1:] if len(own) == 2 or own[0] != 0 else []
    return [value for value in own if value > sum(values) / 2]


def count_classes(content, classes):
    """Pixels of each class in a label: a list of lists, one a page.

    Parameters
    ----------
    content : labels.Content
    classes : Classes
    """

    def read(value):
        return labels.translate(value, content.palette, classes.reading)

    own = sorted({read(value) for value in content.counts} - {classes.ignore})
    if classes.objects:
        white = [value for value in own if value != 0]
    elif len(classes.values) == 2:
        white = _find_white(own, classes.values)
    pages = []
    for counts in content.pages:
        pixels = [0] * len(classes.values)
        for value, count in ((read(value), count) for value, count in counts.items()):
            if value == classes.ignore:
                continue
            if len(classes.values) == 2:
                pixels[value in white] += count
            elif value in classes.values:
                pixels[classes.values.index(value)] += count
        pages.append(pixels)
    return pages


def find_unknown(content, classes):
    """Values of a label, as read, that are none of the classes: list of int, rising."""
    read = {labels.translate(value, content.palette, classes.reading) for value in content.counts} - {classes.ignore}
    if classes.objects or read <= set(classes.values):
        return []
    # Where a value is ignored, a label of other values cannot be told from one that is ignored by mistake.
    two = len(classes.values) == 2 and classes.ignore is None
    if two and (len(read) <= 2 or _is_two_valued(_translate(content, classes.reading, None))):
        return []
    return sorted(read - set(classes.values))


def part_objects(numbers):
    """Where numbered objects are, with a border one pixel wide between those that touch, also by a corner.

    Parameters
    ----------
    numbers : array of integers (height, width)
        0 outside objects.

    Returns
    -------
    bool array (height, width)
    """
    inside = numbers != 0
    beside = (np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:])
    corners = (np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[:-1, 1:], np.s_[1:, :-1])
    for pairs in (beside, corners):
        border = np.zeros(numbers.shape, bool)
        for first, second in pairs:
            border[first] |= (numbers[first] != numbers[second]) & inside[first] & inside[second]
        inside = inside & ~border
    return inside


def known(label):
    """Where the classes of an array, as from `classify`, are labelled: bool array."""
    return label != IGNORED if label.dtype == np.uint8 else np.ones(label.shape, bool)


def are_parted(arrays):
    """Whether what is white is many objects, or cells that are parted by lines, rather than vessels or a lesion.

    By the mean over sections of how many objects there are, weighed by their area, and of how thick they are: the
    radius of the largest circle in each over the root of its area, 0.56 for a disc.

    Parameters
    ----------
    arrays : list of arrays (height, width)
        Classes, as from `classify`.
    """
    many, thick = [], []
    for array in arrays[:: max(1, len(arrays) // LOOKED_AT)]:
        white = array[:1024, :1024] == 1
        numbered, count = ndimage.label(white)
        if not count:
            continue
        areas = np.bincount(numbered.ravel())[1:]
        shares = areas / areas.sum()
        inside = ndimage.distance_transform_edt(np.pad(white, 1))[1:-1, 1:-1]
        radii = ndimage.maximum(inside, numbered, np.arange(1, count + 1))
        many.append(1 / np.sum(shares**2))
        thick.append(np.sum(shares * radii / np.sqrt(areas)))
    return bool(many) and float(np.mean(many)) >= MANY and float(np.mean(thick)) >= ROUND


def to_values(mask, written):
    """Turn classes back into values.

    Parameters
    ----------
    mask : array (height, width)
        bool, or the numbers of classes, as from `classify`.
    written : sequence of int
        As `Classes.written`.

    Returns
    -------
    array (height, width) of `mask_dtype`
    """
    return np.array(written, mask_dtype(written))[mask.astype(np.uint8)]


def mask_dtype(written):
    """uint8, or uint16 for values from 256."""
    return np.dtype(np.uint16 if max(written) > 255 else np.uint8)
