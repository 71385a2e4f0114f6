"""Images from files, as arrays of their own dtype, and scaled for a network. One reader for training and prediction."""

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

    Raises
    ------
    ValueError
        If the file is no image, or damaged; says which file.
    """
    try:
        pages = READERS.get(Path(file).suffix.lower(), _read_picture)(file, indices)
    except Exception as error:  # a damaged file may raise anything in a decoder
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: cannot be read as an image ({reason}).") from None
    return pages.astype(pages.dtype.newbyteorder("="), copy=False)


def _read_picture(file, indices):
    """`read_pages` for what Pillow reads."""
    with Image.open(file) as image:
        _check_size(image.height, image.width)
        image.load()
    if image.mode == "P" and not indices:
        colours = np.reshape(image.getpalette("RGB"), (-1, 3))
        image = image.convert("L" if np.all(colours == colours[:, :1]) else "RGB")
    elif image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("P", "L", "I", "F", "RGB") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    return np.asarray(image)[np.newaxis]


def _read_tiff(file, indices):
    """`read_pages` for TIFF."""
    with tifffile.TiffFile(file) as tiff:
        series, palette = tiff.series[0], tiff.pages[0].colormap
        _check_size(*(series.shape[series.axes.index(axis)] for axis in "YX"))
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


def _check_size(height, width):
    """Refuse what would fill the memory, such as a decompression bomb, before it is decoded."""
    if height * width > MOST_PIXELS:
        raise ValueError(f"its {height}x{width} pixels are more than {MOST_PIXELS:,}")


READERS = {
    ".png": _read_picture,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".jpg": _read_picture,
    ".jpeg": _read_picture,
    ".bmp": _read_picture,
}


def read_image(file):
    """Read an image for the network: float32 (height, width, 1 or 3) in [0, 1], as `scale` makes it.

    Raises
    ------
    ValueError
        If the file cannot be read, or its pixels not scaled; says which file.
    """
    array = read_array(file)
    check_range(array, file)
    return scale(array)


def scale(array):
    """Scale an image by its dtype, never by its content.

    Parameters
    ----------
    array : array (height, width) or (height, width, channels)
        Such as `check_range` lets pass.

    Returns
    -------
    float32 array (height, width, channels) in [0, 1]
    """
    if array.dtype.kind == "u":
        array = array / np.float32(np.iinfo(array.dtype).max)
    return array.astype("float32", copy=False).reshape(*array.shape[:2], -1)


def check_range(array, file):
    """Refuse pixels that cannot be scaled by their dtype.

    Parameters
    ----------
    array : array
        Pixels: unsigned integers, whose range becomes [0, 1], or floats in [0, 1] already.
    file : path
        Where they come from, for the message.

    Raises
    ------
    ValueError
        If the dtype is another, or a float is outside [0, 1] or no number; says which file.
    """
    if array.dtype.kind not in "uf":
        raise ValueError(f"{file}: expected 8 or 16 bits without sign, or floats, found {array.dtype}; convert it.")
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if not np.isfinite([low, high]).all():
            raise ValueError(f"{file}: holds values that are no finite numbers (NaN or infinite); replace them.")
        if low < 0 or high > 1:
            found = f"{low:.4g} to {high:.4g}"
            raise ValueError(f"{file}: floats have to lie between 0 and 1, found {found}; divide all images alike.")
