"""Finding the images in folders, by their names, and telling them from what predict.py writes."""

import glob
import re
from pathlib import Path

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
VOLUMES = (".zarr", ".h5", ".hdf5", ".hdf")
PREDICTED, PROBABILITY = "_predict", "_probability"


def find_images(folder):
    """List the images of a folder in natural order (2 before 10), without hidden files and what predict.py writes.

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
        If there is no such folder, or two images have one stem.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder.")
    found = {}
    for file in sorted(folder.iterdir(), key=natural_order):
        if is_image(file):
            add_image(found, file)
    return found


def find_inputs(patterns):
    """List the images that are meant by names of files and folders and by patterns such as `plate3/*.tif`.

    Parameters
    ----------
    patterns : list of str

    Returns
    -------
    dict of str to Path
        As from `find_images`.

    Raises
    ------
    ValueError
        If a name stands for nothing, or two images have one stem.
    """
    found = {}
    for pattern in patterns:
        places = [pattern]
        if not Path(pattern).exists():
            places = sorted(glob.glob(pattern, recursive=True), key=natural_order)  # noqa: PTH207 (Path's is relative)
        images = []
        for place in map(Path, places):
            images += find_images(place).values() if place.is_dir() else [place]
        # What was named is read whatever it is called; of many files only the images are.
        images = images if len(places) == 1 else list(filter(is_image, images))
        if not images:
            raise ValueError(f"{pattern}: no images there ({', '.join(SUFFIXES)}).")
        for file in images:
            add_image(found, file)
    return found


def is_image(file):
    """Whether a file is an image by its name, not hidden, and not written by predict.py."""
    written = file.stem.endswith((PREDICTED, PROBABILITY))
    return file.suffix.lower() in SUFFIXES and file.name[0] != "." and not written


def is_volume(place):
    """Whether a path is, by its name, a Zarr or an HDF5 file, or something in one."""
    return any(Path(part).suffix.lower() in VOLUMES for part in Path(place).parts)


def add_image(found, file):
    """Add a file to a dict by its stem, or raise ValueError if there is one of that stem."""
    if file.stem in found:
        raise ValueError(f"{file}: has the same stem as {found[file.stem]}; rename or remove one of the two.")
    found[file.stem] = file


def natural_order(file):
    """Sort key that puts section2.png before section10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", Path(file).stem)]
