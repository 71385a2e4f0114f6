"""Labels from files, as the numbers or colours that they hold, and what can be seen of them; meanings.py reads that.

A colour is a number that grows with its brightness, as from `to_code`.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import measure

from segmentation.files import images

CORE, SOLID = 3, 9  # sides of squares in pixels, that only more than a seam, or more than a stroke, can fill
NEAR = 8  # the share of its range, 1/8, by which a value may differ from another that it was before JPEG or smoothing
MOST_PIXELS = 2**20  # that the shapes of a label are looked at in
READINGS = ("values", "greys", "colours")
JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Label:
    """A label as its file holds it.

    `numbers` are integers (pages, height, width): grey values, indices of a palette, or colours. `palette` is the
    colour of each index that occurs, or empty; `in_colour` says that the numbers are colours, `notes` what was left out
    or guessed.
    """

    numbers: np.ndarray
    palette: dict = field(default_factory=dict)
    in_colour: bool = False
    notes: tuple = ()


def read_label(file):
    """Read a `Label`.

    A JPEG that is 1 everywhere is black, which is decoded so at some qualities. The alpha channel of a picture of one
    colour is its label. In others what is transparent is 0, whatever colour it hides. Channels that lie one
    after the other in a TIFF are pages, as no program writes a label's colours so.

    Raises
    ------
    ValueError
        As `images.read_raster`, and if a label holds fractions, or other channels than those of a colour.
    """
    raster = images.read_raster(file)
    pages, palette, notes = raster.pages, {}, raster.notes
    if images.find_suffix(file) in JPEG and pages.min() == pages.max():  # all black is 1 at some qualities
        pages = np.where(pages == 1, 0, pages).astype(pages.dtype)
    if raster.planes:
        pages = np.moveaxis(pages, -1, 1).reshape(-1, *pages.shape[1:3])
        notes = tuple(note.replace("read as channels", "read as pages, each a label") for note in notes)
    elif raster.alpha is not None and _is_plain(raster):
        pages, notes = raster.alpha, (*notes, "its alpha channel is read as the label")
    elif raster.alpha is not None and raster.palette is None:
        shown = (raster.alpha > 0)[..., np.newaxis] if pages.ndim == 4 else raster.alpha > 0
        if not shown.all():
            notes = (*notes, "its transparent pixels are read as 0, whatever colour they hide")
        pages = pages * shown
    elif raster.palette is not None:
        used = np.unique(pages).tolist()
        palette = {i: int(to_code(*raster.palette[i].tolist())) for i in used if i < len(raster.palette)}
    if pages.ndim == 4 and pages.dtype == np.uint16:
        pages = images.to_grey(pages)  # so that numbers keep their 16 bits
    if pages.dtype.kind == "f":
        if not np.isfinite(pages).all():
            fix = "write a number in their place, and give it as --ignore if they are not labelled"
            raise ValueError(f"{file}: holds values that are no finite numbers (NaN or infinite); {fix}.")
        if np.any(pages % 1) or np.abs(pages).max() > 2**53:
            raise ValueError(f"{file}: its values are no whole numbers; a label holds one number a class.")
        pages = pages.astype(np.int64)
    if pages.dtype.kind == "u" and pages.dtype.itemsize == 8:
        pages = pages.astype(np.int64)
    if pages.ndim == 4:
        if pages.shape[3] != 3:
            raise ValueError(f"{file}: has {pages.shape[3]} channels; a label has one number, or colour, a pixel.")
        if pages.dtype == np.uint16 and pages.max() > 255:
            pages = pages >> 8
        return Label(to_code(*np.moveaxis(pages.astype(np.int64), -1, 0)), in_colour=True, notes=notes)
    return Label(pages, palette, notes=notes)


def _is_plain(raster):
    """Whether all that a picture shows is in its alpha channel."""
    colours = raster.pages.reshape(-1, raster.pages.shape[3] if raster.pages.ndim == 4 else 1)
    return bool(np.all(colours == colours[0]) and raster.alpha.min() < raster.alpha.max())


@dataclass(frozen=True)
class Content:
    """What can be seen of one label, to tell what it means.

    `counts` are pixels by value, `pages` the same page by page, `palette` and `in_colour` those of `Label`. Of a label
    of more than two values also `parts`, the number of connected parts by value; `cores` and `solid`, the values that
    fill a square of `CORE` pixels, nearly, and of `SOLID` pixels somewhere.
    """

    counts: dict
    pages: tuple = ()
    palette: dict = field(default_factory=dict)
    in_colour: bool = False
    parts: dict = field(default_factory=dict)
    cores: frozenset = frozenset()
    solid: frozenset = frozenset()


def survey(label):
    """The `Content` of a `Label`."""
    pages = tuple(_count(page) for page in label.numbers)
    counts = dict(sum(map(Counter, pages), Counter()))
    if len(counts) <= 2:
        return Content(counts, pages, label.palette, label.in_colour)
    page = label.numbers[max(range(len(pages)), key=lambda i: len(pages[i]))]
    step = int(np.ceil(np.sqrt(page.size / MOST_PIXELS)))
    page = page[::step, ::step]
    near = (int(page.max()) - int(page.min())) // NEAR
    cores = _find_even_colours(page) if label.in_colour else _find_even(page, CORE, near)
    values, page = np.unique(page, return_inverse=True)
    connected = measure.label(page, background=-1, connectivity=2)
    first = np.unique(connected, return_index=True)[1]
    parts = dict(zip(values.tolist(), np.bincount(page.ravel()[first], minlength=len(values)).tolist(), strict=True))
    solid = frozenset(values[list(_find_even(page, SOLID, 0))].tolist())
    return Content(counts, pages, label.palette, label.in_colour, parts, cores, solid)


def _find_even(page, side, near):
    """Values in the middle of squares, of that side in pixels, within which values differ by no more than `near`."""
    half = side // 2
    inside = np.s_[half : page.shape[0] - half, half : page.shape[1] - half]
    highest, lowest = (filtered(page, side)[inside] for filtered in (ndimage.maximum_filter, ndimage.minimum_filter))
    return frozenset(np.unique(page[inside][highest - lowest <= near]).tolist())


def _find_even_colours(page):
    """The same of squares of `CORE` pixels for colours, whose red, green and blue all have to differ little."""
    half = CORE // 2
    inside = np.s_[half : page.shape[0] - half, half : page.shape[1] - half]
    even = np.ones(page.shape, bool)
    for shift in (16, 8, 0):
        channel = page >> shift & 255
        even &= ndimage.maximum_filter(channel, CORE) - ndimage.minimum_filter(channel, CORE) <= 255 // NEAR
    return frozenset(np.unique(page[inside][even[inside]]).tolist())


def _count(numbers):
    """Pixels by value: dict of int."""
    if numbers.dtype not in (np.uint8, np.uint16):
        return dict(zip(*(part.tolist() for part in np.unique(numbers, return_counts=True)), strict=True))
    counts = np.zeros(np.iinfo(numbers.dtype).max + 1, np.int64)
    for rows in np.array_split(numbers, numbers.size // MOST_PIXELS + 1):  # bincount takes eight bytes a pixel
        counts += np.bincount(rows.ravel(), minlength=len(counts))
    return {value: int(counts[value]) for value in np.flatnonzero(counts).tolist()}


def choose_reading(contents, named=()):
    """How the values of labels are to be read, so that one value is one thing in all files.

    Parameters
    ----------
    contents : list of Content
    named : collection of int
        The values that the owner has named; they decide where a palette could be read either way.

    Returns
    -------
    str
        One of `READINGS`: grey values and indices as they are, greys in place of colours, or colours.
    """
    colours, painted = {}, [content for content in contents if content.palette]
    telling = [content for content in painted if len(content.palette) == 1 or len(set(content.palette.values())) > 1]
    for content in telling or painted:
        for index, code in content.palette.items():
            colours.setdefault(index, set()).add(code)
    in_colour = [content for content in contents if content.in_colour]
    codes = set().union(*colours.values(), *(content.counts for content in in_colour))
    consistent = all(len(found) == 1 for found in colours.values())
    if not in_colour and consistent and len(codes) < max(len(colours), 1):
        return "values"  # there is no palette, or one that tells nothing apart
    if any(value > 65535 for value in named) and not in_colour:
        return "colours"  # as the owner names them
    if not in_colour and consistent and len(telling) < len(painted):
        return "values"  # the palettes of some files give all classes one colour
    in_greys = all(_to_grey(code) is not None for code in codes)
    indices = set().union(*(content.counts for content in contents))
    if not in_colour and consistent and (not in_greys or (named and indices <= set(named))):
        # Of two, black is around the other, also if it is the second one of the palette.
        exchanged = not named and len(painted) == len(contents) and len(colours) == len(indices) == 2
        return "colours" if exchanged and _is_ink_on_black(*(min(colours[i]) for i in sorted(colours))) else "values"
    return "greys" if in_greys else "colours"


def _is_ink_on_black(first, second):
    """Whether the first of two colours of a palette is a strong one, no paper, and the second is black."""
    return second == 0 and min(first >> shift & 255 for shift in (16, 8, 0)) < 128


def translate(value, palette, reading):
    """One value of a label, or a colour, as a way of reading has it.

    Parameters
    ----------
    value : int
    palette : dict of int
        The label's colours by index; empty if it has no palette.
    reading : str
        One of `READINGS`.
    """
    if reading == "values":
        return value
    code = palette.get(value, value)
    if reading == "greys":
        grey = _to_grey(code)
        return code if grey is None else grey
    return int(to_code(code, code, code)) if 0 < code < 256 else code


def translate_label(label, reading):
    """The numbers of a `Label`, as a way of reading has them: integers (pages, height, width)."""
    if reading == "values" or (reading == "greys" and not label.palette and not label.in_colour):
        return label.numbers
    if label.numbers.dtype in (np.uint8, np.uint16):
        table = [translate(value, label.palette, reading) for value in range(int(label.numbers.max()) + 1)]
        return np.array(table, np.int64)[label.numbers]
    values, inverse = np.unique(label.numbers, return_inverse=True)
    table = np.array([translate(value, label.palette, reading) for value in values.tolist()], np.int64)
    return table[inverse].reshape(label.numbers.shape)


def to_code(red, green, blue):
    """A number for a colour, or for arrays of colours, that grows with its brightness."""
    return (red + green + blue) << 24 | red << 16 | green << 8 | blue


def _to_grey(code):
    """The grey value of a colour; None if it is none."""
    red, green, blue = code >> 16 & 255, code >> 8 & 255, code & 255
    return red if red == green == blue and code == to_code(red, green, blue) else None


def name_value(value, colours=False):
    """A label's value as text: a number, or a colour such as #ff8000."""
    return f"#{value & 0xFFFFFF:06x}" if colours else str(value)


def read_palette(file):
    """The colours that a label shows its classes in, to write masks alike.

    Returns
    -------
    list of int, or None
        Red, green and blue of each index; None for a label without a palette.
    """
    if Path(file).suffix.lower() != ".png":
        return None
    palette = images.read_raster(file).palette
    return None if palette is None else palette.ravel().tolist()
