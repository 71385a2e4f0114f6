"""What is in a dataset, what is wrong with it, and how it is split.

Every problem is found at once, each with its file and its fix, before any work begins.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segmentation.files import folders, images, labels

MOST_CLASSES = 32


@dataclass(frozen=True)
class Facts:
    """What a check has to know of an image or a label.

    `size` is (height, width), `kind` the word for its channels, "grey" or "RGB", `digest` a fingerprint of its pixels,
    `counts` are a label's pixels by value, and `array` is what was decoded, if it is to be trained on.
    """

    size: tuple
    dtype: str
    kind: str
    digest: str
    counts: dict
    array: np.ndarray | None = None


@dataclass(frozen=True)
class Survey:
    """Everything that was found in a dataset.

    `parts` has "train/image", "train/label", "test" and "test/label": the `Facts` by file, None for what cannot be
    read. `problems` are sentences: with files by themselves, with pairs, and with duplicates.
    """

    folder: Path
    parts: dict
    problems: list


def survey(folder, keep=False):
    """Look at every file of a dataset, each decoded once: a `Survey`.

    With `keep` it holds the arrays of train/ too, to be trained on.
    """
    folder = Path(folder)
    if not folder.is_dir():
        missing = f"{folder}: no such folder; a dataset is a folder with train/image and train/label in it."
        return Survey(folder, {name: {} for name in LOOK}, [missing])
    problems, parts = [], {}
    for name, look in LOOK.items():
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
                facts = look(file)
                parts[name][file] = facts if keep and name.startswith("train") else replace(facts, array=None)
            except ValueError as error:
                parts[name][file] = None
                problems.append(str(error))
        if name.startswith("train") and not files:
            problems.append(f"{folder / name}: no images in it ({', '.join(folders.SUFFIXES)}).")
    problems += _check_pairs(folder, "train/image", "train/label", parts)
    problems += _check_pairs(folder, "test", "test/label", parts)
    return Survey(folder, parts, problems + _check_kinds(parts) + _check_duplicates(parts))


def find_problems(found, fraction, crop):
    """List everything that keeps a dataset from being trained on.

    Parameters
    ----------
    found : Survey
    fraction : float
        The share of the sections to be held out.
    crop : int
        The side of a training crop in pixels; no image may be smaller.

    Returns
    -------
    list of str
        One sentence a problem, each with its file and a fix; empty if there is none.
    """
    problems, trained = list(found.problems), found.parts["train/image"]
    small = [(facts.size, file) for file, facts in trained.items() if facts and min(facts.size) < crop]
    if small:
        (height, width), file = min(small)
        fault = f"its {height}x{width} pixels are less than --crop {crop}"
        problems.append(f"{file}: {fault}, as in {len(small)} of {len(trained)} images.")
    if trained and hold_out(len(trained), fraction)[0].stop < 1:
        problems.append(
            f"{found.folder / 'train/image'}: {len(trained)} images cannot be split with "
            f"--validation-fraction {fraction}; at least one has to be trained on and one held out."
        )
    return problems + _check_classes(found, fraction)


def hold_out(count, fraction):
    """Hold out the last `fraction` of `count` sections: a block, since neighbouring sections resemble each other.

    Returns
    -------
    training, held_out : slice
    """
    first = count - max(1, round(count * fraction))
    return slice(0, first), slice(first, count)


def describe(found):
    """What there is in a dataset, in lines of text; `found` as from `survey`."""
    lines = []
    for name, files in found.parts.items():
        folder = found.folder / name
        others = sum(file.is_file() and file not in files for file in folder.iterdir()) if folder.is_dir() else 0
        good = [facts for facts in files.values() if facts]
        sizes = Counter(f"{facts.size[0]}x{facts.size[1]}" for facts in good)
        clauses = [f"{len(files)} files"]
        clauses += [", ".join(f"{count} of {size}" for size, count in sizes.most_common(3))] if sizes else []
        if name.endswith("label") and good:
            counts = sum((Counter(facts.counts) for facts in good), Counter())
            total = sum(counts.values())
            shares = [f"{labels.name_value(value)}: {counts[value] / total:.1%}" for value in sorted(counts)[:8]]
            clauses.append(", ".join(shares))
        elif good:
            kinds = Counter(f"{facts.dtype} {facts.kind}" for facts in good)
            clauses.append(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
        if others:
            clauses.append(f"{others} other files are ignored")
        lines.append(f"{name}: " + "; ".join(clauses) + ".")
    return "\n".join(lines)


def _look_at_image(file):
    """The `Facts` of an image to train on; ValueError if it cannot be used."""
    array = images.read_array(file)
    return replace(_find_facts(array[np.newaxis], file), array=array)


def _look_at_pages(file):
    """The `Facts` of an image or a stack to predict; ValueError if it cannot be used."""
    return _find_facts(images.read_pages(file), file)


def _find_facts(pages, file):
    """The `Facts` of images (pages, height, width) or (pages, height, width, 3)."""
    images.check_range(pages, file)
    kind = "grey" if pages.ndim == 3 else "RGB"
    return Facts(size=pages.shape[1:3], dtype=str(pages.dtype), kind=kind, digest=_digest(pages[0]), counts={})


def _look_at_label(file):
    """The `Facts` of a label; ValueError if it cannot be used."""
    label = labels.read_label(file)
    counts = dict(zip(*(part.tolist() for part in np.unique(label, return_counts=True)), strict=True))
    return Facts(
        size=label.shape, dtype=str(label.dtype), kind="label", digest=_digest(label), counts=counts, array=label
    )


LOOK = {
    "train/image": _look_at_image,
    "train/label": _look_at_label,
    "test": _look_at_pages,
    "test/label": _look_at_label,
}


def _digest(array):
    """A fingerprint of an array's values."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.float64)).hexdigest()


