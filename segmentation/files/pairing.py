"""Which label belongs to which image, by their names.

Names are equal, or equal but for case, or images and labels have a prefix or a suffix: image = prefix + core + suffix,
label = another prefix + the same core + another suffix. Numbers are never cut apart: s1 is not the core of s11_mask.
Nor is p2_s0 the label of p1_s0.
"""

import random
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import accumulate, islice, pairwise
from typing import NamedTuple

NUMBER, WORD, SEPARATOR = "number", "word", ""
COMPARED = 80_000  # pairs of names, the most that are searched for affixes, of more a sample
LEAST_SAMPLE = 8  # names, also where there are very many
MOST_RULES = 32  # the most frequent of the sample, that are tried on all names


@dataclass(frozen=True)
class Pairing:
    """Which label belongs to which image.

    `labels` is a dict of image stem to label stem in the order of the images, `rule` a sentence without its full stop
    on how the names were brought together, "" if they are equal, `unlabelled` the list of the image stems without a
    label and `orphans` that of the label stems without an image.
    """

    labels: dict
    rule: str
    unlabelled: list
    orphans: list


class _Affixes(NamedTuple):
    """What is cut off: an image is image_prefix + core + image_suffix, its label label_prefix + core + label_suffix."""

    image_prefix: str = ""
    image_suffix: str = ""
    label_prefix: str = ""
    label_suffix: str = ""


@dataclass(frozen=True)
class _Reading:
    """One way to pair: `pairs` of stems, the affixes, what else differs, and another reading that is as good."""

    pairs: dict
    affixes: _Affixes = _Affixes()  # noqa: RUF009 (a tuple, which nothing changes)
    difference: str = ""
    rival: "_Reading | None" = None


class _Parts(NamedTuple):
    """A name in `parts` that are not cut, with the `bounds` between them.

    Affixes that no other name has would pair only one. So any core begins at `begin` or before and ends at `end` or
    after, and has the `middle` between them.
    """

    folder: str
    name: str
    parts: list
    bounds: list
    begin: int
    end: int
    middle: str


def pair(image_stems, label_stems):
    """Pair images with labels by their names.

    Stems that are equal are paired; if these are not the most, stems that are equal but for their Unicode form and
    case, or but for prefixes and suffixes that images and labels have in common. One rule holds for all, the one that
    pairs most; among those that pair as many, one whose affixes lie inside another's comes first, as s0 comes before
    s0_b for the label s0_mask.

    Parameters
    ----------
    image_stems, label_stems : iterables of str
        Without suffixes, in natural order, each distinct; in sub-folders with their paths, such as patient1/s0.

    Returns
    -------
    Pairing

    Raises
    ------
    ValueError
        If two rules pair as many, but differently; the message has both.
    """
    images, labels = list(image_stems), list(label_stems)
    fewer = min(len(images), len(labels))
    forms = list(_list_forms(images, labels))
    best, *others = [_pair_equal(*form) for form in forms]
    if not _is_most(best, fewer):
        best = max((best, *others), key=lambda reading: len(reading.pairs))
    for letters in (False, True):
        # Words are cut only where whole ones do not do.
        if not fewer or _is_most(best, fewer):
            break
        for difference, *places in _list_places(forms):
            reading = _find_reading(*places, difference, letters)
            if len(reading.pairs) > len(best.pairs) or _is_shorter(reading, best):
                best = reading
            if _is_final(best, fewer):
                break
    if best.rival:
        raise ValueError(_describe_rivals(best, best.rival))
    return _finish(_add_equal(best, images, labels), images, labels)


