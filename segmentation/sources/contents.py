"""Labels and images of others as arrays: masks however they are stored, objects, channels in files of their own."""

import itertools

import numpy as np

from segmentation.files import blur, classes, description, images, labels, meanings
from segmentation.sources import annotations

VOID = 255
LOOKED_AT = 8  # the first ones of labels
ALIKE = 4  # labels that are compared
FEWEST = 4  # images whose labels hold the same values, or have as many masks, by no chance


def read_white(file):
    """A label of two classes in 0 and 255, by half of its range, however it is stored: JPEG, GIF, 0 and 1.

    ValueError if it holds a third one.
    """
    label = labels.read_label(file)
    if third := _find_third(label) if images.find_suffix(file) not in labels.JPEG else None:
        text = "where a mask of two values is expected; to learn more classes, call the folders images and labels"
        raise ValueError(f"{file}: holds {third}, {text}.")
    values, half = label.numbers, 127 if label.numbers.max() < 256 else 32767
    if label.palette or label.in_colour:
        values, half = labels.translate_label(label, "colours") >> 24, 3 * 127  # the sum of red, green and blue
    if images.find_suffix(file) not in labels.JPEG and len(np.unique(values)) <= 2:
        half = values.min() if values.min() < values.max() else 0
    return np.uint8(values > half) * np.uint8(255)


def _find_third(label):
    """The values of a label of more than two, as text, if these are neither nearly two nor smoothed; or else None."""
    if label.palette or label.in_colour:
        codes = labels.translate_label(label, "colours")
        grey = bool(np.all(codes == _spread(codes & 255)))
        label = labels.Label(codes & 255 if grey else codes, in_colour=not grey)
    content = labels.survey(label)
    if len(content.counts) <= 2 or blur.find_ends(content, label.in_colour):
        return None
    low, high = min(content.counts), max(content.counts)
    near = (high - low) / labels.NEAR
    between = {value for value in content.counts if min(value - low, high - value) > near}
    seams = len(between) > 2 or sum(content.counts[value] for value in between) < meanings.FEWEST
    if near >= 2 and not label.in_colour and seams and between.isdisjoint(content.cores):
        return None
    names = [labels.name_value(value, label.in_colour) for value in sorted(content.counts)]
    return f"{', '.join(names[:4])}{' and more' * (len(names) > 4)}"


def read_objects(file):
    """A label that numbers objects as 0 and 255, with a border one pixel wide between those that touch."""
    return np.stack([np.uint8(classes.part_objects(page)) * np.uint8(255) for page in labels.read_label(file).numbers])


def read_sections(file):
    """A stack of which is known that it is one of sections: array (pages, height, width).

    tifffile calls the sections of a short stack the channels of one image.
    """
    pages = images.read_pages(file)
    return pages if pages.ndim == 3 else np.moveaxis(pages, -1, 1).reshape(-1, *pages.shape[1:3])


