"""Check a dataset and its options before work: every problem at once, each with its file and its mend."""

import argparse
import inspect
import tempfile
from pathlib import Path

import keras
import numpy as np

import data
import formats
import metrics
import model
import record


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
    train, test = folder / "train", folder / "test"
    problems, images = check_pairs(train / "image", train / "label")
    labels = formats.find_images(train / "label") if (train / "label").is_dir() else {}
    problems += [f"{file}: has no label in {train / 'label'}." for file in images if file.stem not in labels]
    small = [(array.shape, file) for file, array in images.items() if min(array.shape) < crop]
    if small:
        (height, width), file = min(small)
        problems.append(f"{file}: its {height}x{width} pixels are less than --crop {crop}, in {len(small)} images so.")
    if images and data.split(len(images), fraction)[0].stop < 1:
        problems.append(
            f"{train / 'image'}: {len(images)} images cannot be split with --validation-fraction {fraction}; "
            "at least one has to be trained on and one held out."
        )
    if (test / "label").is_dir():
        problems += check_pairs(test, test / "label")[0]
    elif test.is_dir():
        problems += read_all(formats.find_images(test).values())[1]
    return problems


def check_pairs(image_folder, label_folder):
    """Problems of a folder of images and of the labels that belong to them, and the images' arrays by file."""
    missing = [f"{folder}: no such folder." for folder in (image_folder, label_folder) if not folder.is_dir()]
    if missing:
        return missing, {}
    image_files, label_files = formats.find_images(image_folder), formats.find_images(label_folder)
    images, problems = read_all(image_files.values())
    labels, label_problems = read_all(label_files.values())
    problems += label_problems
    if not image_files:
        problems.append(f"{image_folder}: no images in it ({', '.join(formats.SUFFIXES)}).")
    for stem, file in label_files.items():
        if stem not in image_files:
            problems.append(f"{file}: has no image in {image_folder}.")
        elif file in labels and image_files[stem] in images:
            size, expected = labels[file].shape, images[image_files[stem]].shape
            if size != expected:
                problems.append(f"{file}: its size {size} is not that of its image, {expected}.")
    return problems + check_label_values(labels, label_folder), images


def read_all(files):
    """Arrays of the files that can be read, by file, and the problems of the others."""
    arrays, problems = {}, []
    for file in files:
        try:
            arrays[file] = formats.read_array(file)
        except ValueError as error:
            problems.append(str(error))
    return arrays, problems


def check_label_values(labels, folder):
    """Problems with the values of labels, which have to be two in all."""
    values = {file: set(np.unique(label).tolist()) for file, label in labels.items()}
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


class Learning(keras.callbacks.Callback):
    """Say so, in one line, if the network has learned nothing in its first epoch.

    Parameters
    ----------
    sections : batches.Sections
        What is held out.
    """

    def __init__(self, sections):
        super().__init__()
        self.sections = sections

    def on_epoch_end(self, epoch, logs=None):
        if epoch > 0:
            return
        constant = np.mean([metrics.constant_accuracy(label) for label in self.sections.labels])
        answers = self.model.predict_on_batch(self.sections[0][0])
        if logs["val_accuracy"] <= constant or np.ptp(answers) < 0.01:
            print(
                f"\nNothing learned in the first epoch: accuracy {logs['val_accuracy']:.4f} on what is held out, where "
                f"one answer for every pixel has {constant:.4f}. Likely causes: labels that do not belong to their "
                "images, a --learning-rate too high or too low, too few --steps-per-epoch. Going on."
            )


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
