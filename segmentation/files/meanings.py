"""Finding out what the values of labels mean: classes, what is not labelled, or the numbers of objects.

What cannot be told apart for sure is refused, with the words by which its owner can say it.
"""

from __future__ import annotations  # a field has the name of the module of its type

from collections import Counter
from dataclasses import dataclass, replace
from statistics import median

from segmentation.files import blur, classes, labels

MOST_CLASSES = 32
HIGHEST = 65535  # that a mask can hold
LEAST_SPREAD = 64  # between the values of labels, from which JPEG or smoothing may have made others
NUMBERED = 8  # labels of one object each, from which on their values may be numbers
MIRRORED = 0.1  # how far two shares of pixels may be from those of black and white exchanged
FEWEST = 9  # pixels of a class in all labels together
WHITE = {1, 255, 65535}  # what programs write for the one class of a mask


@dataclass(frozen=True)
class Finding:
    """What was found out about labels: their `classes`, or None, and sentences, without the name of their folder.

    `problems` keep them from being trained on, `notes` say what was guessed, and `warnings` what may not be meant.
    """

    classes: classes.Classes | None
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
    _look_for_two_codings(contents, read, reading, finding)
    if objects:
        _check_outside(read, reading, finding)
        _check_sharp(read, reading, finding)
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
    known = classes.Classes(tuple(chosen), names, reading, ignore, objects, palette=palette)
    return replace(finding, classes=known)


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
    in_colour = reading == "colours"
    smoothed = [
        file for file, content in read.items() if blur.find_ends(content, in_colour) and not _fit(content, values)
    ]
    plain = {file: content for file, content in read.items() if file not in smoothed}
    together = set().union(*(content.counts for content in plain.values()))
    two = sorted(values.values()) if len(values) == 2 else None
    if is_mixed([set(content.counts) for content in plain.values()]) and not (
        values and together <= set(values.values())
    ):
        counted = Counter(max(content.counts) for content in plain.values() if max(content.counts, default=0) in WHITE)
        codings = ", ".join(f"{count} with 0 and {white}" for white, count in sorted(counted.items()))
        finding.notes.append(f"each mask is read by its own two values ({codings}).")
        together, two = {0, 255}, two or [0, 255]
        if not smoothed:
            return two
    if smoothed and len(together) <= 2:
        low, high = ends = blur.find_ends(read[smoothed[0]], in_colour)
        sharp = len(together) == 2 and (
            any(len(content.counts) == 2 for content in plain.values())
            or blur.are_ends(ends, sorted(together), in_colour)
        )
        chosen = two or (sorted(together) if sharp else [low if in_colour else 0, high])
        foreign = [
            file for file in smoothed if not blur.are_ends(blur.find_ends(read[file], in_colour), chosen, in_colour)
        ]
        if foreign:
            ends, known = (
                _list(labels.name_value(value, in_colour) for value in pair)
                for pair in (blur.find_ends(read[foreign[0]], in_colour), chosen)
            )
            where, fix = ("dataset.json names", "name those there") if two else ("others hold", "save all labels alike")
            more = f", as {len(foreign)} labels are" if len(foreign) > 1 else ""
            text = f"is a mask of {ends} that JPEG or smoothing has blurred{more}, where {where} {known}; {fix}."
            finding.problems.append(f"{foreign[0]}: {text}")
            return chosen
        half = f"white above {sum(chosen) / 2:g}"
        if in_colour:
            half = f"{labels.name_value(chosen[1], True)} where they are brighter than half way to it"
        named = f"{smoothed[0]} and {len(smoothed) - 1} more" if len(smoothed) > 1 else str(smoothed[0])
        finding.notes.append(f"{named}: masks of two values that JPEG or smoothing has blurred; read as {half}.")
        return chosen
    everything = set().union(*(content.counts for content in read.values()))
    if not in_colour and min(everything, default=0) < 0 and not values:
        _refuse_value(min(everything), finding)
        return sorted(everything)
    if values:
        _check_named(read, values, reading, two, finding)
        return sorted(values.values())
    if len(everything) > 2 and not finding.problems:
        _look_for_other_meanings(read, everything, reading, finding)
    if len(everything) == 1:
        value = labels.name_value(min(everything), reading == "colours")
        finding.problems.append(f"all labels hold the one value {value}; two are needed, an object and the rest.")
    return two or sorted(everything)


def _fit(content, values):
    """Whether all values of a label are named."""
    return bool(values) and set(content.counts) <= set(values.values())