def find_shift(image_stems, label_stems):
    """Whether labels are numbered otherwise than their images: from 1 where these are from 0, or by their order.

    Parameters
    ----------
    image_stems, label_stems : iterables of str

    Returns
    -------
    tuple of str, or None
        An image and a label whose numbers the other side does not have, by the last numbers of their names. Where there
        are as many of either: both without gaps, or one of them from 0 or 1 and most numbers of the other unlike. Where
        some are missing: one of them from 0 and the other from 1, and more fit their neighbours than their equals.
    """
    sides = []
    for stems in (image_stems, label_stems):
        numbers = [(re.findall(r"\d+", stem.rpartition("/")[2]) or [None])[-1] for stem in stems]
        if None in numbers or len({int(number) for number in numbers}) < len(numbers):
            return None
        sides.append({int(number): stem for number, stem in zip(numbers, stems, strict=True)})
    images, labels = sides
    runs_on = [max(side, default=0) - min(side, default=0) == len(side) - 1 for side in sides]
    alone = [side.keys() - other.keys() for side, other in ((images, labels), (labels, images))]
    counted = any(run and min(side) in (0, 1) for run, side in zip(runs_on, sides, strict=True) if side)
    by_order = counted and 2 * len(alone[0]) >= len(images)
    if min(len(images), len(labels)) < 2 or not all(alone):
        return None
    equal = len(images) == len(labels) and (all(runs_on) or by_order)
    step = min(labels) - min(images)
    few = 4 * abs(len(images) - len(labels)) <= max(len(images), len(labels))
    beside = (
        few
        and {min(images), min(labels)} == {0, 1}
        and (len({number + step for number in images} & labels.keys()) > len(images.keys() & labels.keys()))
    )
    return (images[min(alone[0])], labels[min(alone[1])]) if equal or beside else None


def _add_equal(reading, images, labels):
    """A reading with those that it leaves over, and that have one name, paired too."""
    left = (set(images) - reading.pairs.keys()) & (set(labels) - set(reading.pairs.values()))
    return replace(reading, pairs=reading.pairs | {stem: stem for stem in left})


def _finish(reading, images, labels):
    """The `Pairing` of a reading."""
    paired = set(reading.pairs.values())
    return Pairing(
        labels={stem: reading.pairs[stem] for stem in images if stem in reading.pairs},
        rule=_describe(reading) if reading.pairs else "",
        unlabelled=[stem for stem in images if stem not in reading.pairs],
        orphans=[stem for stem in labels if stem not in paired],
    )


def _is_most(reading, fewer):
    """Whether more than half of the smaller folder is paired."""
    return 2 * len(reading.pairs) > fewer


def _is_shorter(reading, best):
    """Whether a reading has the same pairs with less cut off, as img_1 and IMG_1_mask have if case is left out."""
    return reading.pairs == best.pairs and not reading.rival and _length(reading.affixes) < _length(best.affixes)


def _is_final(reading, fewer):
    """Whether all are paired, and another form of the names cannot make the affixes shorter."""
    of_image, of_label = reading.affixes[:2], reading.affixes[2:]
    same = any(a and _fold(a) == _fold(b) for a, b in zip(of_image, of_label, strict=True))
    return len(reading.pairs) == fewer and not same


def _length(affixes):
    return sum(map(len, affixes))


def _list_forms(images, labels):
    """The forms to compare names in: tuples of what differs, dict of image stem to form, dict of label stem to form."""
    seen = []
    for difference, change in (
        ("", str),
        ("their Unicode forms differ", _compose),
        ("upper and lower case differ", _fold),
        ("leading zeros of numbers differ", _strip_zeros),
    ):
        both = [{stem: change(stem) for stem in stems} for stems in (images, labels)]
        # Stems of one side that fall together are told apart by what this form leaves out.
        if both not in seen and all(len(set(form.values())) == len(form) for form in both):
            yield difference, *both
        seen.append(both)
    in_folders = [any("/" in stem for stem in stems) for stems in (images, labels)]
    both = [{stem: _fold(stem).replace("/", "_") for stem in stems} for stems in (images, labels)]
    if in_folders[0] != in_folders[1] and all(len(set(form.values())) == len(form) for form in both):
        yield "folders of one are the beginnings of names of the other", *both


def _compose(stem):
    return unicodedata.normalize("NFC", stem)


def _fold(stem):
    return _compose(_compose(stem).casefold())


def _strip_zeros(stem):
    return re.sub(r"(?<!\d)0+(?=\d)", "", _fold(stem))


