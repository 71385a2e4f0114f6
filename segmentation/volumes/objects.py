"""Objects of a volume's mask, numbered and measured section by section."""

import csv
import shutil

import numpy as np
import zarr
from tqdm import tqdm

from segmentation.files import classes, folders, images, writing
from segmentation.prediction import objects
from segmentation.volumes import chunks, reading

UNITS = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm"}  # OME-Zarr's words


def write_objects(text, out, job, smallest=None, axes=None):
    """Write the objects of a volume's mask: a Zarr of uint32 beside it, NAME_objects.zarr, and NAME_objects.csv.

    Parameters
    ----------
    text, axes
        The volume, as for `chunks.write_volume`.
    out : Path
        The mask, as that has written it.
    job : chunks.Job
    smallest : int or None
        As for `masks.Request`.

    Returns
    -------
    int
        How many there are; they are numbered on from section to section.
    """
    network, settings = chunks.load(job)
    smallest = settings.smallest if smallest is None else smallest
    volume, mask = reading.find_volume(text, network.input_shape[-1], axes), zarr.open_group(out, mode="r")["0"]
    pixel, kinds = _find_pixel_size(volume), classes.find_kinds(settings.titles)
    name, count = out.name.removesuffix(".zarr") + folders.OBJECTS, 0
    target = out.with_name(f"{name}.zarr")
    temporary = out.with_name(f".unfinished-{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    numbered = chunks.make_target(volume, temporary, {}, np.dtype("uint32"), mask.chunks[-1])
    order = np.argsort(settings.values)
    file = out.with_name(f"{name}.csv")
    with writing.whole_file(file) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as opened:
        table = None
        for position in tqdm(list(np.ndindex(*mask.shape[:-2])), desc="Objects", unit="section"):
            numbered_classes = order[np.searchsorted(settings.values, mask[position], sorter=order)]
            section = reading.Section(volume, position)[:, :]
            numbers, found = objects.number_objects(numbered_classes, kinds, smallest, first=count + 1)
            place = dict(zip(volume.leading, position, strict=True))
            if table is None:
                table = csv.DictWriter(opened, place | objects.list_columns(section, settings, pixel))
                table.writeheader()
            table.writerows(place | row for row in objects.measure_objects(numbers, found, section, settings, pixel))
            numbered[position] = numbers
            count += len(found)
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)
    return count


def _find_pixel_size(volume):
    """The size of a pixel, as from `images.read_pixel_size`, where the volume tells it."""
    rows, columns = (volume.axes.index(axis) for axis in reading.SECTION)
    unit = volume.units[rows]
    if not unit or unit != volume.units[columns]:
        return images.read_pixel_size(volume.path)
    return volume.scale[rows], volume.scale[columns], UNITS.get(unit, unit)
