"""What is in a dataset, and what is wrong with it.

Every problem is found at once, each with its file and its fix, before any work begins; checks.py has those of training.
"""

from __future__ import annotations  # some fields have the names of the modules of their types

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from segmentation.files import (
    blur,
    classes,
    description,
    folders,
    images,
    labels,
    looking,
    meanings,
    pairing,
    scaling,
    scans,
    storage,
)

PARTS = ("train", "val", "test")
MANY = 200  # files, that take a while to look at
FEWEST_ALIKE = 5  # labels that are the same, from which on it can be no chance
MUCH = 8  # times the usual range of grey values, that one image has
READERS = min(4, os.cpu_count() or 1)
LABELS = ("label", "mask", "gt", "groundtruth", "ground_truth", "annotation")  # what others call them


@dataclass(frozen=True)
class Survey:
    """Everything that was found in a dataset.

    `parts` has "train", "val" and "test", each a `Part`. `classes` and `scaling` are what labels and grey values mean,
    None if that could not be found out. `problems` are sentences on what keeps the dataset from being used, `notes` on
    what was guessed, `warnings` on what may not be meant.
    """

    folder: Path
    parts: dict
    description: description.Description = field(default_factory=lambda: description.Description({}))
    classes: classes.Classes | None = None
    scaling: scaling.Scaling | None = None
    problems: tuple = ()
    notes: tuple = ()
    warnings: tuple = ()


@dataclass(frozen=True)
class Part:
    """The images and labels of train/, val/ or test/.

    `images` and `labels` are files by stem, `facts` the `looking.Facts` of all of them by file, None for what cannot be
    read, and `pairs` the stem of the label by that of its image. `places` are the folders of images and of labels.
    """

    places: tuple
    images: dict = field(default_factory=dict)
    labels: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)
    pairs: dict = field(default_factory=dict)

    def list_sections(self):
        """The labelled sections in order: list of (stem, image file, label file, page).

        A stack is a section a page.
        """
        sections = []
        for stem, label in self.pairs.items():
            image = self.images[stem]
            pages = self.facts[image].pages if self.facts[image] else 1
            for page in range(pages):
                name = stem if pages == 1 else f"{stem} page {page + 1}"
                sections.append((name, image, self.labels[label], page))
        return sections


@dataclass
class Findings:
    """Sentences that are being gathered, each as (file or folder, text), so that one fault of many files is one."""

    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    warnings: list = field(default_factory=list)


def survey(folder, keep=False, *, names=PARTS, ignore=None, objects=False, rule=None):
    """Look at every file of a dataset, each decoded once.

    Parameters
    ----------
    folder : path
    keep : bool
        Whether to keep the arrays of train/ and val/, to be trained on, as far as there is room (`storage.Store`).
    names : collection of str
        The parts to look at.
    ignore : int or None
        The value of pixels that are not labelled; that of dataset.json if none is given.
    objects : bool
        Whether labels number objects.
    rule : str or None
        One of `scaling.RULES`, to overrule the choice.

    Returns
    -------
    Survey
    """
    folder = Path(folder)
    found = Findings()
    if not folder.is_dir():
        lacks = "is a file; unpack it if need be" if folder.is_file() else "no such folder"
        missing = f"{folder}: {lacks}; a dataset is a folder with train/image and train/label in it."
        return Survey(folder, {name: Part(find_places(folder, name)) for name in PARTS}, problems=(missing,))
    parts = {name: Part(find_places(folder, name)) for name in PARTS}
    _check_folders(folder, parts, found)
    store = storage.Store() if keep else None
    for name in filter(names.__contains__, PARTS):
        parts[name] = _look_at_part(folder, name, store if name != "test" else None, found)
    _check_strays(parts["test"], found)
    described = description.Description({})
    try:
        described = description.read_description(folder)
    except ValueError as error:
        found.problems.append((None, str(error)))
    _take_as_grey(parts)
    _check_alike(parts["train"], found)
    _check_images(parts, found)
    known = _find_classes(folder, parts, described, ignore, objects, found)
    scaled = _choose_scaling(parts, rule, found)
    _check_channels(parts, described, found)
    return Survey(
        folder,
        parts,
        described,
        known,
        scaled,
        *(tuple(_gather(sentences)) for sentences in (found.problems, found.notes, found.warnings)),
    )


