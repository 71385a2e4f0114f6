"""TIFF, whoever wrote it: every page, channels told from pages by their axes, whole or refused."""

import math
import re
import struct
from xml.etree import ElementTree

import numpy as np
import tifffile

from segmentation.files import rasters

NARROW, WIDE = 16, 32  # an axis X at most NARROW after two of at least WIDE is one of channels
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6  # of the tag INTERPRETATION
FOREIGN_COLOURS = {5: "CMYK", 8: "CIELAB", 9: "CIELAB", 10: "CIELAB"}  # of the same
JPEGS = (6, 7, 33007)  # of TIFF's compressions; tifffile makes their YCbCr RGB
PREVIEW, MASK = 0b001, 0b100  # bits of TIFF's NewSubfileType
ALPHAS = (1, 2)  # of TIFF's ExtraSamples
TOGETHER, APART = 1, 2  # of TIFF's PlanarConfiguration: where the channels of a pixel lie
INTERPRETATION, ORIENTATION = 262, 274  # codes of tags
PROGRAMS_OWN = 2**15  # the first code of tags that programs define for themselves
MICROMETRES = ("\u00b5m", "\u03bcm", "micron", "microns", "micrometer", "micrometers", "um")  # as programs write them
# Units of ImageJ and OME that measure nothing, or paper.
NO_LENGTH = ("", "pixel", "pixels", "px", "in", "inch", "inches", "null", "reference frame")
ALONE = {"is_mmstack": False, "is_ndtiff": False, "is_ndpi": False}  # kinds whose pages may lie in other files


def read_pixel_size(file):
    """The size of a pixel, as for `images.read_pixel_size`; None also where what a file tells makes no sense."""
    try:
        with tifffile.TiffFile(file) as tiff:
            if tiff.is_ome:
                pixels = next(ElementTree.fromstring(tiff.ome_metadata).iterfind(".//{*}Pixels"))
                size = [float(pixels.get(f"PhysicalSize{axis}", 0)) for axis in "YX"]
                units = {_name_unit(pixels.get(f"PhysicalSize{axis}Unit", "um")) for axis in "YX"}
            else:
                size = [1 / number for number in tiff.pages[0].get_resolution()[::-1]]
                units = {_name_unit(str((tiff.imagej_metadata or {}).get("unit", "")))}
    except (ValueError, ArithmeticError, StopIteration, ElementTree.ParseError):
        return None
    told = len(units) == 1 and not units & set(NO_LENGTH) and all(0 < side < math.inf for side in size)
    return (*size, *units) if told else None


