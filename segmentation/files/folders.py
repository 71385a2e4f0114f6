"""Finding the images in folders, by their names, and telling them from what predict.py writes."""

import glob
import re
from pathlib import Path

from segmentation.files import images

SUFFIXES = tuple(images.READERS)
HDF5, ZARR = (".h5", ".hdf5", ".hdf"), (".zarr",)
PREDICTED, PROBABILITY, OBJECTS, ROIS = "_predict", "_probability", "_objects", "_rois"
UNCERTAINTY = "_uncertainty"
LABELS = "label"  # a folder of labels inside one of images
OF_SYSTEMS = {"thumbs.db", "desktop.ini", "__macosx", LABELS}


def find_images(folder, masks=False):
    """List the images of a folder and its sub-folders in natural order (2 before 10).

    Hidden files, sub-folders named label, and what predict.py writes are left out.

    Parameters
    ----------
    folder : path
    masks : bool
        Whether the masks that predict.py writes are taken too.

    Returns
    -------
    dict of str to Path
        Stem to file; of a file in a sub-folder with its path, such as patient1/s0.

    Raises
    ------
    ValueError
        If there is no such folder, or two images have one stem.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder.")
    found = {}
    for file in _walk(folder):
        if _is_image(file, masks):
            _add_image(found, find_stem(file, folder), file)
    return found


def find_written(folder, masks=False):
    """The images of a folder, and of its sub-folders, that are left out since predict.py writes such: list of Path."""
    return [file for file in _walk(Path(folder)) if images.find_suffix(file) in SUFFIXES and not _is_image(file, masks)]


def find_others(folder):
    """The files of a folder, and of its sub-folders, that are no images: list of Path, without those of systems."""
    written = (PROBABILITY, UNCERTAINTY, OBJECTS, ROIS)
    return [file for file in _walk(Path(folder)) if not _is_image(file, masks=True) and not file.stem.endswith(written)]


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
        files = {}
        for path in map(Path, paths):
            if path.is_dir():
                for stem, file in find_images(path).items():
                    _add_image(files, stem, file)
            # What was named is read whatever it is called; of many files only the images are.
            elif len(paths) == 1 or _is_image(path):
                _add_image(files, find_stem(path), path)
        if not files:
            raise ValueError(f"{pattern}: no images there ({', '.join(SUFFIXES)}).")
        for stem, file in files.items():
            if found.get(stem) != file:  # which may be named twice
                _add_image(found, stem, file)
    return found


def find_stem(file, folder=None):
    """A file's name without its suffix; with a folder, its path below that, with forward slashes."""
    name = file.name[: len(file.name) - len(images.find_suffix(file))]
    below = file.parent.relative_to(folder).as_posix() if folder else "."
    return name if below == "." else f"{below}/{name}"


def _walk(folder):
    """The files below a folder, in natural order, without those that systems leave and links that lead in circles."""
    for path in sorted(folder.iterdir(), key=_natural_order):
        if path.name[0] == "." or path.name.lower() in OF_SYSTEMS:
            continue
        if not path.is_dir() or has_suffix(path, ZARR):
            yield path
        elif path.resolve() not in (folder.resolve(), *folder.resolve().parents):
            yield from _walk(path)


def _is_image(file, masks=False):
    """Whether a file is an image by its name, not hidden, and not written by predict.py."""
    stem = find_stem(file)
    written = stem.endswith((PROBABILITY, UNCERTAINTY)) or (stem.endswith(PREDICTED) and not masks)
    written = written or (stem.endswith(OBJECTS) and file.with_suffix(".csv").exists())
    return images.find_suffix(file) in SUFFIXES and file.name[0] != "." and not written


def is_volume(path):
    """Whether a path is, by its name, a Zarr or an HDF5 file, or something in one."""
    return any(map(is_container, Path(path).parts))


def is_container(path):
    """Whether a path is, by its name, a Zarr or an HDF5 file itself."""
    return has_suffix(path, HDF5 + ZARR)


def has_suffix(path, suffixes):
    """Whether a name ends in one of the suffixes, in lower or upper case."""
    return Path(path).suffix.lower() in suffixes


def _add_image(found, stem, file):
    """Add a file to a dict by its stem, or raise ValueError if there is one of that stem."""
    if stem in found:
        raise ValueError(f"{file}: has the same stem as {found[stem]}; rename or remove one of the two.")
    found[stem] = file


def _natural_order(file):
    """Sort key that puts section2.png before section10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", Path(file).stem)]