def find_places(folder, name):
    """The folders of the images and the labels of a part: DIR/test may hold its images in DIR/test/image."""
    part = Path(folder) / name
    inside = name != "test" or (part / "image").is_dir()
    return (part / "image" if inside else part), part / "label"


def _check_folders(folder, parts, found):
    """Problems with folders of labels that are named otherwise, and notes on folders that are not read."""
    for part in PARTS:
        inside = folder / part
        labelled = part == "train" and (inside / "label").is_dir()
        for place in sorted(inside.iterdir()) if inside.is_dir() else []:
            name = place.name.lower()
            if place.is_dir() and name != "label" and name.rstrip("s") in LABELS and not labelled:
                text = f"is not read as labels; rename it to {parts[part].places[1]}, or take it away."
                found.problems.append((place, text))
            elif place.is_dir() and name != "image" and name.rstrip("s") == "image":
                found.problems.append((place, f"is not read as images; rename it to {place.with_name('image')}."))
    for place in sorted(folder.iterdir()):
        other = place.is_dir() and place.name[0] != "." and place.name not in PARTS
        if other and any((place / name).is_dir() for name in ("image", "images")):
            found.notes.append((place, f"is not read: only {', '.join(PARTS)} are."))


def _check_strays(part, found):
    """Problems with what seems to be labels among the images of test/: files of the names of others."""
    groups = {}
    for stem in part.images:
        place, _, name = stem.rpartition("/")
        groups.setdefault(place, set()).add(name)
    top = groups.pop("", set())
    for place, names in groups.items():
        named = place.split("/")[0].lower().rstrip("s") in (*LABELS, "image")  # which `_check_folders` finds
        if named or not names <= top:
            continue
        facts = [part.facts[part.images[f"{place}/{name}"]] for name in names]
        if all(one and len(np.unique(one.greys.sample)) <= meanings.MOST_CLASSES for one in facts):
            text = f"has the names of the images in {part.places[0]}; move labels to {part.places[1]}, or this away."
            found.problems.append((part.places[0] / place, text))
    ends = re.compile(f"(.+)[_-]({'|'.join(LABELS)})s?", re.IGNORECASE)
    masks = [stem for stem in part.images if (match := ends.fullmatch(stem)) and match[1] in part.images]
    if masks:
        text = f"seems to be a label, as {len(masks)} of the test images do; move labels to {part.places[1]}."
        found.problems.append((part.images[masks[0]], text))


def _gather(sentences):
    """Sentences out of (file, text): those that differ only in numbers, and in what is in brackets, become one."""
    alike = {}
    for file, text in sentences:
        alike.setdefault((file is None, re.sub(r"\(.*?\)|#?\d[\d.x]*", "", text)), []).append((file, text))
    for (general, _), found in alike.items():
        if general:
            yield from dict.fromkeys(text for _, text in found)
            continue
        file, text = found[0]
        more = ""
        if len(found) > 1:
            more = f" So it is with {len(found) - 1} more: {found[1][0]}{' and others' * (len(found) > 2)}."
        yield f"{file}: {text}{more}"


def _look_at_part(folder, name, store, found):
    """The `Part` of a name, with its problems added to the `Findings`; arrays are kept in `store`, if there is one."""
    places = find_places(folder, name)
    if name != "train" and not (folder / name).is_dir():
        return Part(places)
    part = Part(places)
    for place, files, masks in zip(places, (part.images, part.labels), (False, True), strict=True):
        if masks and name == "test" and not place.is_dir():
            continue
        try:
            files |= folders.find_images(place, masks)
        except (ValueError, OSError) as error:
            found.problems.append((None, str(error)))
            continue
        if name == "test" and place.name == "image":
            strays = [file for file in place.parent.iterdir() if images.find_suffix(file) in folders.SUFFIXES]
            found.notes += [(file, f"is left out: the test images are those in {place}.") for file in sorted(strays)]
        look = looking.look_at_label if masks else looking.look_at_image
        for file, facts in _look_at_each(files.values(), look, store):
            if isinstance(facts, ValueError):
                part.facts[file] = None
                found.problems.append(_split_message(file, facts))
                continue
            part.facts[file] = facts
            found.notes += [(file, note) for note in facts.notes]
        if name != "test":
            written = folders.find_written(place, masks)
            found.notes += [
                (file, "is left out: such are the names that predict.py gives; rename it.") for file in written
            ]
            if not files:
                found.problems.append((place, f"no images in it ({', '.join(folders.SUFFIXES)})."))
    _pair(part, name, found)
    return part


