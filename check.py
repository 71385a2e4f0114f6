"""Check a dataset before work: what is in it, and every problem at once, each with its file and its mend."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

import data
import folders
import formats

MOST_CLASSES = 32


class Facts(NamedTuple):
    """What a check has to know of an image or a label."""

    size: tuple
    kind: str  # "uint8 grey", "uint16 RGB"
    digest: str  # of the pixels
    counts: dict  # of a label: pixels by value


def dataset(folder, fraction, crop):
    """List everything that keeps a dataset from being trained on.

    Parameters
    ----------
    folder : path
        The dataset.
    fraction : float
        The share of the sections to be held out.
    crop : int
        The side of a training crop; no image may be smaller.

    Returns
    -------
    list of str
        One sentence a problem, each with its file and a mend; empty if there is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return [f"{folder}: no such folder; --data takes one with train/image and train/label in it."]
    parts, problems = survey(folder)
    images = parts["train/image"]
    small = [(facts.size, file) for file, facts in images.items() if facts and min(facts.size) < crop]
    if small:
        (height, width), file = min(small)
        problems.append(f"{file}: its {height}x{width} pixels are less than --crop {crop}, in {len(small)} images so.")
    if images and data.split(len(images), fraction)[0].stop < 1:
        problems.append(
            f"{folder / 'train/image'}: {len(images)} images cannot be split with --validation-fraction {fraction}; "
            "at least one has to be trained on and one held out."
        )
    return problems + check_classes(parts, fraction, folder)


def survey(folder):
    """Look at every file of a dataset.

    Returns
    -------
    parts : dict of str to dict
        "train/image", "train/label", "test" and "test/label": the `Facts` by file, None for what cannot be read.
    problems : list of str
        With files by themselves, with pairs, and with duplicates.
    """
    problems, parts = [], {}
    for name in LOOK:
        parts[name] = {}
        if name.startswith("test") and not (folder / name).is_dir():
            continue
        try:
            files = folders.find_images(folder / name).values()
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        for file in files:
            try:
                parts[name][file] = LOOK[name](file)
            except ValueError as error:
                parts[name][file] = None
                problems.append(str(error))
        if name.startswith("train") and not files:
            problems.append(f"{folder / name}: no images in it ({', '.join(folders.SUFFIXES)}).")
    for images, labels in (("train/image", "train/label"), ("test", "test/label")):
        if parts[images] and parts[labels]:
            problems += check_pairs(folder, images, labels, parts)
    return parts, problems + check_kinds(parts) + check_duplicates(parts)


def look_at_image(file):
    """The `Facts` of an image to train on; ValueError if it cannot be used."""
    return find_facts(formats.read_array(file)[np.newaxis], file)


def look_at_pages(file):
    """The `Facts` of an image or a stack to predict; ValueError if it cannot be used."""
    return find_facts(formats.read_pages(file), file)


def find_facts(pages, file):
    """The `Facts` of images (pages, height, width) or (pages, height, width, 3)."""
    data.check_range(pages, file)
    return Facts(pages.shape[1:3], f"{pages.dtype} {'grey' if pages.ndim == 3 else 'RGB'}", digest(pages[0]), {})


def look_at_label(file):
    """The `Facts` of a label; ValueError if it cannot be used."""
    label = formats.read_label(file)
    counts = dict(zip(*(part.tolist() for part in np.unique(label, return_counts=True)), strict=True))
    return Facts(label.shape, "label", digest(label), counts)


LOOK = {"train/image": look_at_image, "train/label": look_at_label, "test": look_at_pages, "test/label": look_at_label}


def digest(array):
    """A fingerprint of an array's values."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.float64)).hexdigest()


def check_pairs(folder, images, labels, parts):
    """Problems between images and the labels that belong to them, and with the labels' values."""
    problems, good = [], {}
    image_files = {file.stem: file for file in parts[images]}
    label_stems = {file.stem for file in parts[labels]}
    if images != "test":  # a test image needs no label
        unlabelled = [file for stem, file in image_files.items() if stem not in label_stems]
        problems += [f"{file}: has no label in {folder / labels}." for file in unlabelled]
    for file, label in parts[labels].items():
        image = parts[images].get(image_files.get(file.stem))
        if file.stem not in image_files:
            problems.append(f"{file}: has no image in {folder / images}.")
        elif label and image and label.size != image.size:
            problems.append(f"{file}: its size {label.size} is not that of its image, {image.size}.")
        elif label and image and label.digest == image.digest and len(label.counts) > 2:
            problems.append(f"{file}: is the image itself; put its label there.")
            continue
        if label:
            good[file] = label
    return problems + check_values(good, folder / labels)


