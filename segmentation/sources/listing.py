"""What is in the folders of others: images by stem, sub-folders by their names."""

import re
from pathlib import Path

from segmentation.files import folders, images


def list_folders(folder):
    """The folders in a folder, without hidden ones and those of systems."""
    places = sorted(place for place in Path(folder).iterdir() if place.is_dir())
    return [place for place in places if place.name[0] != "." and place.name.lower() not in ("__macosx",)]


def find_folder(folder, names):
    """The folder in a folder that has one of the names, in upper or lower case, or None.

    Raises
    ------
    ValueError
        If several have, and hold images.
    """
    found = [place for place in list_folders(folder) if re.sub("[ _-]", "", place.name.lower()) in names]
    if len(found) > 1:
        found = list(filter(holds_images, found)) or found[:1]
    if len(found) > 1:
        text = " and ".join(place.name for place in found)
        raise ValueError(f"{folder}: {text} may be meant both; rename or remove one of the two.")
    return found[0] if found else None


def holds_images(folder):
    """Whether there is an image in a folder, or below it."""
    return any(images.find_suffix(file) in images.READERS for file in Path(folder).rglob("*"))


def list_files(folder, masks=False):
    """The images in a folder and its sub-folders by stem, with `masks` also those that predict.py writes.

    There are none if there is no such folder.
    """
    return folders.find_images(folder, masks) if folder and folder.is_dir() else {}


def list_json(folder, depth=2):
    """The JSON files in a folder, and in its sub-folders down to a depth, without hidden ones, in order."""
    files = sorted(file for file in folder.glob("*.json") if file.name[0] != ".")
    return files + [file for place in list_folders(folder) if depth for file in list_json(place, depth - 1)]


def read_lines(file):
    """The lines of a text file that are not blank, without what is around them, or ValueError with its name."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{file}: is no text in UTF-8; save it so.") from None
    return [line.strip() for line in lines if line.strip()]


def walk(folder):
    """All images below a folder, whatever they are called, in order, without those in hidden folders."""
    files = [file for file in sorted(Path(folder).rglob("*")) if images.find_suffix(file) in images.READERS]
    hidden = re.compile(r"(^|/)(\.|__macosx/)", re.IGNORECASE)
    return [file for file in files if not hidden.search(file.relative_to(folder).as_posix())]


def list_here(folder):
    """The images in a folder by stem, without those in its sub-folders; of two of one stem the last."""
    files = sorted(file for file in folder.iterdir() if images.find_suffix(file) in images.READERS)
    return {folders.find_stem(file): file for file in files if file.name[0] != "."}


def enter(folder):
    """The folder in which files lie: itself, or the one folder in it, such as that of an archive."""
    while folder and folder.is_dir():
        seen = [path for path in folder.iterdir() if path.name[0] != "." and path.name.lower() != "__macosx"]
        if len(seen) != 1 or not seen[0].is_dir():
            break
        folder = seen[0]
    return folder


def split_by_suffix(files, suffix):
    """Files by stem as (images, labels), where a label has the stem of its image and a suffix; both by that stem."""
    found = {stem.removesuffix(suffix): file for stem, file in files.items() if stem.endswith(suffix)}
    return {stem: file for stem, file in files.items() if not stem.endswith(suffix)}, found