def _look_at_each(files, look, store):
    """Look at files, a few at once, since decoders let other threads run: yields (file, its facts or ValueError)."""

    def look_at(file):
        try:
            facts = look(file)
        except ValueError as error:
            return file, error
        return file, replace(facts, array=_keep(facts.array, store) if store else None)

    files = list(files)
    with (
        ThreadPoolExecutor(READERS) as threads,
        tqdm(total=len(files), desc="Reading", unit="file", leave=False, disable=len(files) < MANY) as bar,
    ):
        for first in range(0, len(files), 4 * READERS):  # a few at a time: what is looked at is held in memory
            for looked_at in threads.map(look_at, files[first : first + 4 * READERS]):
                bar.update()
                yield looked_at


def _keep(array, store):
    """What a file holds, pages of pixels or a `labels.Label`, as `storage.Store` keeps it."""
    if not isinstance(array, labels.Label):
        return store.keep(array)
    numbers = store.keep(array.numbers)
    return None if numbers is None else replace(array, numbers=numbers)


def _split_message(file, error):
    """A file's error as (file, text)."""
    return file, str(error).removeprefix(f"{file}: ")


def _pair(part, name, found):
    """Pair the images and labels of a `Part`, and add the problems between them."""
    if not (part.images and part.labels):
        return
    image_place, label_place = part.places
    try:
        paired = pairing.pair(list(part.images), list(part.labels))
    except ValueError as error:
        found.problems.append((label_place, str(error)))
        return
    if paired.rule:
        found.notes.append((label_place, f"{paired.rule}."))
    if name != "test":  # a test image needs no label
        found.problems += [(part.images[stem], f"has no label in {label_place}.") for stem in paired.unlabelled]
    found.problems += [(part.labels[stem], f"has no image in {image_place}.") for stem in paired.orphans]
    for stem, label_stem in paired.labels.items():
        file = part.labels[label_stem]
        image, label = part.facts[part.images[stem]], part.facts[file]
        if not (image and label):
            continue
        if label.size != image.size:
            lying = "; it lies on its side: turn it as its image is shown" if label.size == image.size[::-1] else ""
            found.problems.append((file, f"its size {label.size} is not that of its image, {image.size}{lying}."))
        elif label.pages != image.pages:
            fix = "a stack needs a label a page, and channels have to be named so in their file"
            text = f"has {label.pages} pages where its image has {image.pages}; {fix}."
            found.problems.append((file, text))
        elif label.digests == image.digests and len(label.content.counts) > 2 and label.digests[0]:
            found.problems.append((file, "is the image itself; put its label there."))
        elif scans.lie_otherwise(part.images[stem], file):
            text = "has another orientation than its image by their affines; save both in the same"
            found.problems.append((file, f"{text}."))
        else:
            part.pairs[stem] = label_stem
            if not any(image.digests) and any(label.digests):
                found.warnings.append((part.images[stem], f"is blank, but its label {file} is not."))


def _check_alike(part, found):
    """Warn where the labels of a part are all the same, but their images are not."""
    pairs = [(part.facts[part.images[stem]], part.facts[part.labels[label]]) for stem, label in part.pairs.items()]
    pictures, drawn = ({facts.digests for facts in side} for side in zip(*pairs, strict=True)) if pairs else ((), ())
    if len(pairs) >= FEWEST_ALIKE and len(drawn) == 1 and len(pictures) > 1 and any(*drawn):
        text = f"all {len(pairs)} labels are the same, though their images differ; look whether they belong to them."
        found.warnings.append((part.places[1], text))