def read_sections_of_labels(file, numbered):
    """The label of a stack of sections in 0 and 255; of numbered objects as by `read_objects`."""
    pages = read_sections(file)
    inside = [classes.part_objects(page) if numbered else page > pages.max() // 2 for page in pages]
    return np.stack(inside).astype(np.uint8) * np.uint8(255)


def read_merged(image, files):
    """The label of an image whose objects lie in a file each, as by `read_objects`."""
    return _merge(files, images.read_pages(image).shape[1:3], image)


def read_objects_of(files):
    """A label whose objects lie in a file each, one or more, as by `read_objects`."""
    return _merge(files, labels.read_label(files[0]).numbers.shape[1:], files[0])


def _merge(files, size, image):
    """Objects that lie in a file each as a label of that size, which is that of another file."""
    numbers = np.zeros(size, np.int64)
    for number, file in enumerate(files, start=1):
        inside = read_white(file)[0] > 0
        if inside.shape != numbers.shape:
            raise ValueError(f"{file}: its size {inside.shape} is not that of {image}, {numbers.shape}.")
        numbers[inside] = number
    return np.uint8(classes.part_objects(numbers))[np.newaxis] * np.uint8(255)


def read_union(files):
    """Several masks of one image as one, in 0 and 255."""
    return np.maximum.reduce([read_white(file) for file in files])


def read_recoded(file, table):
    """A label whose values become others by a dict, `VOID` where it has none."""
    numbers = labels.read_label(file).numbers
    recoded = np.full(numbers.shape, VOID, np.uint8)
    for value, new in table.items():
        recoded[numbers == value] = new
    return recoded


def look(files, every=False):
    """The `labels.Content` of the first ones of some labels, or of all, that hold more than two values, not blurred."""
    contents = [labels.survey(labels.read_label(file)) for file in list(files)[: None if every else LOOKED_AT]]
    return [
        content for content in contents if len(content.counts) > 2 and not blur.find_ends(content, content.in_colour)
    ]


def hold_few_values(files):
    """Whether the first ones of some images hold so few values that they may be labels of classes."""
    return all(map(_holds_few_values, list(files)[:LOOKED_AT]))


def _holds_few_values(file):
    try:
        label = labels.read_label(file)
    except ValueError:  # it has fractions, or bands
        return False
    return len(labels.survey(label).counts) <= meanings.MOST_CLASSES


def fit_classes(named, files):
    """The values of classes as labels hold them, of which a table has the colours or the values.

    Parameters
    ----------
    named : dict of str to str or int
        As from `annotations.read_classes`.
    files : list of Path
        Labels, of which the first ones are read.

    Returns
    -------
    dict
        Like `named`, in grey where labels are; empty if these hold what the table does not name.
    """
    read = [labels.read_label(file) for file in files[:LOOKED_AT]]
    reading = "colours" if any(label.palette or label.in_colour for label in read) else "values"
    found = {int(value) for label in read for value in np.unique(labels.translate_label(label, reading))}
    grey = not any(label.palette for label in read) and all(value == _spread(value & 255) for value in found)
    if grey:  # though it may be stored as red, green and blue
        found = {value & 255 for value in found} if reading == "colours" else found
    if grey or reading == "values":
        named = {name: _to_grey(value) for name, value in named.items()}
    return named if found <= {description.parse_value(value) for value in named.values()} else {}


def _spread(grey):
    """The number of a grey as a colour."""
    return labels.to_code(grey, grey, grey)


def _to_grey(value):
    """The grey value that a colour such as "#404040" has; any other as it is."""
    return int(value[1:3], 16) if isinstance(value, str) and value[1:3] == value[3:5] == value[5:] else value


def are_alike(files):
    """Whether some of three labels or more show nearly the same, and much, as a camera's field of view is.

    They are of two values, and spread over all, since frames that follow each other may be alike, too.
    """
    read = [labels.read_label(file).numbers for file in files[:: max(1, len(files) // ALIKE)]]
    if len(read) < 3 or len({one.shape for one in read}) > 1 or any(len(np.unique(one)) != 2 for one in read):
        return False
    shown = [one > one.min() for one in read]
    both = np.logical_and.reduce(shown).sum()
    return both > 0.2 * shown[0].size and both > 0.95 * np.logical_or.reduce(shown).sum()


def numbers_objects(files):
    """Whether labels number objects: those of the first ones that hold more than two values look so."""
    return are_numbered(look(files))


def are_numbered(several):
    """Whether labels, as from `look`, number objects; False if there are none.

    The same values in all of several images are classes, such as organs, or cannot be told from these.
    """
    differ = len({frozenset(content.counts) for content in several}) > 1
    return bool(several) and meanings.may_number_objects(several) and (differ or len(several) < FEWEST)


def are_objects(groups):
    """Whether the masks of an image are each an object of it, by the first ones: of two values, and side by side."""
    for files in [files for files in groups if len(files) > 1][:LOOKED_AT]:
        if look(files):
            return False
        inside = [read_white(file) > 0 for file in files[:8]]
        if len({one.shape for one in inside}) > 1:
            return False
        smallest = min(int(one.sum()) for one in inside)
        if any(2 * np.sum(one & other) > smallest for one, other in itertools.combinations(inside, 2)):
            return False
    return True


def is_cellposes(file):
    """Whether a file is a _seg.npy of Cellpose, which holds Python's objects and no array."""
    if not file.name.endswith("_seg.npy"):
        return False
    try:
        np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return True
    return False


def join_channels(files):
    """Files of a channel each as one image: array (pages, height, width, channels)."""
    pages = [images.to_grey(images.read_pages(file)) for file in files]
    for file, page in zip(files, pages, strict=True):
        if page.ndim != 3 or page.shape != pages[0].shape:
            raise ValueError(f"{file}: expected one channel of the shape {pages[0].shape}, found {page.shape}.")
    return np.stack(pages, axis=-1)


def read_fourth_axis(file, label_file, count):
    """A NIfTI of several channels, its fourth axis, as one image: array (pages, height, width, channels).

    ValueError if it has not as many sections as its label, where there is one, in each channel.
    """
    pages = images.read_pages(file)
    sections = len(labels.read_label(label_file).numbers) if label_file else len(pages) // count
    if pages.ndim != 3 or len(pages) != count * sections:
        raise ValueError(f"{file}: dataset.json names {count} channels, which its fourth axis does not hold.")
    return np.moveaxis(pages.reshape(count, -1, *pages.shape[1:]), 0, -1)


def read_page(file, number):
    """One page of a stack, as a stack of one."""
    pages = images.read_pages(file)
    if number >= len(pages):
        raise ValueError(f"{file}: has {len(pages)} pages, the label is of page {number}, counted from 0.")
    return pages[number : number + 1]


def draw(objects, image, size=None, drawn_on=None):
    """A function that makes the label of an image out of `annotations.draw_objects`.

    It refuses outlines that were drawn on an image of another size than `size`, or that of the image.
    """

    def read():
        found = size or images.read_pages(image).shape[1:3]
        if drawn_on and tuple(drawn_on) != tuple(found):
            (height, width), (before, across) = found, drawn_on
            raise ValueError(f"{image}: has {height}x{width} pixels, its outlines were drawn on {before}x{across}.")
        try:
            return annotations.draw_objects(objects, found)[np.newaxis]
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(f"{image}: its outlines cannot be drawn ({error}).") from None

    return read