def _pair_equal(difference, images, labels):
    """The reading that pairs the names that are equal in a form."""
    stems = {name: stem for stem, name in labels.items()}
    pairs = {stem: stems[name] for stem, name in images.items() if name in stems}
    return _Reading(pairs, difference=difference)


def _list_places(forms):
    """The forms with names as (folder, name): in the same folder, then with the folder as a part of the name."""
    for difference, *both in forms:
        if any("/" in name for form in both for name in form.values()):
            yield difference, *({stem: _split_path(name) for stem, name in form.items()} for form in both)
        yield difference, *({stem: ("", name) for stem, name in form.items()} for form in both)


def _split_path(stem):
    folder, _, name = stem.rpartition("/")
    return folder, name


def _find_reading(images, labels, difference, letters):
    """The reading by affixes that pairs most, with a rival if there is one.

    Parameters
    ----------
    images, labels : dict of stem to (folder, name)
    difference : str
    letters : bool
        Whether words may be cut.
    """
    fewer = min(len(images), len(labels))
    readings = []
    for affixes in _find_affixes(images, labels, letters):
        pairs, general = _join(affixes, images, labels), _generalise(affixes)
        if len(pairs) < fewer and general != affixes:
            more = _join(general, images, labels)
            affixes, pairs = (general, more) if len(more) > len(pairs) else (affixes, pairs)
        of_one = re.findall(r"\d+", affixes.image_prefix) != re.findall(r"\d+", affixes.label_prefix)
        if len(pairs) < fewer and of_one:
            pairs = {} if _differs(affixes.image_prefix, images) or _differs(affixes.label_prefix, labels) else pairs
        if len(pairs) > 1 or (len(pairs) == fewer and _is_inside(affixes)):
            readings.append(_Reading(pairs, affixes, difference))
    most = max((len(reading.pairs) for reading in readings), default=0)
    if not most:
        return _Reading({})
    equal = [_move_separators(reading, images) for reading in readings if len(reading.pairs) == most]
    best, *others = sorted(equal, key=lambda reading: _length(reading.affixes))
    for other in others:
        if other.pairs != best.pairs and not any(_extends(other.affixes, shorter.affixes) for shorter in equal):
            return replace(best, rival=other)
    return best


def _generalise(affixes):
    """Leave in the cores what both affixes end in there: "_img" and "ximg" become "_" and "x"."""
    image_prefix, image_suffix, label_prefix, label_suffix = affixes
    end = _count_equal(image_prefix[::-1], label_prefix[::-1])
    start = _count_equal(image_suffix, label_suffix)
    return _Affixes(
        image_prefix[: len(image_prefix) - end],
        image_suffix[start:],
        label_prefix[: len(label_prefix) - end],
        label_suffix[start:],
    )


def _is_inside(affixes):
    """Whether an image's name is a part of its label's or the other way round, which makes a single pair credible."""
    return not any(affixes[:2]) or not any(affixes[2:])


def _extends(affixes, shorter):
    """Whether affixes cut off what others do, and then more: a part of the core, such as a patient's number."""
    return (
        affixes != shorter
        and affixes.image_prefix.startswith(shorter.image_prefix)
        and affixes.label_prefix.startswith(shorter.label_prefix)
        and affixes.image_suffix.endswith(shorter.image_suffix)
        and affixes.label_suffix.endswith(shorter.label_suffix)
    )


def _join(affixes, images, labels):
    """Pair the stems that have one core, without the affixes, in one folder: dict of image stem to label stem."""
    cores = {_find_core(place, *affixes[2:]): stem for stem, place in labels.items()}
    cores.pop(None, None)
    keys = ((stem, _find_core(place, *affixes[:2])) for stem, place in images.items())
    return {stem: cores[key] for stem, key in keys if key in cores}


def _find_core(place, prefix, suffix):
    """The folder of a name and what is between its affixes; None if it has others, or a number would be cut apart."""
    folder, name = place
    if not (name.startswith(prefix) and name.endswith(suffix) and len(name) > len(prefix) + len(suffix)):
        return None
    core = name[len(prefix) : len(name) - len(suffix)]
    if (prefix[-1:].isdecimal() and core[0].isdecimal()) or (core[-1].isdecimal() and suffix[:1].isdecimal()):
        return None
    return folder, core


