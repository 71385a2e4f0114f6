"""Objects of masks: numbered, measured, and outlined for ImageJ."""

import cv2
import numpy as np
import roifile
from scipy import ndimage
from skimage import measure

from segmentation.files import classes, folders, images, writing

SHAPE = ("perimeter", "axis_major_length", "axis_minor_length", "eccentricity", "solidity")
LENGTHS = {"perimeter": "perimeter", "axis_major_length": "major_axis", "axis_minor_length": "minor_axis"}
ROI_VERSION = 228
MOVE, LINE, CLOSE = 0, 1, 4  # of the outlines of Java's shapes, as ImageJ has them


def write_objects(file, stem, masks, pages, settings):
    """Write the objects of an image or a stack: <stem>_objects.tif, <stem>_objects.csv and <stem>_rois.zip.

    Parameters
    ----------
    file : Path
        The image.
    stem : Path
        Where to, without what ends the names.
    masks : array (pages, height, width)
        Classes, as from `masks.to_mask`.
    pages : array (pages, height, width) or (pages, height, width, channels)
        The pixels of the image.
    settings : networks.Settings

    Returns
    -------
    int32 array (pages, height, width)
        The numbers of objects, those of a stack on from page to page; 0 outside.
    """
    kinds, pixel = classes.find_kinds(settings.titles), images.read_pixel_size(file)
    numbers, rows, rois, count = np.zeros(masks.shape, np.int32), [], [], 0
    for i, (mask, page) in enumerate(zip(masks, pages, strict=True)):
        numbers[i], found = number_objects(mask, kinds, settings.smallest, first=count + 1)
        place = {"page": i + 1} if len(masks) > 1 else {}
        rows += [place | row for row in measure_objects(numbers[i], found, page, settings, pixel)]
        channels = page.shape[2] if page.ndim == 3 else 1
        rois += outline(numbers[i], i * channels if len(masks) > 1 else None)
        count += len(found)
    columns = place | list_columns(pages[0], settings, pixel)
    writing.write_numbers(stem.with_name(f"{stem.name}{folders.OBJECTS}.tif"), numbers, like=file)
    writing.write_table(stem.with_name(f"{stem.name}{folders.OBJECTS}.csv"), rows, columns)
    with writing.whole_file(stem.with_name(f"{stem.name}{folders.ROIS}.zip")) as temporary:
        roifile.roiwrite(temporary, rois, mode="w")
    return numbers


def describe_smallest(settings):
    """What is left out by the choice of a network, in words; "" if nothing is."""
    text = (
        f"objects of fewer than {settings.smallest} pixels, as hardly any of the labels' are, are left out (--smallest)"
    )
    return text if settings.smallest > 1 else ""


def number_objects(mask, kinds, smallest=1, first=1):
    """Number the connected parts (4 neighbours) of some classes.

    Parameters
    ----------
    mask : array (height, width)
        Classes, as from `masks.to_mask`.
    kinds : list of int
        As from `classes.find_kinds`.
    smallest : int
        Pixels of an object; what is smaller is left out.
    first : int
        Number of the first object.

    Returns
    -------
    numbers : int32 array (height, width), 0 outside objects
    found : int array
        The class of each object, by its number.
    """
    numbers, found = np.zeros(mask.shape, np.int32), []
    for kind in kinds:
        parts, _ = ndimage.label(mask == kind)
        kept = np.bincount(parts.ravel()) >= smallest
        kept[0] = False
        renumbered = np.cumsum(kept, dtype=np.int32) + np.int32(first - 1 + len(found))
        renumbered[~kept] = 0
        numbers += renumbered[parts]
        found += [kind] * int(kept.sum())
    return numbers, np.array(found, int)


