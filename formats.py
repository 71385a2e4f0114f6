"""Image files: reading them as arrays, writing masks and other files whole."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

MOST_PIXELS = 20_000**2
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is lower


def read_array(file, indices=False):
    """Read an image as it is, without its alpha channel.

    Parameters
    ----------
    file, indices
        As for `read_pages`.

    Returns
    -------
    array (height, width) or (height, width, 3)
        uint8, uint16, or another dtype of the file.

    Raises
    ------
    ValueError
        If the file is no image, damaged, or a stack; says which file.
    """
    pages = read_pages(file, indices)
    if len(pages) != 1:
        raise ValueError(f"{file}: a stack of {len(pages)} images; save each as a file of its own to train on them.")
    return pages[0]


def read_pages(file, indices=False):
    """Read the images of a file: one, or those of a TIFF stack.

    Parameters
    ----------
    file : path
    indices : bool
        Whether a palette's image is read as its indices, or else as its colours.

    Returns
    -------
    array (pages, height, width) or (pages, height, width, 3)
    """
    try:
        read = read_tiff if Path(file).suffix.lower() in (".tif", ".tiff") else read_picture
        pages = read(file, indices)
    except Exception as error:  # a damaged file may raise anything in a decoder
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: cannot be read as an image ({reason}).") from None
    return pages.astype(pages.dtype.newbyteorder("="), copy=False)


def read_picture(file, indices):
    """`read_pages` for what Pillow reads."""
    with Image.open(file) as image:
        check_size(image.height, image.width)
        image.load()
    if image.mode == "P" and not indices:
        colours = np.reshape(image.getpalette("RGB"), (-1, 3))
        image = image.convert("L" if np.all(colours == colours[:, :1]) else "RGB")
    elif image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("P", "L", "I", "F", "RGB") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    return np.asarray(image)[np.newaxis]


def read_tiff(file, indices):
    """`read_pages` for TIFF."""
    with tifffile.TiffFile(file) as tiff:
        series, palette = tiff.series[0], tiff.pages[0].colormap
        check_size(*(series.shape[series.axes.index(axis)] for axis in "YX"))
        array = series.asarray()
    if array.dtype == bool:
        array = np.uint8(array) * np.uint8(255)
    in_colour = False
    if "S" in series.axes:  # samples: grey and alpha, or red, green, blue and alpha
        array = np.moveaxis(array, series.axes.index("S"), -1)
        in_colour = array.shape[-1] > 2
        array = array[..., :3] if in_colour else array[..., 0]
    elif palette is not None and not indices:
        array = np.uint8(np.moveaxis(palette[:, array] >> 8, 0, -1))
        in_colour = True
    return array.reshape(-1, *array.shape[-3 if in_colour else -2 :])


def check_size(height, width):
    """Refuse what would fill the memory, such as a decompression bomb, before it is decoded."""
    if height * width > MOST_PIXELS:
        raise ValueError(f"its {height}x{width} pixels are more than {MOST_PIXELS:,}")


def read_label(file, indices=True):
    """Read a label as whole numbers.

    Parameters
    ----------
    file, indices
        As for `read_pages`.

    Returns
    -------
    array of integers (height, width)
        Grey values, or a palette's indices. 8-bit colours become numbers that grow with their brightness.

    Raises
    ------
    ValueError
        As `read_array`, and if a label holds fractions.
    """
    label = read_array(file, indices)
    if label.dtype.kind == "f":
        if not np.isfinite(label).all() or np.any(label % 1):
            raise ValueError(f"{file}: its values are no whole numbers; a label holds one number a class.")
        label = label.astype(np.int64)
    if label.ndim == 3:
        red, green, blue = np.moveaxis(label.astype(np.int64), -1, 0)
        label = (red + green + blue) << 24 | red << 16 | green << 8 | blue
    return label


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


def read_palette(file, values):
    """The colours that a label shows its classes in, to write masks alike.

    Parameters
    ----------
    file : path
        An indexed PNG, or a label in colours.
    values : list of int
        The values of its classes, as `read_label` reads them.

    Returns
    -------
    list of int, or None
        Red, green and blue of each index; None for a label in grey.
    """
    if is_colour(values):
        return [value >> shift & 255 for value in values for shift in (16, 8, 0)]
    if Path(file).suffix.lower() != ".png":
        return None
    with Image.open(file) as image:
        return image.getpalette("RGB") if image.mode == "P" else None


def is_colour(values):
    """Whether the values of labels are colours."""
    return max(values) >= 1 << 24


def name_value(value):
    """A label's value as text: a number, or a colour such as #ff8000."""
    return f"#{value & 0xFFFFFF:06x}" if is_colour([value]) else str(value)


def write_mask(path, mask, palette=None):
    """Write an array (height, width) of uint8 or uint16 as PNG, in grey or, with a palette, as its indices."""
    image = Image.fromarray(mask)
    if palette:
        image.putpalette(palette)
    with whole_file(path) as temporary:
        image.save(temporary, optimize=True)


def write_stack(path, stack, like):
    """Write a stack that ImageJ lays over the one it belongs to.

    Parameters
    ----------
    path : Path
    stack : uint8, uint16 or float32 array (pages, height, width) or (pages, classes, height, width)
    like : Path
        The TIFF whose resolution is taken over.
    """
    with tifffile.TiffFile(like) as tiff:
        page, imagej = tiff.pages[0], tiff.imagej_metadata or {}
        resolution = {"resolution": page.resolution, "resolutionunit": page.resolutionunit}
    metadata = {
        "axes": "ZYX" if stack.ndim == 3 else "ZCYX",
        **{name: imagej[name] for name in ("spacing", "unit") if name in imagej},
    }
    with whole_file(path) as temporary:
        tifffile.imwrite(temporary, stack, imagej=True, metadata=metadata, **resolution)


def write_probability(path, maps, like):
    """Write maps, a float32 array (pages, [classes,] height, width), as TIFF: one page alone, more as `write_stack`."""
    if len(maps) > 1:
        write_stack(path, maps, like)
    else:
        with whole_file(path) as temporary:
            tifffile.imwrite(temporary, maps[0], compression="zlib", photometric="minisblack")
