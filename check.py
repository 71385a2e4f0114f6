"""Check a dataset and its options before work: every problem at once, each with its file and its mend."""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import data


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
    train, test = folder / "train", folder / "test"
    problems, sizes = check_pairs(train / "image", train / "label")
    small = [(size, file) for file, size in sizes.items() if min(size) < crop]
    if small:
        size, file = min(small)
        problems.append(
            f"{file}: its {size[0]}x{size[1]} pixels are less than --crop {crop}, in {len(small)} images so."
        )
    if sizes and not 1 <= round(len(sizes) * fraction) < len(sizes):
        problems.append(
            f"{train / 'image'}: {len(sizes)} images cannot be split with --validation-fraction {fraction}; "
            "at least one has to be trained on and one held out."
        )
    if (test / "label").is_dir():
        problems += check_pairs(test, test / "label")[0]
    elif test.is_dir():
        problems += check_arrays(data.find_images(test).values())[1]
    return problems


def check_pairs(image_folder, label_folder):
    """Problems of a folder of images and of their labels, and the sizes of the images by file."""
    missing = [f"{folder}: no such folder." for folder in (image_folder, label_folder) if not folder.is_dir()]
    if missing:
        return missing, {}
    images, labels = data.find_images(image_folder), data.find_images(label_folder)
    problems = [f"{images[stem]}: has no label in {label_folder}." for stem in images if stem not in labels]
    problems += [f"{labels[stem]}: has no image in {image_folder}." for stem in labels if stem not in images]
    if not images and not labels:
        problems.append(f"{image_folder}: no images in it ({', '.join(data.SUFFIXES)}).")
    image_values, image_problems = check_arrays(images.values())
    label_values, label_problems = check_arrays(labels.values())
    problems += image_problems + label_problems
    sizes = {file: size for file, (size, _) in image_values.items()}
    for stem in images.keys() & labels.keys():
        size, (label_size, _) = sizes.get(images[stem]), label_values.get(labels[stem], (None, None))
        if size and label_size and size != label_size:
            problems.append(f"{labels[stem]}: its size {label_size} is not that of its image, {size}.")
    problems += check_label_values({file: values for file, (_, values) in label_values.items()}, label_folder)
    return problems, sizes


def check_arrays(files):
    """Sizes and values of the files that can be read, and the problems of the others."""
    found, problems = {}, []
    for file in files:
        try:
            array = data.read_array(file)
            found[file] = array.shape, set(np.unique(array).tolist())
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def check_label_values(values, folder):
    """Problems with the values of labels, which have to be two in all."""
    together = set().union(*values.values())
    if not values or len(together) == 2:
        return []
    if len(together) == 1:
        return [f"{folder}: all labels hold the one value {together.pop()}; two are needed, inside and membrane."]
    many = [file for file in values if len(values[file]) > 2]
    if not many:
        return [f"{folder}: the labels hold {sorted(together)} between them; two values are needed."]
    mend = "two are needed, inside and membrane. Labels must be saved without loss (no JPEG) and without smoothing."
    return [f"{file}: holds {len(values[file])} values, {sorted(values[file])[:4]} and so on; {mend}" for file in many]


def writable(folder):
    """Problems with writing to a folder that exists, or that would have to be made."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        return [f"{existing}: cannot be written to ({error.strerror}); {folder} is needed for results."]
    return []


def positive(text):
    """An int above 0, for argparse."""
    if int(text) <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return int(text)


def rate(text):
    """A float above 0, for argparse."""
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return float(text)