def _name_unit(text):
    """The name of a unit: um for micrometres; ImageJ writes letters beyond ASCII as codes."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text).strip()
    return "um" if text.lower() in MICROMETRES else text.lower() if text.lower() in NO_LENGTH else text


def read_tiff(file):
    """Read TIFF, whoever wrote it.

    Parameters
    ----------
    file : path

    Returns
    -------
    rasters.Raster

    Raises
    ------
    rasters.Refusal
        If it is cut off, or cannot be read as it was meant; tifffile may raise anything for a damaged file.
    """
    notes = []
    with _open_tiff(file) as tiff:
        pages = _list_pages(tiff, notes)
        page = pages[0]  # which the others are like
        _check_colours(page)
        array, axes = _decode(tiff, pages, notes)
        if array.dtype.kind not in "buif":
            kind = array.dtype
            raise rasters.Refusal(f"holds values of the kind {kind}; save its magnitude, or another real number.")
        array, alpha = _split_alpha(_arrange(array, axes), page)
        if page.photometric == WHITE_IS_ZERO and INTERPRETATION in page.tags:  # tifffile says 0 also if there is none
            array = _invert(array, page.bitspersample)
            # Bits are what tifffile writes if it is not told otherwise.
            bits = "its bits are" if array.dtype == bool else "is"
            notes.append(f"{bits} WhiteIsZero: 0 is read as white, as viewers show it")
        array, alpha = (rasters.turn(part, _find_orientation(page)) for part in (array, alpha))
        planes = page.planarconfig == APART and array.ndim == 4
        return rasters.Raster(array, alpha, _find_palette(page), tuple(notes), planes)


# Opening


def _open_tiff(file):
    """Open TIFF so that it holds nothing of other files, such as those of the same set, or of what they lack."""
    tiff = tifffile.TiffFile(file, **ALONE)
    try:
        _check_chain(tiff)
        description = _describe_own_part(tiff)
    except Exception:
        tiff.close()
        raise
    if description is None:
        return tiff
    tiff.close()
    return tifffile.TiffFile(file, **ALONE, **({"omexml": description} if description else {"is_ome": False}))


def _check_chain(tiff):
    """Refuse a file that broke off: of pages that lie beyond its end, tifffile would only log that they do."""
    handle, layout = tiff.filehandle, tiff.tiff
    link, seen = layout.offsetsize, set()  # each page ends in a link to the next; that to the first is in the header
    try:
        while True:
            handle.seek(link)
            (start,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
            if not start or start in seen:
                return
            seen.add(start)
            handle.seek(start)
            (count,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
            link = start + layout.tagnosize + count * layout.tagsize
            _check_tags(handle.read(count * layout.tagsize), layout, handle.size)
    except struct.error:
        raise _cut_off() from None


def _check_tags(tags, layout, size):
    """Refuse a file of `size` bytes if what the tags of a page, as bytes, refer to lies beyond its end."""
    for code, kind, count, value in struct.iter_unpack(layout.tagformat1 + layout.tagformat2[1:], tags):
        length = count * struct.calcsize(tifffile.TIFF.DATA_FORMATS.get(kind, "1B"))
        (place,) = struct.unpack(layout.offsetformat, value)  # unless the value itself fits there
        if code < PROGRAMS_OWN and length > layout.offsetsize and place + length > size:
            raise _cut_off()


def _cut_off(found="its pages lead beyond its end"):
    """The refusal of a file that broke off."""
    return rasters.Refusal(f"is cut off: {found}; copy or save it again.")


def _describe_own_part(tiff):
    """Cut the OME-XML that describes a set of files down to what is in this one.

    None if it describes this file alone, "" if what is in this file cannot be told, or is no whole grid of planes.
    """
    xml = (tiff.ome_metadata if tiff.is_ome else None) or ""
    if "FileName" not in xml:
        return None
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return ""
    uuids = {uuid: uuid.get("FileName", "").lower() for uuid in root.iterfind(".//{*}TiffData/{*}UUID")}
    here, names = tiff.filename.lower(), set(uuids.values())
    if names <= {here}:
        return None
    own = {uuid for uuid, name in uuids.items() if name == here or (uuid.text and uuid.text == root.get("UUID"))}
    if not own and len(names) == 1:  # one file under another name
        own = set(uuids)
    told = own and all(_keep_own_planes(pixels, own, len(tiff.pages)) for pixels in root.iterfind(".//{*}Pixels"))
    return ElementTree.tostring(root, encoding="unicode") if told else ""


def _keep_own_planes(pixels, own, count):
    """Leave in OME's Pixels the planes of a file of `count` pages alone: whether they are a whole grid, or none are."""
    order = pixels.get("DimensionOrder")[:1:-1]  # the slowest first, without XY
    samples = max([int(channel.get("SamplesPerPixel", 1)) for channel in pixels.iterfind("{*}Channel")], default=1)
    each = [samples if axis == "C" else 1 for axis in order]  # SizeC counts the red, green and blue of one plane
    shape = [int(pixels.get(f"Size{axis}")) // size for axis, size in zip(order, each, strict=True)]
    planes = []
    for data in pixels.findall("{*}TiffData"):
        pixels.remove(data)
        uuid = data.find("{*}UUID")
        if uuid is None or uuid in own:
            planes += _list_planes(data, order, shape, count)
    if not planes:
        return True
    places = np.array([place for place, _ in planes])
    low, extent = places.min(axis=0), np.ptp(places, axis=0) + 1
    for axis, size in zip(order, (extent * each).tolist(), strict=True):
        pixels.set(f"Size{axis}", str(size))
    for place, (_, page) in zip((places - low).tolist(), planes, strict=True):
        firsts = {f"First{axis}": str(start) for axis, start in zip(order, place, strict=True)}
        pixels.append(ElementTree.Element("TiffData", {**firsts, "IFD": str(page), "PlaneCount": "1"}))
    return len(np.unique(places, axis=0)) == len(planes) == math.prod(extent.tolist())


def _list_planes(data, order, shape, count):
    """The planes that a TiffData of OME names: (place along the axes of `order`, number of its page)."""
    first = np.ravel_multi_index([int(data.get(f"First{axis}", 0)) for axis in order], shape)
    page = int(data.get("IFD", 0))
    length = int(data.get("PlaneCount", data.get("NumPlanes", 1 if "IFD" in data.attrib else count)))
    return [(np.unravel_index(first + i, shape), page + i) for i in range(length)]


# Pages


def _list_pages(tiff, notes):
    """The pages of full resolution, whole, of one size and kind; notes on the others are added."""
    every = list(tiff.pages)
    if not every:
        raise rasters.Refusal("holds no images; save it again.")
    pages = [page for page in every if _is_full(page)]
    if pages:
        notes += [_note_left_out(page) for page in every if not _is_full(page)]
    else:
        pages = every
    for page in pages:
        rasters.check_size(page.imagelength, page.imagewidth)
        _check_pixels(page, tiff.filehandle.size)
    sizes = dict.fromkeys(f"{page.imagewidth}x{page.imagelength}" for page in pages)
    if len(sizes) > 1:
        raise rasters.Refusal(f"holds images of the sizes {', '.join(sizes)}; save each as a file of its own.")
    kind, palette = _describe(pages[0]), pages[0].colormap
    if any(_describe(page) != kind or not np.array_equal(page.colormap, palette) for page in pages[1:]):
        raise rasters.Refusal("holds pages of different types, channels, palettes or orientations; save them as files.")
    return pages


def _is_full(page):
    """Whether a page is neither a preview nor a mask of another."""
    return not page.subfiletype & (PREVIEW | MASK)


def _note_left_out(page):
    """A note on a preview or a mask."""
    kind = "preview" if page.subfiletype & PREVIEW else "mask"
    return f"a {kind} of {page.imagewidth}x{page.imagelength} pixels is left out"


def _check_pixels(page, size):
    """Refuse a file of `size` bytes if the pixels of a page lie beyond its end."""
    parts = zip(page.dataoffsets, page.databytecounts, strict=False)
    if page.is_contiguous:
        parts = [(page.dataoffsets[0], page.nbytes)]
    if any(start + length > size for start, length in parts if start and length):
        raise _cut_off("its pixels lie beyond its end")


def _describe(page):
    """What the pages of one stack have in common, besides a palette."""
    colours = page.photometric, page.planarconfig, page.extrasamples
    return page.shape, page.dtype, page.bitspersample, *colours, _find_orientation(page)


def _find_orientation(page):
    """How a page is to be turned, 1 to 8, as `rasters.turn` has it."""
    return page.tags.valueof(ORIENTATION, default=1)


def _find_palette(page):
    """The palette of a page, uint8 (colours, 3), or None."""
    if page.photometric != PALETTE:
        return None
    wide = page.colormap.max() > 255  # some programs write 8 bits
    return np.uint8(page.colormap >> 8 if wide else page.colormap).T


def _check_colours(page):
    """Refuse colours that are not red, green and blue."""
    code = int(page.photometric)
    in_jpeg = code == YCBCR and page.compression in JPEGS
    if code not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE) and not in_jpeg:
        name = FOREIGN_COLOURS.get(code, getattr(page.photometric, "name", f"colours of the kind {code}"))
        raise rasters.Refusal(f"holds {name}; save it as RGB.")


