"""Doubtful labels: where networks that have not seen a label surely disagree with it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from segmentation import geometry
from segmentation.files import classes

SMOOTHING = 1.5  # pixels; thinner slivers, as they lie along every edge, do not count
SURE = 0.5  # of the smoothed disagreement
NEAR = 8  # pixels around each; places that meet in them are one, as are the membranes of a square without any
LARGEST = 128  # pixels of a side, of what is joined so
LARGEST_SHIFT = 32  # pixels, of a label that does not lie on its image
UNUSUAL = 3.0  # spreads below the usual agreement, of a label that may be another image's
RARE = 0.1  # of the weight of the most frequent confusion, that is added to that of each, so that no speck comes first
MARGIN = 24  # pixels around a place that is shown
GAIN = 0.25  # of what is wrong, that a swap, a shift or a turn has to mend


@dataclass(frozen=True)
class Doubt:
    """A place of a label that may be wrong.

    `box` is its (top, left, bottom, right) in pixels, the last two beyond it. `labelled` and `seen` are numbers of
    classes, None where all of a label is meant; `sure` is how sure the network is, in [0, 1], and `weight` orders
    places: the pixels of which it is sure. `text` says what is the matter.
    """

    section: str
    box: tuple
    labelled: int | None
    seen: int | None
    sure: float
    weight: float
    text: str


def find_places(section, label, probability, names):
    """Places in which a network surely sees another class than the label: list of `Doubt`.

    Parameters
    ----------
    section : str
        Its name.
    label : array (height, width)
        Classes, as from `classes.classify`.
    probability : float array (height, width) or (height, width, classes) in [0, 1]
        Of the higher of two classes, or of each.
    names : sequence of str
        What the classes are called.
    """
    each = np.stack([1 - probability, probability], axis=-1) if probability.ndim == 2 else probability
    known = classes.known(label)
    numbers = np.where(known, label, 0).astype(int)
    given = np.take_along_axis(each, numbers[..., np.newaxis], axis=-1)[..., 0]
    seen = each.argmax(-1)
    against = np.where(known & (seen != numbers), each.max(-1) - given, 0)
    sure = (ndimage.gaussian_filter(against.astype("float32"), SMOOTHING) > SURE) & (against > 0)
    touching, count = ndimage.label(sure, structure=np.ones((3, 3)))
    pairs, doubts = np.full(label.shape, -1), []
    for number, window in enumerate(ndimage.find_objects(touching, count), start=1):
        inside = touching[window] == number
        both = numbers[window][inside] * len(names) + seen[window][inside]
        pairs[window][inside] = np.bincount(both).argmax()
    for pair in np.unique(pairs[sure]).tolist():
        there, instead = divmod(pair, len(names))
        for window, inside in _join(pairs == pair, touching):
            doubts.append(
                Doubt(
                    section=section,
                    box=(window[0].start, window[1].start, window[0].stop, window[1].stop),
                    labelled=there,
                    seen=instead,
                    sure=float(each.max(-1)[window][inside].mean()),
                    weight=float(against[window][inside].sum()),
                    text=f"labelled {names[there]}, {names[instead]} is seen",
                )
            )
    return doubts


def _join(doubtful, touching):
    """Join those of some numbered places, True, that are near: yields windows, and which pixels in them are meant."""
    windows = ndimage.find_objects(touching)
    groups, count = ndimage.label(ndimage.distance_transform_edt(~doubtful) <= NEAR)
    for number, window in enumerate(ndimage.find_objects(groups * doubtful, count), start=1):
        inside = (groups[window] == number) & doubtful[window]
        if max(side.stop - side.start for side in window) <= LARGEST:
            yield window, inside
            continue
        for part in np.unique(touching[window][inside]).tolist():
            yield windows[part - 1], touching[windows[part - 1]] == part


def find_unusual(agreements):
    """Sections whose label is in less agreement with its mask than is usual among them: list of str.

    Parameters
    ----------
    agreements : dict of str to float
        Share of the labelled pixels that are as in the mask, by section.
    """
    values = np.array(list(agreements.values()))
    usual = np.median(values)
    spread = max(1.4826 * np.median(np.abs(values - usual)), 0.01)
    return [section for section, value in agreements.items() if value < usual - UNUSUAL * spread]


def explain(section, label, mask, others):
    """What may have happened to the label of a section: a sentence, or None.

    Parameters
    ----------
    section : str
    label, mask : arrays (height, width)
        Of the section.
    others : dict of str to (label, mask)
        Of other sections that are unusual, too.
    """
    enough = _find_enough(label, mask)
    for other, (its_label, its_mask) in others.items():
        if its_label.shape != label.shape:
            continue
        if agree(its_label, mask) > enough and agree(label, its_mask) > _find_enough(its_label, its_mask):
            return f"its label and that of {other} are swapped"
    turns = range(1, 8) if label.shape[0] == label.shape[1] else (2, 4, 6)
    best = max(turns, key=lambda k: agree(geometry.turn(label, k), mask))
    if agree(geometry.turn(label, best), mask) > enough:
        return "its label is flipped or turned"
    return _find_shift(label, mask, enough)


def _find_enough(label, mask):
    """The agreement from which on something else than the label as it is mends `GAIN` of what is wrong."""
    return 1 - (1 - GAIN) * (1 - agree(label, mask))


def _find_shift(label, mask, enough):
    """A sentence on how far a label is from its mask, if that mends enough; None if it does not."""
    known = classes.known(label)
    pictures = [np.where(known, picture, 0).astype("float32") for picture in (mask, label)]
    shift, _, _ = phase_cross_correlation(*pictures, normalization=None)
    down, across = np.int64(shift)
    if not 0 < max(abs(down), abs(across)) <= LARGEST_SHIFT:
        return None
    if agree(*_overlap(label, mask, int(down), int(across))) <= enough:
        return None
    return f"its label lies {-down:+d} pixels down and {-across:+d} across from the image"


def _overlap(label, mask, down, across):
    """The parts of a label, moved by so many pixels, and of a mask that lie on each other."""
    height, width = label.shape
    moved = label[max(-down, 0) : height - max(down, 0), max(-across, 0) : width - max(across, 0)]
    return moved, mask[max(down, 0) : height - max(-down, 0), max(across, 0) : width - max(-across, 0)]


def agree(label, mask):
    """The share of the labelled pixels that are as in the mask; 1 if there are none."""
    known = classes.known(label)
    return float(np.mean(label[known] == mask[known])) if known.any() else 1.0


def rank(places, agreements, sections):
    """Order doubts, the worst first; sections whose whole label is doubtful come before all places, which they replace.

    Places are ordered by their weight as a share of that of all in which the same class is seen for the same other:
    what networks often get wrong says little of a label.

    Parameters
    ----------
    places : list of Doubt
        As from `find_places`, of all sections.
    agreements : dict of str to float
        As for `find_unusual`.
    sections : dict of str to (label, mask)
        Those that are unusual.

    Returns
    -------
    list of Doubt
    """
    whole = []
    for section, (label, mask) in sections.items():
        others = {other: pair for other, pair in sections.items() if other != section}
        if text := explain(section, label, mask, others):
            box, sure = (0, 0, *label.shape), 1 - agreements[section]
            whole.append(Doubt(section, box, None, None, sure, sure * label.size, text))
    explained = {doubt.section for doubt in whole}
    rest = [doubt for doubt in places if doubt.section not in explained]
    totals = {}
    for doubt in rest:
        kind = doubt.labelled, doubt.seen
        totals[kind] = totals.get(kind, 0) + doubt.weight
    least = RARE * max(totals.values(), default=0)
    return [
        *sorted(whole, key=lambda doubt: -doubt.weight),
        *sorted(rest, key=lambda doubt: -doubt.weight / (totals[doubt.labelled, doubt.seen] + least)),
    ]


def to_row(number, doubt):
    """A doubt as a row of a table: dict."""
    top, left, bottom, right = doubt.box
    row = {"number": number, "section": doubt.section, "top": top, "left": left, "bottom": bottom, "right": right}
    return row | {"sure": f"{doubt.sure:.3f}", "pixels": f"{doubt.weight:.0f}", "what": doubt.text}


def cut(image, label, mask, box):
    """The parts of an image, its label and its mask around a box, with a margin of `MARGIN` pixels."""
    top, left, bottom, right = box
    window = slice(max(top - MARGIN, 0), bottom + MARGIN), slice(max(left - MARGIN, 0), right + MARGIN)
    return image[window], label[window], mask[window]
