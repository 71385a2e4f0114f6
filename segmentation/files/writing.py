"""Files that are written whole or not at all: masks, stacks of masks, probabilities, numbered objects, tables."""

import csv
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

TIFF = (".tif", ".tiff", ".lsm")


@contextmanager
def whole_file(path):
    """Give a temporary name beside `path` to write to; the file is moved to `path` only once it is whole.

    A run that is killed leaves the old file or the new one, never a part of one. The temporary name is hidden, and
    always the same, so that the next run takes it over.

    Raises
    ------
    OSError
        If it cannot be written; its `filename` is `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".unfinished-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_mask(path, mask, palette=None):
    """Write an array (height, width) of uint8 or uint16 as PNG, in grey or, with a palette, as its indices."""
    image = Image.fromarray(mask)
    if palette:
        image.putpalette(palette)
    with whole_file(path) as temporary:
        image.save(temporary, optimize=True)


def write_stack(path, stack, like, palette=None):
    """Write a stack that ImageJ lays over the one it belongs to.

    Parameters
    ----------
    path : Path
    stack : uint8, uint16 or float32 array (pages, height, width) or (pages, classes, height, width)
    like : Path
        The file it belongs to; of a TIFF the resolution is taken over.
    palette : sequence of int or None
        As for `write_mask`, of a stack of uint8.
    """
    imagej, resolution = {}, {}
    if like.suffix.lower() in TIFF:
        with tifffile.TiffFile(like) as tiff:
            page, imagej = tiff.pages[0], tiff.imagej_metadata or {}
            resolution = {"resolution": page.resolution, "resolutionunit": page.resolutionunit}
    metadata = {
        "axes": "ZYX" if stack.ndim == 3 else "ZCYX",
        **{name: imagej[name] for name in ("spacing", "unit") if name in imagej},
    }
    if "unit" in metadata:  # which is ASCII, with codes for other letters
        metadata["unit"] = "".join(c if c.isascii() else f"\\u{ord(c):04X}" for c in str(metadata["unit"]))
    colours = {}
    if palette:
        table = np.zeros((256, 3), np.uint16)
        table.ravel()[: len(palette)] = palette
        colours = {"photometric": "palette", "colormap": table.T * 257}  # of 16 bits
    with whole_file(path) as temporary:
        tifffile.imwrite(temporary, stack, imagej=True, metadata=metadata, **resolution, **colours)


def write_probability(path, maps, like):
    """Write probabilities, float32 (pages, height, width[, classes]), as TIFF with the classes as channels.

    One page is written alone, more as by `write_stack`, with the resolution of `like` if that is a TIFF.
    """
    maps = np.moveaxis(maps, 3, 1) if maps.ndim == 4 else maps
    if len(maps) > 1:
        write_stack(path, maps, like)
    else:
        with whole_file(path) as temporary:
            tifffile.imwrite(temporary, maps[0], compression="zlib", photometric="minisblack")


def write_table(file, rows, columns=None):
    """Write rows, dicts of the same keys, as a CSV file; `columns` are these keys where there may be no rows."""
    with whole_file(file) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        table = csv.DictWriter(opened, columns or rows[0])
        table.writeheader()
        table.writerows(rows)


def write_numbers(path, numbers, like):
    """Write numbered objects, integers (pages, height, width), as TIFF of uint16 or, if that is too small, of uint32.

    uint16 is written as by `write_stack`, with the resolution of `like` if that is a TIFF.
    """
    if numbers.max(initial=0) < 2**16:
        write_stack(path, numbers.astype(np.uint16), like)
    else:
        with whole_file(path) as temporary:
            tifffile.imwrite(temporary, numbers.astype(np.uint32), compression="zlib", photometric="minisblack")


def find_obstacle(folder):
    """What keeps files from being written to a folder that exists, or that would have to be made.

    Returns
    -------
    str or None
        A sentence; None if nothing does.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        return f"{existing}: cannot be written to ({error.strerror}); {folder} is needed for results."
    return None
