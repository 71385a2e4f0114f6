"""Check a dataset and its options before work: every problem at once, each with its file and its mend."""

import argparse
import hashlib
import inspect
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

import data
import formats
import model
import record

MOST_CLASSES = 32


class Facts(NamedTuple):
    """What a check has to know of an image or a label."""

    size: tuple
    kind: str  # "uint8 grey", "uint16 RGB"
    digest: str  # of the pixels
    counts: dict  # of a label: pixels by value


def everything(arguments):
    """List everything that would stop a run of main.py, before it starts."""
    problems = dataset(arguments.data, arguments.validation_fraction, arguments.crop)
    problems += writable(arguments.run) + writable(arguments.data / "test")
    if arguments.crop % 2**arguments.depth:
        problems.append(f"--crop {arguments.crop}: not divisible by 2^{arguments.depth}, as --depth needs.")
    if arguments.resume:
        problems += record.find_differences(arguments.run, vars(arguments))
    return problems


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
    for name in ("train/image", "train/label", "test", "test/label"):
        parts[name] = {}
        if name.startswith("test") and not (folder / name).is_dir():
            continue
        try:
            files = formats.find_images(folder / name).values()
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        for file in files:
            try:
                parts[name][file] = look_at_label(file) if name.endswith("label") else look_at_image(file)
            except ValueError as error:
                parts[name][file] = None
                problems.append(str(error))
        if name.startswith("train") and not files:
            problems.append(f"{folder / name}: no images in it ({', '.join(formats.SUFFIXES)}).")
    for images, labels in (("train/image", "train/label"), ("test", "test/label")):
        if parts[images] and parts[labels]:
            problems += check_pairs(folder, images, labels, parts)
    return parts, problems + check_kinds(parts) + check_duplicates(parts)


def look_at_image(file):
    """The `Facts` of an image; ValueError if it cannot be used."""
    array = formats.read_array(file)
    data.check_range(array, file)
    return Facts(array.shape[:2], f"{array.dtype} {'grey' if array.ndim == 2 else 'RGB'}", digest(array), {})


def look_at_label(file):
    """The `Facts` of a label; ValueError if it cannot be used."""
    label = formats.read_label(file)
    counts = dict(zip(*(part.tolist() for part in np.unique(label, return_counts=True)), strict=True))
    return Facts(label.shape, "label", digest(label), counts)


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
            problems.append(f"{file}: holds {len(found)} values, {sorted(found)[:4]} and so on, a class each; {mend}.")
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
    problems = [
        f"{folder / 'train/label'}: value {value} is only in the sections that are held out; change their order, or "
        "--validation-fraction."
        for value in sorted(held_out - trained)
    ]
    for file, facts in parts["test/label"].items():
        unknown = sorted(set(facts.counts) - held_out) if facts else []
        if unknown:
            problems.append(f"{file}: holds {unknown[:4]}, which no label of {folder / 'train/label'} holds.")
    return problems


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
            parts_of_line.append(
                ", ".join(f"{value}: {count / total:.1%}" for value, count in sorted(counts.items())[:8])
            )
        elif kinds:
            parts_of_line.append(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
        if others:
            parts_of_line.append(f"{others} other files are ignored")
        lines.append(f"{name}: " + "; ".join(parts_of_line) + ".")
    return "\n".join(lines)


def writable(folder):
    """Problems with writing to a folder that exists, or that would have to be made."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        return [f"{existing}: cannot be written to ({error.strerror}); {folder} is needed for results."]
    return []


def architectures():
    """Names of the functions of model.py that build a network: those with a `depth`."""
    functions = inspect.getmembers(model, inspect.isfunction)
    return [name for name, function in functions if "depth" in inspect.signature(function).parameters]


def positive(text):
    """An int above 0, for argparse."""
    if int(text) <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return int(text)


def natural(text):
    """An int of 0 or more, for argparse."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, found {text}")
    return int(text)


def share(text):
    """A float between 0 and 1, for argparse."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, found {text}")
    return float(text)


def rate(text):
    """A float above 0, for argparse."""
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return float(text)