def _check_pairs(folder, image_part, label_part, parts):
    """Problems between images and the labels that belong to them, and with the labels' values."""
    if not (parts[image_part] and parts[label_part]):
        return []
    problems, good = [], {}
    image_files = {file.stem: file for file in parts[image_part]}
    label_stems = {file.stem for file in parts[label_part]}
    if image_part != "test":  # a test image needs no label
        unlabelled = [file for stem, file in image_files.items() if stem not in label_stems]
        problems += [f"{file}: has no label in {folder / label_part}." for file in unlabelled]
    for file, label in parts[label_part].items():
        image = parts[image_part].get(image_files.get(file.stem))
        if file.stem not in image_files:
            problems.append(f"{file}: has no image in {folder / image_part}.")
        elif label and image and label.size != image.size:
            problems.append(f"{file}: its size {label.size} is not that of its image, {image.size}.")
        elif label and image and label.digest == image.digest and len(label.counts) > 2:
            problems.append(f"{file}: is the image itself; put its label there.")
            continue
        if label:
            good[file] = label
    return problems + _check_values(good, folder / label_part)


def _check_kinds(parts):
    """Problems with images of which some are grey and some in colour."""
    first = {}
    for name in ("train/image", "test"):
        for file, facts in parts[name].items():
            if facts:
                first.setdefault(facts.kind, file)
    if len(first) < 2:
        return []
    return [f"{first['RGB']}: is in colour, {first['grey']} is grey; save all images, also those of test/, alike."]


def _check_duplicates(parts):
    """Problems with test images that are trained on: their scores would be worth nothing."""
    trained = {facts.digest: file for file, facts in parts["train/image"].items() if facts}
    return [
        f"{file}: is the training image {trained[facts.digest]} again; remove one of the two."
        for file, facts in parts["test"].items()
        if facts and facts.digest in trained
    ]


def _check_values(good, folder):
    """Problems with the values of labels: two, or a few more if they are classes."""
    values = {file: set(facts.counts) for file, facts in good.items()}
    together = set().union(*values.values())
    if len(together) == 1:
        return [f"{folder}: all labels hold the one value {together.pop()}; two are needed, inside and membrane."]
    problems = []
    for file, found in values.items():
        is_jpeg = file.suffix.lower() in (".jpg", ".jpeg")
        if len(found) > MOST_CLASSES or (is_jpeg and len(found) > 2):
            fix = "JPEG changes values; save labels as PNG" if is_jpeg else "save labels as PNG, not smoothed"
            named = labels.name_values(found)
            problems.append(f"{file}: holds {len(found)} values, {named} and so on, a class each; {fix}.")
    return problems


def _check_classes(found, fraction):
    """Problems with classes, of more than two, that the sections to be trained on do not hold."""
    good = {file.stem: facts for file, facts in found.parts["train/label"].items() if facts}
    stems = [file.stem for file in found.parts["train/image"]]
    training, _ = hold_out(len(stems), fraction)
    trained = set().union(*(good[stem].counts for stem in stems[training] if stem in good))
    everywhere = set().union(*(facts.counts for facts in good.values()))
    if len(everywhere) <= 2:
        return []
    problems, folder = [], found.folder / "train/label"
    if everywhere - trained:
        only = f"values {labels.name_values(everywhere - trained)} are only in the sections that are held out"
        problems.append(f"{folder}: {only}; change their order, or --validation-fraction.")
    for file, facts in found.parts["test/label"].items():
        unknown = set(facts.counts) - everywhere if facts else set()
        if unknown:
            problems.append(f"{file}: holds {labels.name_values(unknown)}, which no label of {folder} holds.")
    return problems
