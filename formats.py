"""Image files: finding them, reading them as arrays, writing masks and other files whole."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".png",)
PREDICTED = "_predict"


def find_images(folder):
    """List the images of a folder in natural order (2 before 10), without hidden files and predictions.

    Parameters
    ----------
    folder : path

    Returns
    -------
    dict of str to Path
        Stem to file.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder.")
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and file.name[0] != "." and not file.stem.endswith(PREDICTED)
    ]
    return {file.stem: file for file in sorted(files, key=natural_order)}


def natural_order(file):
    """Sort key that puts section2.png before section10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", Path(file).stem)]


def read_array(file):
    """Read a file as it is: a uint8 array (height, width).

    Raises
    ------
    ValueError
        If the file is no 8-bit grey image, or damaged; says which file.
    """
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: cannot be read as an image ({error}).") from None
    if image.mode not in ("1", "L"):
        raise ValueError(f"{file}: expected an 8-bit grey image, found mode {image.mode}; convert it to 8-bit grey.")
    return np.asarray(image.convert("L"))


@contextmanager
def whole_file(path):
    """Give a temporary name beside `path` to write to; the file is moved to `path` only once it is whole.

    A run that is killed leaves the old file or the new one, never a part of one.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_mask(path, mask):
    """Write a bool array (height, width) as an 8-bit PNG of 0 and 255."""
    with whole_file(path) as temporary:
        Image.fromarray(np.uint8(mask) * np.uint8(255)).save(temporary, optimize=True)
