"""Outlines, run lengths and masks, as annotation tools write them in JSON, drawn as labels: COCO, LabelMe."""

import base64
import binascii
import csv
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import draw

from segmentation.files import classes

CORNERS = 64  # of a circle


def read_json(file):
    """What a JSON file holds, or ValueError with its name."""
    try:
        return json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read as JSON ({' '.join(str(error).split())}).") from None


def look_at_json(file):
    """What a JSON file holds if that is a dict, or else an empty one: of files that may be anything."""
    try:
        said = read_json(file)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def read_classes(file):
    """The classes of a CSV file: dict of name to colour, such as "#ff8000", or to value; empty if it is no such table.

    Its columns are name, r, g, b, as of CamVid's and DeepGlobe's class_dict.csv, or Pixel Value, Class, as Roboflow's.
    """
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as opened:
            rows = [{str(key).strip().lower(): cell for key, cell in row.items()} for row in csv.DictReader(opened)]
        if rows and {"name", "r", "g", "b"} <= set(rows[0]):
            found = {row["name"].strip(): "#" + bytes(int(row[channel]) for channel in "rgb").hex() for row in rows}
        elif rows and {"pixel value", "class"} <= set(rows[0]):
            found = {row["class"].strip(): int(row["pixel value"]) for row in rows}
        else:
            return {}
    except (ValueError, AttributeError, TypeError, csv.Error):  # cells that are no text or no numbers
        return {}
    whole = "" not in found and len(found) == len(set(found.values())) == len(rows)
    return found if whole else {}


def check_coco(said, file):
    """Refuse what COCO's JSON has to hold and this one does not: ValueError with its name.

    Whole numbers that are stored as floats become int, names that are numbers text, and entries that are there twice
    are taken once, in place.
    """
    needed = {
        "images": {"id": int | str, "file_name": str, "height": int, "width": int},
        "annotations": {"image_id": int | str, "category_id": int | str},
        "categories": {"id": int | str, "name": str},
    }
    for name, keys in needed.items():
        entries = said[name]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f"{file}: expected a list of {name}, as COCO has it.")
        for entry in entries:
            entry |= {key: int(entry[key]) for key in keys if isinstance(entry.get(key), float) and entry[key] % 1 == 0}
            if name == "categories" and isinstance(entry.get("name"), int):
                entry["name"] = str(entry["name"])
            missing = [key for key in keys if entry.get(key) in (None, "")]
            if missing:
                fix = "add it." if name == "categories" else "is it COCO's of outlines?"
                raise ValueError(f"{file}: one of its {name} has no {missing[0]}; {fix}")
            wrong = [key for key, kind in keys.items() if not isinstance(entry[key], kind)]
            if wrong:
                raise ValueError(f"{file}: one of its {name} has the {wrong[0]} {entry[wrong[0]]!r}; correct it.")
    said["images"] = list({json.dumps(one, sort_keys=True): one for one in said["images"]}.values())
    if len({str(one["id"]) for one in said["images"]}) < len(said["images"]):
        raise ValueError(f"{file}: two of its images have one id, so that outlines are of none; number them anew.")
    for entry in said["annotations"]:
        runs = entry.get("segmentation")
        if isinstance(runs, dict) and not {"size", "counts"} <= set(runs):
            raise ValueError(f"{file}: annotation {entry.get('id')} has run lengths without size or counts.")
    known = {category["id"] for category in said["categories"]}
    unknown = {entry["category_id"] for entry in said["annotations"]} - known
    if unknown:
        raise ValueError(
            f"{file}: an annotation has the category {min(unknown, key=str)}, which is not among its categories."
        )


def sort_coco(said, file):
    """The annotations of COCO's JSON by the id of their image, as text; and what was left out.

    Returns
    -------
    drawn : dict of str to list of dict
    boxed : set of str
        Images with an object that has a box and no outline.
    orphans : list of dict
        Annotations of an image that is not listed.

    Raises
    ------
    ValueError
        If no object has an outline, or outlines are no pixels of their images.
    """
    sizes = {str(one["id"]): (one["width"], one["height"]) for one in said["images"]}
    drawn, boxed, orphans, outside, largest = {}, set(), [], [], 0.0
    for one in said["annotations"]:
        image, shape = str(one["image_id"]), one.get("segmentation")
        if image not in sizes:
            orphans.append(one)
        elif not shape or (isinstance(shape, list) and not any(shape)):
            boxed.add(image)
        else:
            drawn.setdefault(image, []).append(one)
            if isinstance(shape, list):
                try:
                    low, high = _find_box(shape)
                except (ValueError, TypeError):
                    text = "has an outline that is no list of lists of x and y"
                    raise ValueError(f"{file}: annotation {one.get('id')} {text}.") from None
                largest = max(largest, *high)
                if min(high) < 0 or low[0] > sizes[image][0] or low[1] > sizes[image][1]:
                    outside.append(image)
    if said["annotations"] and not drawn:
        lacking = "an outline" if boxed else "an image that is listed"
        raise ValueError(f"{file}: none of its {len(said['annotations'])} annotations has {lacking}.")
    if boxed >= drawn.keys() and drawn:
        raise ValueError(f"{file}: in every image of it an object has a box and no outline; outline all objects.")
    outlines = any(isinstance(one["segmentation"], list) for found in drawn.values() for one in found)
    if outlines and largest <= 1:
        raise ValueError(f"{file}: its outlines go from 0 to {largest:g}, which are no pixels; multiply them.")
    if outside:
        text = f"outlines of {len(outside)} objects lie outside of their images"
        raise ValueError(f"{file}: {text}, as of image {outside[0]}; were they drawn on images of another size?")
    return drawn, boxed, orphans


