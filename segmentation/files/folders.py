"""Finding the images in folders, by their names, and telling them from what predict.py writes."""

import glob
import re
from pathlib import Path

from segmentation.files import images

SUFFIXES = tuple(images.READERS)
HDF5, ZARR = (".h5", ".hdf5", ".hdf"), (".zarr",)
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
    for file in sorted(folder.iterdir(), key=_natural_order):
        if _is_image(file):
            _add_image(found, file)
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
        paths = [pattern]
        if not Path(pattern).exists():
            paths = sorted(glob.glob(pattern, recursive=True), key=_natural_order)  # noqa: PTH207 (Path's is relative)
        files = []
        for path in map(Path, paths):
            files += find_images(path).values() if path.is_dir() else [path]
        # What was named is read whatever it is called; of many files only the images are.
        files = files if len(paths) == 1 else list(filter(_is_image, files))
        if not files:
            raise ValueError(f"{pattern}: no images there ({', '.join(SUFFIXES)}).")
        for file in files:
            _add_image(found, file)
    return found


def _is_image(file):
    """Whether a file is an image by its name, not hidden, and not written by predict.py."""
    written = file.stem.endswith((PREDICTED, PROBABILITY))
    return has_suffix(file, SUFFIXES) and file.name[0] != "." and not written


def is_volume(path):
    """Whether a path is, by its name, a Zarr or an HDF5 file, or something in one."""
    return any(has_suffix(part, HDF5 + ZARR) for part in Path(path).parts)


def has_suffix(path, suffixes):
    """Whether a name ends in one of the suffixes, in lower or upper case."""
    return Path(path).suffix.lower() in suffixes


def _add_image(found, file):
    """Add a file to a dict by its stem, or raise ValueError if there is one of that stem."""
    if file.stem in found:
        raise ValueError(f"{file}: has the same stem as {found[file.stem]}; rename or remove one of the two.")
    found[file.stem] = file


def _natural_order(file):
    """Sort key that puts section2.png before section10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", Path(file).stem)]