def _take_as_grey(parts):
    """Take pictures that show no colour for grey ones, if there are others that are grey."""
    every = [(part, file) for part in parts.values() for file in part.images.values() if part.facts[file]]
    if all(part.facts[file].channels > 1 for part, file in every):
        return
    for part, file in every:
        facts = part.facts[file]
        if facts.in_grey:
            greys = replace(facts.greys, low=facts.greys.low[:1], high=facts.greys.high[:1])
            greys = replace(greys, sample=facts.greys.sample[:, :1])
            array = None if facts.array is None else facts.array[..., 0]
            part.facts[file] = replace(facts, channels=1, greys=greys, array=array)


def _check_images(parts, found):
    """Problems between the images of all parts: other channels, and the same image twice."""
    every = [(name, file, part.facts[file]) for name, part in parts.items() for file in part.images.values()]
    every = [(name, file, facts) for name, file, facts in every if facts]
    kinds = {}
    for _, file, facts in every:
        kinds.setdefault(facts.channels, []).append(file)
    if len(kinds) > 1:
        usual = max(kinds, key=lambda channels: len(kinds[channels]))
        for channels in sorted(set(kinds) - {usual}):
            text = f"is {_name_kind(channels)}, {kinds[usual][0]} is {_name_kind(usual)}"
            found.problems += [
                (file, f"{text}; save all images, also those of test/, alike.") for file in kinds[channels]
            ]
    seen = {}
    for name, file, facts in every:
        for digest in filter(None, facts.digests):
            first, other = seen.setdefault(digest, (name, file))
            if (first, other) == (name, file):
                continue
            if name == "train":  # which may be meant, to weigh it more, but not where one of them is held out
                text = f"is the image {other} again: if one is held out, its scores say little"
                labelled = [_find_label(parts[name], image) for image in (file, other)]
                if all(labelled) and facts.pages == 1 and labelled[0].digests != labelled[1].digests:
                    text = f"is the image {other} again, with another label; which is right cannot be known: remove one"
                found.warnings.append((file, f"{text}."))
            elif first == "train":
                found.problems.append((file, f"is the training image {other} again; remove one of the two."))
            elif first != name:
                found.warnings.append((file, f"is the image {other} again."))
            break


def _find_label(part, image):
    """The `looking.Facts` of the label of an image; None if it has none that can be read."""
    stem = next(stem for stem, file in part.images.items() if file == image)
    return part.facts.get(part.labels.get(part.pairs.get(stem)))


def _name_kind(channels):
    """What an image of so many channels is, in words."""
    return {1: "grey", 3: "in colour"}.get(channels, f"an image of {channels} channels")


def _check_channels(parts, described, found):
    """Warn of names of channels that do not fit the images."""
    channels = {
        facts.channels for facts in (parts["train"].facts[file] for file in parts["train"].images.values()) if facts
    }
    if described.channels and len(channels) == 1 and len(described.channels) != max(channels):
        text = f"names {len(described.channels)} channels, the images have {max(channels)}; the names are left out."
        found.warnings.append((described.file, text))