def _move_separators(reading, images):
    """Give separators that end the cores to the affixes: "mask_" and "img_" for mask_1 and img_1, not "mask", "img"."""
    cut = reading.affixes
    cores = [_find_core(images[stem], *cut[:2])[1] for stem in reading.pairs]
    while cut.image_prefix and cut.label_prefix and (separator := _shared_separator(cores, 0)):
        cores = [core[1:] for core in cores]
        cut = cut._replace(image_prefix=cut.image_prefix + separator, label_prefix=cut.label_prefix + separator)
    while cut.image_suffix and cut.label_suffix and (separator := _shared_separator(cores, -1)):
        cores = [core[:-1] for core in cores]
        cut = cut._replace(image_suffix=separator + cut.image_suffix, label_suffix=separator + cut.label_suffix)
    return replace(reading, affixes=cut)


def _shared_separator(cores, place):
    """The separator that all cores have at their begin (0) or end (-1), "" if none."""
    ends = {core[place] for core in cores if len(core) > 1}
    shared = len(ends) == 1 and all(len(core) > 1 for core in cores) and _find_kind(min(ends)) == SEPARATOR
    return ends.pop() if shared else ""


def _find_affixes(images, labels, letters):
    """The affixes that may pair the most: list of `_Affixes`.

    Each name of the smaller folder is laid beside all of the other. Affixes that pair many come up as often, so that a
    sample is enough of a large folder.
    """
    lone = 1 in (len(images), len(labels))
    image_parts = _split_all(images.values(), letters, lone)
    label_parts = _split_all(labels.values(), letters, lone)
    swapped = len(image_parts) < len(label_parts)
    few, many = (image_parts, label_parts) if swapped else (label_parts, image_parts)
    folders = defaultdict(list)
    for name in many:
        folders[name.folder].append(name)
    # Every second label may be another observer's, so that steps of one length would miss one.
    size = min(len(few), max(LEAST_SAMPLE, COMPARED // len(many)))
    counts = Counter()
    for name in random.Random(0).sample(few, size):
        for other in folders[name.folder]:
            counts.update(_align(name, other) if swapped else _align(other, name))
    often = sorted(counts, key=lambda affixes: (-counts[affixes], _length(affixes)))
    return list(islice((affixes for affixes in often if not _renumbers(affixes)), MOST_RULES))


def _renumbers(affixes):
    """Whether image and label have one affix but for its number, as p1_s0 and p2_s0: another patient's label."""
    ends = zip(affixes[:2], affixes[2:], strict=True)
    return any(
        of_image != of_label and _hide_numbers(of_image) == _hide_numbers(of_label) for of_image, of_label in ends
    )


def _differs(prefix, places):
    """Whether names begin as a prefix does but for its number, which is theirs then: a4/a4_mask_ beside a1/a1_mask_."""
    pieces = re.split(r"\d+", prefix)
    if len(pieces) == 1:
        return False
    form = re.compile(r"\d+".join(map(re.escape, pieces)))
    return any(form.match(name) and not name.startswith(prefix) for _, name in places.values())


def _hide_numbers(affix):
    return [NUMBER if part[0].isdecimal() else part for part in _split(affix, letters=False)]


def _align(image, label):
    """All longest common runs of parts of two names, as the affixes that they leave: list of `_Affixes`."""
    found = []
    if image.middle not in label.name or label.middle not in image.name:
        return found
    for first, part in enumerate(image.parts):
        for start, other in enumerate(label.parts):
            inside = first and start and image.parts[first - 1] == label.parts[start - 1]
            if part != other or inside:
                continue
            length = _count_equal(image.parts[first:], label.parts[start:])
            cut = _cut(image, first, first + length), _cut(label, start, start + length)
            if all(cut) and any(_find_kind(part[0]) != SEPARATOR for part in image.parts[first : first + length]):
                found.append(_Affixes(*cut[0], *cut[1]))
    return found


def _count_equal(parts, others):
    """How many parts, or characters, are equal from the start."""
    count = 0
    for part, other in zip(parts, others, strict=False):
        if part != other:
            break
        count += 1
    return count


def _cut(name, first, last):
    """The prefix and suffix of a name around some of its parts; None if no other name has them."""
    begin, end = name.bounds[first], name.bounds[last]
    return None if begin > name.begin or end < name.end else (name.name[:begin], name.name[end:])


def _split_all(places, letters, lone):
    """The `_Parts` of names; with `lone`, where a folder has a single name, affixes need not be another's too."""
    places = list(places)
    names = [name for _, name in places]
    prefixes, suffixes = _measure_shared(names), _measure_shared([name[::-1] for name in names])
    split = []
    for folder, name in places:
        parts = _split(name, letters)
        bounds = list(accumulate(map(len, parts), initial=0))
        prefix, suffix = (len(name), len(name)) if lone else (prefixes[name], suffixes[name[::-1]])
        begin = max(bound for bound in bounds if bound <= prefix)
        end = min(bound for bound in bounds if bound >= len(name) - suffix)
        split.append(_Parts(folder, name, parts, bounds, begin, end, name[begin:end]))
    return split


def _measure_shared(names):
    """How many characters each name has in common with another from its start, which is beside it if sorted: dict."""
    ordered = sorted(names)
    shared = dict.fromkeys(ordered, 0)
    for name, other in pairwise(ordered):
        length = _count_equal(name, other)
        shared[name], shared[other] = max(shared[name], length), max(shared[other], length)
    return shared


def _split(name, letters):
    """A name in whole numbers, words (or their letters) and single other characters: list of str."""
    parts, last = [], SEPARATOR
    for char in name:
        kind = _find_kind(char)
        if kind == last and kind != SEPARATOR and (kind == NUMBER or not letters):
            parts[-1] += char
        else:
            parts.append(char)
        last = kind
    return parts


def _find_kind(char):
    """Whether a character is of a number, of a word, as are accents that stand alone, or separates them."""
    if char.isdecimal():
        return NUMBER
    return WORD if char.isalnum() or unicodedata.category(char)[0] == "M" else SEPARATOR


def _describe(reading):
    """The sentence on how names were brought together."""
    cut, though = reading.affixes, f"though {reading.difference}" if reading.difference else ""
    if not any(cut):
        return f"labels are paired with images {though}" if though else ""
    ends = (("prefix", cut.label_prefix, cut.image_prefix), ("suffix", cut.label_suffix, cut.image_suffix))
    parts = [_describe_end(*end) for end in ends if any(end[1:])]
    return f"labels are paired {' and '.join(parts)}" + (f", {though}" if though else "")


def _describe_end(kind, of_label, of_image):
    if not of_label:
        return f'by the {kind} "{of_image}" of images'
    return f'by their {kind} "{of_label}"' + (f' where images have "{of_image}"' if of_image else "")


def _describe_rivals(reading, rival):
    """The sentence on two readings that pair as many."""
    of_labels = reading.affixes[2:] != rival.affixes[2:]
    readings = " or ".join(_describe_reading(one, of_labels) for one in (reading, rival))
    if reading.pairs.keys() & rival.pairs.keys():
        return f"two labels fit each image: {readings}; keep one of each in the folder."
    if set(reading.pairs.values()) & set(rival.pairs.values()):
        return f"two images fit each label: {readings}; keep one of each in the folder of images."
    return f"the names follow two rules: {readings}; name all in one way."


def _describe_reading(reading, of_labels):
    """One of two readings, by what labels (or images) have, with its first pair."""
    image, label = next(iter(reading.pairs.items()))
    prefix, suffix = reading.affixes[2:] if of_labels else reading.affixes[:2]
    parts = [f'the {kind} "{affix}"' for kind, affix in (("prefix", prefix), ("suffix", suffix)) if affix]
    return f"by {' and '.join(parts) or 'the whole name'} ({image} with {label})"