# Pixels and their axes


def _decode(tiff, pages, notes):
    """The pixels and their axes: those that the file's program wrote down, or else page by page."""
    page = pages[0]
    series = [one for one in tiff.series if _is_full(one.keyframe)] or tiff.series
    if _names_more(tiff, series, pages):
        raise _cut_off("its description names more images than it holds")
    names_fewer = _count_values(series) < _count_values(pages)
    if _is_guess(series) or names_fewer or len({(one.shape, one.axes) for one in series}) > 1:
        array, axes = np.stack([page.asarray() for page in pages]), "I" + page.axes
    else:
        array, axes = np.stack([one.asarray() for one in series]), "I" + series[0].axes
    if series[0].kind != "ome":
        _check_sides(array.shape, axes)
    if series[0].kind == "imagej":
        axes = _doubt_channels(tiff, axes, array.shape, notes)
    if "S" in axes and page.planarconfig == APART:
        notes.append(f"its {array.shape[axes.index('S')]} planes are read as channels")
    return array, axes


def _is_guess(series):
    """Whether no program wrote series down: tifffile grouped pages by how they are stored, and lost their order."""
    return series[0].kind in ("generic", "uniform")


def _count_values(parts):
    """How many numbers all pages, or series, hold together."""
    return sum(math.prod(part.shape) for part in parts)