def _find_classes(folder, parts, described, ignore, objects, found):
    """The `classes.Classes` of a dataset, by the labels of train/ and val/, with their problems added; or None."""
    place = folder / "train/label"
    contents = {}
    for name in ("train", "val"):
        part = parts[name]
        contents |= {
            file: part.facts[file].content
            for file in (part.labels[label] for label in part.pairs.values())
            if part.facts[file]
        }
    if not contents:
        return None
    given, ignore = ignore, described.ignore if ignore is None else ignore
    finding = meanings.find_classes(contents, described.values, ignore, objects)
    if given is not None and not any(meanings.holds(content, given) for content in contents.values()):
        value = labels.name_value(given, given > meanings.HIGHEST)
        found.warnings.append((place, f"no label holds {value}, which is to be ignored."))
    for kept, sentences in (
        (found.problems, finding.problems),
        (found.notes, finding.notes),
        (found.warnings, finding.warnings),
    ):
        for text in sentences:
            kept.append((None, text) if text.startswith(tuple(map(str, contents))) else (place, text))
    if finding.classes is None:
        return None
    counted = {file: classes.count_classes(content, finding.classes) for file, content in contents.items()}
    pixels = tuple(np.sum([page for pages in counted.values() for page in pages], axis=0).tolist())
    if len(pixels) == 2 and not objects:
        totals = {file: np.sum(pages, axis=0) for file, pages in counted.items()}
        shares = {file: total[1] / total.sum() for file, total in totals.items() if total.sum()}
        found.warnings += [(place, text) for text in meanings.find_turned(shares)]
    missing = [name for name, count in zip(finding.classes.names, pixels, strict=True) if not count]
    if missing and described.values:
        text = f"names what no label holds and cannot be learned: {', '.join(missing)}."
        found.warnings.append((described.file, text))
    learned = {name: value for name, value in described.values.items() if value != ignore and not objects}
    for name in description.find_voids(learned):
        text = f"{name} is learned as a class; call it ignore if such pixels are not labelled."
        found.warnings.append((described.file, text))
    tested = {file: parts["test"].facts[file] for file in parts["test"].labels.values()}
    seen = {file: facts.content for file, facts in tested.items() if facts}
    found.problems += meanings.find_lone(contents | seen, finding.classes, described.values.values())
    for file, facts in tested.items():
        unknown = meanings.find_unknown(facts.content, finding.classes) if facts else []
        if unknown and blur.find_ends(facts.content, facts.content.in_colour):
            text = f"is a mask that JPEG or smoothing has blurred, of another range than the labels of {place}"
            found.problems.append((file, f"{text}; save all of them alike."))
        elif unknown:
            text = ", ".join(labels.name_value(value, finding.classes.reading == "colours") for value in unknown[:4])
            found.problems.append((file, f"holds {text}, which no label of {place} holds."))
    return replace(finding.classes, pixels=pixels)


def _list_wide(greys, chosen):
    """Warnings of images that alone decide how all are scaled, since the others have far fewer grey values."""
    spans = {file: float(np.mean(np.asarray(one.high) - one.low)) for file, one in greys.items()}
    usual = float(np.median(list(spans.values())))
    if chosen.rule == "image" or (
        chosen.rule == "dtype" and usual >= scaling.SLIVER * scaling.find_top(np.dtype(chosen.dtype))
    ):
        return []
    text = f"spans {MUCH} times as many grey values as is usual here, or more, by which all others are scaled"
    wide = [file for file, span in spans.items() if span > MUCH * usual > 0]
    return [(file, f"{text}; save all of them alike, or give --scaling image.") for file in wide]


def _choose_scaling(parts, rule, found):
    """The `scaling.Scaling` of a dataset, by the images of train/, with warnings of those that differ; or None."""
    part = parts["train"]
    greys = {file: part.facts[file].greys for file in part.images.values() if part.facts[file]}
    if not greys or len({len(one.low) for one in greys.values()}) > 1:
        return None
    try:
        chosen = scaling.choose(list(greys.values()), rule)
    except ValueError as error:
        found.problems.append((None, str(error)))
        return None
    found.notes.append((None, scaling.describe(chosen)))
    if all(np.array_equal(one.low, one.high) for one in greys.values()):
        found.problems.append((part.places[0], "all images are blank; each has one value everywhere."))
    outlier = scaling.describe_outlier(list(greys.values()))
    if outlier:
        found.warnings.append((part.places[0], outlier))
    found.warnings += _list_wide(greys, chosen)
    for file, one in greys.items():
        if str(one.dtype) != chosen.dtype and chosen.rule != "dtype":  # which is chosen if each fills its own range
            text = f"is {one.dtype}, other training images are {chosen.dtype}; save all of them alike."
            found.warnings.append((file, text))
    for other in ("val", "test"):
        for file in parts[other].images.values():
            facts = parts[other].facts[file]
            try:
                scaling.check(facts.ends if facts else np.zeros(1, np.uint8), chosen, file)
            except ValueError as error:
                found.problems.append(_split_message(file, error))
                continue
            difference = scaling.find_difference(facts.greys, chosen) if facts else ""
            if difference and len(chosen.low) == facts.channels:
                found.warnings.append((file, f"has other grey values than the training images: {difference}."))
    return chosen