def _find_box(outlines):
    """The lowest and the highest x and y of outlines: two arrays of two."""
    points = np.concatenate([np.asarray(outline, float).reshape(-1, 2) for outline in outlines])
    return points.min(0), points.max(0)


def read_embedded(text):
    """An image, or a mask, that JSON holds as text: array (height, width) or (height, width, channels).

    Raises
    ------
    ValueError
        If it cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            image.load()
    except (binascii.Error, OSError, TypeError) as error:
        raise ValueError(f"its embedded image cannot be decoded ({type(error).__name__})") from None
    return np.asarray(image if image.mode in ("1", "L", "I;16") else image.convert("RGB"))


def draw_objects(objects, size):
    """Draw objects into a label, later ones over earlier ones.

    Between objects of one value that touch, a border one pixel wide stays 0, as by `classes.part_objects`.

    Parameters
    ----------
    objects : list of (int, shape)
        The value of each, and its shape: a list of outlines, each an array (points, 2) of x and y in pixels from the
        upper left corner of the image; the run lengths of COCO, a dict; or the rows and columns of its pixels.
    size : (int, int)
        Height and width.

    Returns
    -------
    array (height, width) of integers, 0 where no object is
    """
    values, numbers = np.zeros((2, *size), np.int64)
    for number, (value, shape) in enumerate(objects, start=1):
        places = shape
        if not isinstance(shape, tuple):
            places = _fill_runs(shape, size) if isinstance(shape, dict) else _fill_outlines(shape, size)
        values[places], numbers[places] = value, number
    label = np.zeros(size, np.int64)
    for value in np.unique(values[numbers > 0]):
        label[classes.part_objects(np.where(values == value, numbers, 0))] = value
    return label


def _fill_outlines(outlines, size):
    """The pixels that have their middle inside one of the outlines: arrays of rows and of columns."""
    filled = []
    for outline in outlines:
        x, y = np.asarray(outline, float).reshape(-1, 2).T
        filled.append(draw.polygon(y - 0.5, x - 0.5, size))
    return tuple(np.concatenate(places) for places in zip(*filled, strict=True)) if filled else ([], [])


def _fill_runs(runs, size):
    """The pixels inside COCO's run lengths, which go column by column and begin outside: arrays of rows and columns."""
    height, width = runs["size"]
    counts = runs["counts"]
    counts = _read_counts(counts) if isinstance(counts, str) else counts
    if (height, width) != tuple(size) or sum(counts) != height * width:
        raise ValueError(f"holds run lengths of {sum(counts)} pixels for {size[0]}x{size[1]}.")
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return np.nonzero(inside.reshape(width, height).T)


def _read_counts(text):
    """Run lengths out of COCO's text, as pycocotools (maskApi.c) writes it.

    Five bits a character from 48 on, the lowest first; 32 says that more follow, 16 of the last that it is negative.
    From the fourth on a number is the difference to the one before the last.
    """
    counts, value, shift = [], 0, 0
    for bits in (ord(char) - 48 for char in text):
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits >> 4 & 1) << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    return counts


def is_labelmes(shape):
    """Whether an entry of LabelMe's shapes has a label, points that are numbers and, of a mask, its pixels."""
    try:
        points = np.asarray(shape["points"], float)
    except (KeyError, TypeError, ValueError):
        return False
    whole = not points.size or (points.ndim == 2 and points.shape[1] == 2)
    masked = shape.get("shape_type") != "mask" or isinstance(shape.get("mask"), str)
    return whole and masked and isinstance(shape.get("label"), str) and bool(shape["label"])


def read_shape(shape):
    """The shape of an object of LabelMe, as `draw_objects` takes it; None for one that has no area, such as a line."""
    points, kind = np.asarray(shape["points"], float), shape.get("shape_type") or "polygon"
    if kind == "mask":
        inside = read_embedded(shape["mask"]) > 0
        left, top = np.round(points.min(0)).astype(int)
        rows, columns = np.nonzero(inside)
        return rows + top, columns + left
    if len(points) > 2 and kind not in ("line", "linestrip", "points"):
        return [points]
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points.min(0), points.max(0)
        return [np.array([(left, top), (right, top), (right, bottom), (left, bottom)])]
    if kind == "circle" and len(points) == 2:
        angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        radius = np.hypot(*(points[1] - points[0]))
        return [points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)]
    return None