def measure_objects(numbers, found, image, settings, pixel=None):
    """Measure objects by `skimage.measure.regionprops_table`.

    Parameters
    ----------
    numbers, found
        As from `number_objects`.
    image : array (height, width) or (height, width, channels)
        Pixels of any type, whose mean and standard deviation in each object are given as they are.
    settings : networks.Settings
    pixel : tuple (height, width, unit) or None
        Size of a pixel, as from `images.read_pixel_size`: areas, and lengths if pixels are square, are given in that
        unit, too.

    Returns
    -------
    list of dict
        A row an object.
    """
    if not len(found):
        return []
    grey = image.reshape(*numbers.shape, -1)
    named = ("label", "area", "centroid", "bbox", *SHAPE, "intensity_mean", "intensity_std")
    table = measure.regionprops_table(numbers, grey, properties=named)
    channels = [""] if grey.shape[-1] == 1 else list(map(str, range(grey.shape[-1])))
    if len(set(settings.channels)) == len(channels):
        channels = settings.channels
    rows = []
    for i, kind in enumerate(found):
        value = {name: column[i] for name, column in table.items()}
        row = {"number": int(value["label"]), "class": settings.titles[kind], "area": int(value["area"])}
        row |= {"y": value["centroid-0"], "x": value["centroid-1"]}
        row |= {side: int(value[f"bbox-{k}"]) for k, side in enumerate(("top", "left", "bottom", "right"))}
        row |= {LENGTHS.get(name, name): value[name] for name in SHAPE}
        for k, channel in enumerate(channels):
            title = f"_{channel}" if channel else ""
            row |= {f"mean{title}": value[f"intensity_mean-{k}"], f"std{title}": value[f"intensity_std-{k}"]}
        if pixel:
            height, width, unit = pixel
            row[f"area_{unit}2"] = row["area"] * height * width
            if np.isclose(height, width, rtol=1e-3):
                row |= {f"{name}_{unit}": row[name] * height for name in LENGTHS.values()}
        rows.append({name: f"{cell:.6g}" if isinstance(cell, float) else cell for name, cell in row.items()})
    return rows


def list_columns(image, settings, pixel=None):
    """What `measure_objects` gives of an object, as a dict, of an image in which there may be none."""
    return measure_objects(np.ones((1, 1), np.int32), np.array([0]), image[:1, :1], settings, pixel)[0]


def outline(numbers, position=None):
    """Outlines of objects along the edges of their pixels, so that ImageJ counts the same pixels.

    Parameters
    ----------
    numbers : int array (height, width), 0 outside objects
    position : int or None
        Of a stack how many planes, each channel one, are before theirs.

    Returns
    -------
    list of roifile.ImagejRoi
        Named by their numbers.
    """
    rois = []
    for number, window in enumerate(ndimage.find_objects(numbers), start=1):
        if window is None:
            continue
        corner = np.array([window[1].start, window[0].start])
        paths = [path + corner for path in _trace(numbers[window] == number)]
        rois.append(_make_roi(paths, str(number), position))
    return rois


def _trace(inside):
    """Corners of pixels around which the outlines of a bool array run: list of int arrays (corners, 2) of x and y.

    OpenCV gives the outermost pixels of an object. With two of them in place of each, those to the left of an edge
    between pixels have odd numbers, those to its right even ones.
    """
    doubled = np.uint8(inside).repeat(2, axis=0).repeat(2, axis=1)
    paths, _ = cv2.findContours(doubled, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    corners = [(path[:, 0] + 1) // 2 for path in paths]
    return [path[np.any(path != np.roll(path, 1, axis=0), axis=1)] for path in corners]


def _make_roi(paths, name, position):
    """An ImageJ region: a polygon or, with holes, a shape of several paths, each int array (corners, 2) of x and y."""
    if len(paths) == 1:
        roi = roifile.ImagejRoi.frompoints(paths[0], name=name, position=position)
        roi.roitype = roifile.ROI_TYPE.POLYGON
        # The right and the bottom of a polygon's box are its last corners.
        roi.right, roi.bottom = map(int, paths[0].max(0))
        return roi
    roi = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, version=ROI_VERSION, name=name)
    roi.position = 0 if position is None else position + 1
    everything = np.concatenate(paths)
    (roi.left, roi.top), (roi.right, roi.bottom) = map(int, everything.min(0)), map(int, everything.max(0))
    steps = []
    for path in paths:
        for i, (x, y) in enumerate(path):
            steps += [MOVE if i == 0 else LINE, x, y]
        steps.append(CLOSE)
    roi.multi_coordinates = np.array(steps, "float32")
    roi.shape_roi_size = len(steps)
    return roi