def _names_more(tiff, series, pages):
    """Whether a description names more images than there are."""
    if any(page is None for one in series for page in one.pages):
        return True
    if _is_guess(series):
        return (tiff.imagej_metadata or {}).get("images", 1) > len(pages)
    if _count_values(series) <= _count_values(pages):
        return False
    # A page may stand for many, whose pixels lie one after another from where its own do
    ends = [one.keyframe.dataoffsets[0] + math.prod(one.shape) * one.dtype.itemsize for one in series]
    return len(pages) > len(series) or max(ends) > tiff.filehandle.size


def _check_sides(shape, axes):
    """Refuse an array (height, width, channels) that was written as a stack of pages (width, channels)."""
    height, width, channels = shape[-3:]
    if axes[-2:] == "YX" and axes[-3] != "S" and channels <= NARROW and min(height, width) >= WIDE:
        raise rasters.Refusal(
            f"holds {height} images of {channels}x{width} pixels (axes {axes[1:]}, shape {shape[1:]}), as an image of "
            f"{channels} channels becomes if tifffile is not told of them; write it with "
            'photometric="minisblack", planarconfig="contig".'
        )


def _doubt_channels(tiff, axes, shape, notes):
    """Axes with I for the C of `tifffile.imwrite(file, stack, imagej=True)`, which calls any stack channels."""
    meta, channels = tiff.imagej_metadata or {}, shape[axes.index("C")] if "C" in axes else 1
    by_tifffile = meta.get("ImageJ") == "1.11a" and meta.get("mode", "grayscale") == "grayscale"
    if channels == 1 or not by_tifffile or (channels < 4 and "S" not in axes):
        return axes
    notes.append(f"its {channels} channels are read as pages, as tifffile calls any stack channels")
    return axes.replace("C", "I")


def _arrange(array, axes):
    """Pages first and channels last: (pages, height, width) or (pages, height, width, channels)."""
    height, width = axes.rindex("Y"), axes.rindex("X")
    channels = [i for i, axis in enumerate(axes) if axis in "CS" and array.shape[i] > 1]
    if len(channels) > 1:
        found = " and ".join(f"{axes[i]} of {array.shape[i]}" for i in channels)
        fix = "save each image of it as a file of its own"
        raise rasters.Refusal(f"has more than one axis of channels, {found}; {fix}.")
    # Times before slices, whatever their order in the file, so that an image and its label agree.
    others = [i for i in range(array.ndim) if i not in (height, width, *channels)]
    others.sort(key=lambda i: {"T": 0, "Z": 2}.get(axes[i], 1) if "T" in axes and "Z" in axes else 0)
    array = array.transpose(*others, height, width, *channels)
    return array.reshape(-1, *array.shape[len(others) :])


# What channels and values mean


def _split_alpha(array, page):
    """Pages without the channel that the file says to be alpha, and that channel or None.

    A plane of its own is none: tifffile writes the last of four slices like that.
    """
    extra = page.extrasamples  # the kinds of the last channels
    alphas = [i - len(extra) for i, kind in enumerate(extra) if kind in ALPHAS]
    in_pixels = page.planarconfig == TOGETHER and array.ndim == 4 and array.shape[3] == page.samplesperpixel
    if not alphas or not in_pixels:
        return array, None
    colours = np.delete(array, alphas, axis=3)
    return (colours[..., 0] if colours.shape[3] == 1 else colours), array[..., alphas[0]]


def _invert(array, bits):
    """WhiteIsZero as a viewer shows it."""
    if array.dtype == bool:
        return ~array
    if array.dtype.kind != "u":
        raise rasters.Refusal(f"is WhiteIsZero, and of {array.dtype}, which has no white; save it as BlackIsZero.")
    return array.dtype.type(2**bits - 1) - array