def is_mixed(held):
    """Whether masks, of which each holds a set of values, hold two each and the higher differs, as 1 and 255 do."""
    together, highs = set().union(*held), {max(values) for values in held if max(values, default=0) > 0}
    return len(together) > 2 and together <= {0} | WHITE and all(len(values) <= 2 for values in held) and len(highs) > 1


def _look_for_two_codings(contents, read, reading, finding):
    """Add a problem where some labels have colours, or a palette, and others numbers, and they share no value."""
    if reading == "values":
        return
    coded, first = {True: set(), False: set()}, {}
    for file, content in contents.items():
        kind = bool(content.palette) or content.in_colour
        coded[kind] |= set(read[file].counts) - {0}
        first.setdefault(kind, file)
    two = reading == "greys" and len(coded[True] | coded[False]) == 2  # each read by its own two values
    if all(coded.values()) and not coded[True] & coded[False] and not two:
        finding.problems.append(
            f"some labels have colours, such as {first[True]}, and others grey values, such as {first[False]}; which "
            "belong together cannot be known: save all of them alike."
        )


def _check_outside(read, reading, finding):
    """Add a problem where 0 cannot be the outside of numbered objects."""
    counts = sum((Counter(content.counts) for content in read.values()), Counter())
    if not counts:  # nothing is labelled, which is found elsewhere
        return
    value, pixels = counts.most_common(1)[0]
    negative = min(counts) < 0
    if negative or not counts[0] or (value != 0 and pixels > counts.total() / 2):
        outside = min(counts) if negative else value
        finding.problems.append(
            f"with --objects what has the value 0 is outside, but {counts[0] / counts.total():.0%} of the pixels have "
            f"it; if {labels.name_value(outside, reading == 'colours')} is outside, write 0 for it."
        )


def _check_sharp(read, reading, finding):
    """Add a problem where each value that JPEG or smoothing has made would be taken for an object."""
    several = [content for content in read.values() if content.parts]
    blurred = [file for file, content in read.items() if blur.find_ends(content, reading == "colours")]
    if 2 * len(blurred) > len(several) and not may_number_objects([read[file] for file in blurred]):
        finding.problems.append(
            f"{blurred[0]}: is a mask of two values that JPEG or smoothing has blurred, and numbers no objects; leave "
            f"out --objects, or save the labels as PNG{f', {len(blurred)} of them' * (len(blurred) > 1)}."
        )


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