def check_kinds(parts):
    """Problems with images of which some are grey and some in colour."""
    files = {}
    for name in ("train/image", "test"):
        for file, facts in parts[name].items():
            if facts:
                files.setdefault(facts.kind.split()[1], file)
    if len(files) < 2:
        return []
    return [f"{files['RGB']}: is in colour, {files['grey']} is grey; save all images, also those of test/, alike."]


def check_duplicates(parts):
    """Problems with test images that are trained on: their scores would be worth nothing."""
    trained = {facts.digest: file for file, facts in parts["train/image"].items() if facts}
    return [
        f"{file}: is the training image {trained[facts.digest]} again; remove one of the two."
        for file, facts in parts["test"].items()
        if facts and facts.digest in trained
    ]


def check_values(labels, folder):
    """Problems with the values of labels: two, or a few more if they are classes."""
    values = {file: set(facts.counts) for file, facts in labels.items()}
    together = set().union(*values.values())
    if len(together) == 1:
        return [f"{folder}: all labels hold the one value {together.pop()}; two are needed, inside and membrane."]
    problems = []
    for file, found in values.items():
        if len(found) > MOST_CLASSES or (is_jpeg(file) and len(found) > 2):
            mend = "JPEG changes values; save labels as PNG" if is_jpeg(file) else "save labels as PNG, not smoothed"
            problems.append(f"{file}: holds {len(found)} values, {names(found)} and so on, a class each; {mend}.")
    return problems


def check_classes(parts, fraction, folder):
    """Problems with classes, of more than two, that the sections to be trained on do not hold."""
    labels = {file.stem: facts for file, facts in parts["train/label"].items() if facts}
    stems = [file.stem for file in parts["train/image"]]
    training, _ = data.split(len(stems), fraction)
    trained = set().union(*(labels[stem].counts for stem in stems[training] if stem in labels))
    held_out = set().union(*(facts.counts for facts in labels.values()))
    if len(held_out) <= 2:
        return []
    problems = []
    if held_out - trained:
        found = f"values {names(held_out - trained)} are only in the sections that are held out"
        problems.append(f"{folder / 'train/label'}: {found}; change their order, or --validation-fraction.")
    for file, facts in parts["test/label"].items():
        unknown = sorted(set(facts.counts) - held_out) if facts else []
        if unknown:
            problems.append(f"{file}: holds {names(unknown)}, which no label of {folder / 'train/label'} holds.")
    return problems


def names(values):
    """The first few values, or colours, of a label."""
    return ", ".join(formats.name_value(value) for value in sorted(values)[:4])


def is_jpeg(file):
    return file.suffix.lower() in (".jpg", ".jpeg")


def describe(folder, parts):
    """What there is in a dataset, in lines of text; `parts` as from `survey`."""
    lines = []
    for name, facts in parts.items():
        place = folder / name
        others = sum(file.is_file() and file not in facts for file in place.iterdir()) if place.is_dir() else 0
        good = [fact for fact in facts.values() if fact]
        sizes = Counter(f"{fact.size[0]}x{fact.size[1]}" for fact in good)
        kinds = Counter(fact.kind for fact in good)
        parts_of_line = [f"{len(facts)} files"]
        parts_of_line += [", ".join(f"{count} of {size}" for size, count in sizes.most_common(3))] if sizes else []
        if name.endswith("label") and good:
            counts = sum((Counter(fact.counts) for fact in good), Counter())
            total = sum(counts.values())
            shares = [f"{formats.name_value(value)}: {counts[value] / total:.1%}" for value in sorted(counts)[:8]]
            parts_of_line.append(", ".join(shares))
        elif kinds:
            parts_of_line.append(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
        if others:
            parts_of_line.append(f"{others} other files are ignored")
        lines.append(f"{name}: " + "; ".join(parts_of_line) + ".")
    return "\n".join(lines)