def _list(names):
    """Names as text: the last one after "and"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _refuse_value(value, finding):
    """Add a problem with a value that no mask can hold."""
    finding.problems.append(
        f"the labels hold {value}, which no mask can; write 0 to {HIGHEST}, or give it as --ignore {value} if it "
        "stands for pixels that are not labelled."
    )


def _look_for_other_meanings(read, everything, reading, finding):
    """Add problems and warnings where more than two values may be something else than classes."""
    in_colour = reading == "colours"

    def name(value):
        return labels.name_value(value, in_colour)

    if _are_objects(read.values(), everything):
        finding.problems.append(
            "the labels number objects, each value one connected part, not classes: with --objects inside is told from "
            "outside; name the values in dataset.json if they are classes after all."
        )
        return
    if not in_colour and max(everything) > HIGHEST:
        _refuse_value(max(everything), finding)
        return
    _check_count(read, everything, finding)
    if not finding.problems:
        _look_for_codings(read, everything, name, in_colour, finding)
    if not finding.problems:
        _look_for_blur(read, everything, name, in_colour, finding)
    if finding.problems:
        return
    if _are_objects(read.values(), everything, surely=False):
        finding.warnings.append(
            "each value is one connected part: they are learned as classes; --objects if they number objects."
        )
    shaped = [content for content in read.values() if content.parts]
    alone = any(len(content.counts) == 2 and max(everything) in content.counts for content in read.values())
    few = 2 * len(shaped) < len(read)
    if not shaped or (few and alone):  # what is seen alone in a label is a class
        return
    counts = sum((Counter(content.counts) for content in shaped), Counter())
    solid = frozenset().union(*(content.solid for content in shaped))
    common, pixels = counts.most_common(1)[0]
    total, values = counts.total(), sorted(everything)
    void = not in_colour and values[-1] >= 255 and values[-2] < values[-1] // 2
    if pixels > 0.8 * total and not (few or solid - {common}):
        strokes = ", ".join(name(value) for value in values if value != common)
        option = f"'{name(common)}'" if in_colour else common
        finding.problems.append(
            f"value {name(common)} has {pixels / total:.0%} of the pixels and {strokes} are thin strokes, as if "
            f"{name(common)} were not labelled: say so by --ignore {option}, or name {name(common)} in dataset.json if "
            "it is a class."
        )
    elif void and values[-2] - values[0] < MOST_CLASSES:
        where = "" if values[-1] in solid else ", a thin ring around everything"
        finding.problems.append(
            f"is value {values[-1]}{where}, one that stands for pixels that are not labelled? Then say so by --ignore "
            f'{values[-1]}, or "labels": {{"ignore": {values[-1]}}} in dataset.json; name it there if it is a class.'
        )
    else:
        thin = [value for value in values if value not in solid and value != common]
        if len(thin) == 1 and len(values) > 2 and counts[thin[0]] > 0.005 * total:
            finding.warnings.append(
                f"value {name(thin[0])} is a thin line everywhere and is learned as a class; --ignore {name(thin[0])} "
                "if it stands for pixels that are not labelled."
            )


def _look_for_codings(read, everything, name, in_colour, finding):
    """Add problems and warnings where what one label calls 1 another may call 2, or 255."""
    held = [frozenset(content.counts) for content in read.values()]
    lone = {value for value in everything if all(values == {value} for values in held if value in values)}
    if lone and len(everything - lone) == 2 and everything - lone in held:
        value, usual = min(lone), _list(map(name, sorted(everything - lone)))
        files = [file for file, content in read.items() if value in content.counts]
        more = f", as {len(files)} labels do" if len(files) > 1 else ""
        text = f"{files[0]}: holds {name(value)} alone{more}, where others hold {usual}"
        if len(files) == 1 or value >= LEAST_SPREAD:
            unclear = "whether that is a class, one of these or not labelled cannot be known"
            finding.problems.append(f"{text}: {unclear}; write one of these, or name it in dataset.json.")
        else:
            finding.warnings.append(f"{text}: it is learned as a class.")
        return
    fix = "name the values in dataset.json if they are classes, or else write 0 and 255 in all of them"
    few = {value for value in everything if sum(content.counts.get(value, 0) for content in read.values()) < FEWEST}
    if few and len(everything - few) == 2:
        value = min(few)
        file, content = next((file, content) for file, content in read.items() if value in content.counts)
        finding.problems.append(
            f"{file}: holds {name(value)} in {content.counts[value]} pixels, where all others hold "
            f"{_list(map(name, sorted(everything - few)))}; write one of these, or name it in dataset.json."
        )
        return
    several = [values for values in held if len(values) > 1]
    highs = Counter(max(values) for values in several)
    if all(len(values) <= 2 for values in held) and several:
        lows, named = {min(values) for values in several}, _list(map(name, sorted(highs)[:4]))
        text = f"each label holds two values, of which the higher differs by file ({named})"
        running = len(highs) == len(several) >= NUMBERED and max(highs) - min(highs) < 2 * len(highs)
        if len(lows) > 1:
            pairs = ", ".join(_list(map(name, sorted(values))) for values in list(dict.fromkeys(several))[:3])
            text = f"no label holds more than two values, which are not the same ({pairs})"
            if len(set(several)) == 2:
                finding.problems.append(f"{text}; {fix}.")
            else:
                finding.warnings.append(f"{text}: they are learned as classes.")
        elif running:
            finding.problems.append(
                f"{text}, as if each label had one object, numbered by file: with --objects inside is told from "
                "outside; name the values in dataset.json if they are classes after all."
            )
        elif not in_colour and len(highs) > 1 and max(highs) >= LEAST_SPREAD:
            finding.problems.append(f"{text}; {fix}.")
        elif len(highs) > 1:
            finding.warnings.append(f"{text}: they are learned as classes; write one of them if they mean the same.")
        return
    if in_colour and len(parts := _part_values(several)) == 2 and len(parts[0]) == len(parts[1]) > 1:
        one, other = (_list(map(name, sorted(values))) for values in parts)
        finding.warnings.append(
            f"some labels hold {one}, others {other}, and none both: they are learned as classes; write the same "
            "colours if they mean the same."
        )
    kinds = sorted({tuple(sorted(values)) for values in several})
    if not in_colour and len(kinds) == 2 and len(kinds[0]) == len(kinds[1]) > 2:
        one, other = kinds
        steps = (other[-1] - other[0]) / (one[-1] - one[0])
        if all(value == other[0] + steps * (before - one[0]) for before, value in zip(one, other, strict=True)):
            finding.problems.append(
                f"some labels hold {', '.join(map(name, one))} and others {', '.join(map(name, other))}, as if they "
                "were counted otherwise; name the values in dataset.json if all are classes, or else write the same."
            )
            return
    if not in_colour and len(kinds) > 1 and all(_is_stretched(values, max(everything)) for values in kinds):
        longest = max(kinds, key=len)
        other = next(values for values in kinds if values != longest)
        text = (
            f"some labels hold {_list(map(name, longest))}, others {_list(map(name, other))}: as if each had been "
            f"stretched to {longest[-1]} by itself, so that one value is not one class"
        )
        fix = "save them as they were drawn, or name the values in dataset.json if all are classes"
        if all(set(values) <= set(longest) for values in kinds):
            finding.warnings.append(f"{text}; if so, {fix}.")  # or some lack a class
        else:
            finding.problems.append(f"{text}; {fix}.")


def _is_stretched(values, top):
    """Whether values, rising, are spread evenly from 0 to `top`, as by a program that shows a label brightly."""
    even = [top * i / (len(values) - 1) for i in range(len(values))]
    return top >= LEAST_SPREAD and all(abs(value - one) <= 1 for value, one in zip(values, even, strict=True))


def _part_values(several):
    """The values of labels, but for those that all hold, in sets of which no label holds more than one."""
    shared, parts = frozenset.intersection(*several) if several else frozenset(), []
    for values in [set(values - shared) for values in several if values - shared]:
        joined = [part for part in parts if part & values]
        parts = [part for part in parts if part not in joined] + [values.union(*joined)]
    return parts


def _look_for_blur(read, everything, name, in_colour, finding):
    """Add a problem where values are those that JPEG or smoothing makes out of classes."""
    low, high = min(everything), max(everything)
    fix = "save the labels as they were drawn, or name all values in dataset.json if they are classes"
    if not in_colour and high - low < LEAST_SPREAD:
        _look_for_resized(read, fix, finding)
        return
    if all(len(content.counts) <= 2 for content in read.values()):
        return
    shaped = [content for content in read.values() if content.parts]
    even = frozenset().union(
        *(content.cores if content.parts else content.counts for content in read.values())
    ) & frozenset(everything)
    seams = sorted(everything - even)
    pixels = sum(content.counts.get(value, 0) for content in shaped for value in seams)
    total = sum(sum(content.counts.values()) for content in read.values())
    between = in_colour or (seams and min(even, default=high) < seams[0] and seams[-1] < max(even, default=low))
    if len(seams) > 1 and len(even) > 1 and between and pixels < 0.2 * total:
        named = ", ".join(map(name, seams[:4])) + " and more" * (len(seams) > 4)
        finding.problems.append(f"values {named} are only seen as seams, as JPEG or smoothing makes them; {fix}.")
        return
    if in_colour:
        return
    groups = [[low]]
    for value in sorted(everything)[1:]:
        if value - groups[-1][-1] > (high - low) / 16:
            groups.append([])
        groups[-1].append(value)
    crowded = [group for group in groups if len(group) > 1]
    top = high in WHITE and len(groups[-1]) > 1 and high - groups[-1][0] <= 3
    if (len(groups) > 2 and len(crowded) > 1) or (len(groups) > 1 and top):
        named = ", ".join(f"{group[0]} to {group[-1]}" if len(group) > 1 else str(group[0]) for group in groups[:4])
        finding.problems.append(
            f"values lie in groups ({named}), as JPEG or smoothing leaves classes, and as objects of several kinds are "
            f"numbered; {fix}, or train with --objects."
        )


def _look_for_resized(read, fix, finding):
    """Add a problem where few labels hold what smoothing makes out of the values of the others, near each other."""
    several = [content for content in read.values() if len(content.counts) > 1]
    held = Counter(value for content in several for value in content.counts)
    common = {value for value, count in held.items() if 2 * count > len(several)}
    even = frozenset().union(*(content.cores for content in several))
    for file, content in read.items():
        seams = sorted(content.counts.keys() - common)
        inside = len(common) > 1 and all(min(common) < value < max(common) for value in seams)
        near = (max(common) - min(common)) // labels.NEAR if inside else 0  # within which a square may be even
        far = {value for value in seams if all(abs(value - other) > near for other in common)}
        if inside and len(seams) > len(common) and far and even.isdisjoint(far):
            named, usual = (_list(map(str, values)) for values in (seams[:4], sorted(common)))
            text = f"holds {named}{' and more' * (len(seams) > 4)} as seams alone, where others hold {usual}"
            finding.problems.append(f"{file}: {text}, as resizing or smoothing makes them; {fix}.")
            return


def find_turned(shares):
    """A warning where some labels look like the others with black and white exchanged: list of str, one or none.

    Parameters
    ----------
    shares : dict of path to float
        What share of each label the higher of two classes has.
    """
    shares = {file: share for file, share in shares.items() if 0 < share < 1}  # others may hold only one of the two
    few = {file: share for file, share in shares.items() if share < 0.4}
    most = {file: share for file, share in shares.items() if share > 0.6}
    if min(len(few), len(most)) < 2 or len(few) + len(most) < len(shares):
        return []
    low, high = median(few.values()), median(most.values())
    if abs(low + high - 1) > MIRRORED:
        return []
    one, other = (f"{len(part)} labels, such as {next(iter(part))}" for part in (few, most))
    text = "as if some were drawn black on white and others white on black; if so, invert those of one kind"
    return [f"the higher value has {low:.0%} of the pixels in {one}, and {high:.0%} in {other}, {text}."]


def find_lone(contents, known, told):
    """Problems with labels that hold 1 alone beside 0 and 255, or 255 beside 0 and 1: all of an image, or nothing.

    Parameters
    ----------
    contents : dict of path to labels.Content
    known : classes.Classes
        As found from them.
    told : collection of int
        Values whose meaning is known.

    Returns
    -------
    list of (path, str)
        The first one, with a sentence; none where others hold 0 and that value, which say what it is.
    """
    held = {
        file: {labels.translate(value, content.palette, known.reading) for value in content.counts} - {known.ignore}
        for file, content in contents.items()
    }
    for file, content in contents.items():
        if blur.find_ends(_translate(content, known.reading, known.ignore), known.reading == "colours"):
            held[file] = set(known.values)
    if known.objects or len(known.values) > 2 or known.values[0] != 0:
        return []
    whites = set().union(*held.values()) & WHITE
    pairs = [values for values in held.values() if len(values) > 1]
    highs = set(map(max, pairs))
    for value in whites - set().union(*pairs, told):
        lone = [file for file, values in held.items() if values == {value}]
        if lone and (others := (whites | highs) - {value}):
            more = f", as {len(lone)} labels do" if len(lone) > 1 else ""
            text = f"where others hold 0 and {max(others)}: whether it is white everywhere, or nowhere, cannot be known"
            return [(lone[0], f"holds {value} alone{more}, {text}; write {max(others)} or 0.")]
    return []


def may_number_objects(contents):
    """Whether labels, as `labels.Content`, may number their objects, each value one connected part."""
    everything = set().union(*(content.counts for content in contents))
    return len(everything) > MOST_CLASSES or _are_objects(contents, everything, surely=False)


def _are_objects(contents, everything, surely=True):
    """Whether the values of labels number objects: each one connected part, different from file to file.

    Not `surely`, they may number objects also if all files have the same ones, or there are few.
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
    if not combinations or single < 0.8 * combinations:
        return False
    differ = len({frozenset(content.counts) for content in contents}) > 1
    if not surely:
        return True
    running = runs_on >= 0.9 * len(highest) and len(everything) > 3
    scattered = single >= 0.95 * combinations and len(everything) > 4
    return len(everything) > MOST_CLASSES or (differ and (running or scattered))


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


def holds(content, value):
    """Whether a label holds a value, or a colour, however it is read."""
    return any(value in (labels.translate(own, content.palette, r) for r in labels.READINGS) for own in content.counts)


def find_unknown(content, known, mask=False):
    """Values of a label, as read, that are none of the classes: list of int, rising.

    Other two values than those of two classes are read as these where programs write them for a mask, or in a `mask`.
    """
    read = {labels.translate(value, content.palette, known.reading) for value in content.counts} - {known.ignore}
    if known.objects or read <= set(known.values):
        return []
    # Where a value is ignored, a label of other values cannot be told from one that is ignored by mistake.
    if len(known.values) == 2 and known.ignore is None:
        if len(read) <= 2 and (mask or (known.values[0] == 0 and read <= {0} | WHITE)):
            return []
        ends = blur.find_ends(_translate(content, known.reading, None), known.reading == "colours")
        if ends and blur.are_ends(ends, known.values, known.reading == "colours"):
            return []
    return sorted(read - set(known.values))
