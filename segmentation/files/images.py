"""Images from files of every format, as their owner sees them: all pages, palettes, alpha, turned upright.

What cannot be read as it was meant is refused in one sentence, never guessed in silence. One reader for all formats.
"""

from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from segmentation.files import rasters, scans, tiff

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is lower
COLOUR, GREY_ALPHA, COLOUR_ALPHA = 2, 4, 6  # of the codes of PNG


def read_raster(file):
    """Read what a file holds: an image, a stack, or an animation.

    Parameters
    ----------
    file : path

    Returns
    -------
    rasters.Raster

    Raises
    ------
    ValueError
        If the file is no image, damaged, or not to be read as it was meant; says which file.
    """
    suffix = find_suffix(file)
    try:
        raster = READERS.get(suffix, _read_picture)(file)
        if not raster.pages.size:
            raise rasters.Refusal("holds no pixels; save it again.")
        return replace(raster, pages=_to_plain(raster.pages), alpha=_to_plain(raster.alpha))
    except rasters.Refusal as error:
        raise ValueError(f"{file}: {error}") from None
    except Exception as error:  # a damaged file may raise anything in a decoder
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):  # its text repeats the path
            reason = "no format that is known"
        fix = "copy or save it again" if suffix in READERS else f"what is read is {', '.join(READERS)}"
        raise ValueError(f"{file}: cannot be read as an image ({reason}); {fix}.") from None


def read_pages(file):
    """Read the images of a file, the colours of a palette instead of its indices, without alpha.

    Returns
    -------
    array (pages, height, width) or (pages, height, width, channels)

    Raises
    ------
    ValueError
        As `read_raster`.
    """
    return to_pages(read_raster(file))


def list_notes(raster):
    """The notes on a `Raster` whose alpha is not used: of more than two values it may be a band."""
    if raster.palette is None and raster.alpha is not None and len(np.unique(raster.alpha)) > 2:
        return (*raster.notes, "its alpha channel is left out; write it as an unspecified channel if it is a band")
    return raster.notes


def read_pixel_size(file):
    """The size of a pixel (height, width, unit), such as (0.5, 0.5, "um"), where a TIFF tells it in a unit of length.

    ImageJ's and OME's are read; None for all others, whose resolution is one for printers.
    """
    return tiff.read_pixel_size(file) if find_suffix(file) in (".tif", ".tiff") else None


def read_array(file):
    """Read the one image of a file, as `read_pages`.

    Returns
    -------
    array (height, width) or (height, width, channels)

    Raises
    ------
    ValueError
        As `read_raster`, and if the file is a stack.
    """
    pages = read_pages(file)
    if len(pages) != 1:
        raise ValueError(f"{file}: a stack of {len(pages)} images; save each as a file of its own to train on them.")
    return pages[0]


def to_pages(raster):
    """The pages of a `Raster`, the colours of a palette applied: (pages, height, width) if they are greys."""
    if raster.palette is None:
        return raster.pages
    is_grey = np.all(raster.palette == raster.palette[:, :1])
    return (raster.palette[:, 0] if is_grey else raster.palette)[raster.pages]


def to_grey(pages):
    """Pages (pages, height, width) of images whose red, green and blue are the same; others as they are."""
    if pages.ndim != 4 or pages.shape[3] != 3:
        return pages
    # A few pixels show colour where there is any, nearly always.
    same = all(np.all(some == some[..., :1]) for some in (pages[:, ::16, ::16], pages))
    return pages[..., 0] if same else pages


def find_suffix(file):
    """The suffix that tells a file's format, in lower case: .nii.gz, or what stands behind the last dot."""
    name = Path(file).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def _to_plain(array):
    """An array in the byte order of this machine, bits as 0 and 255; None stays None."""
    if array is None:
        return None
    if array.dtype == bool:
        return np.uint8(array) * np.uint8(255)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


# Pictures


def _read_picture(file):
    """Read what Pillow reads, but PNG of 16 bits a channel, of which Pillow would keep 8."""
    notes, palette = (), None
    with Image.open(file) as image:
        if image.format == "TIFF":  # by another name; Pillow would read its first page
            return tiff.read_tiff(file)
        rasters.check_size(image.height, image.width)
        depth, kind = _read_depth(file) if image.format == "PNG" else (8, 0)
        if image.format == "GIF" and not Path(file).read_bytes().rstrip(b"\0").endswith(b";"):
            raise rasters.Refusal("is cut off, as GIF ends in a mark that it lacks; copy or save it again.")
        count = getattr(image, "n_frames", 1)
        if count > 1 and image.format in ("JPEG", "MPO"):
            notes = (f"{count - 1} more of its images, such as previews, left out",)
        elif count > 1:
            if depth == 16:
                raise rasters.Refusal("is an animation of 16 bits a channel; save its images as TIFF.")
            return _read_animation(image)
        image.load()
        orientation = image.getexif().get(274, 1)
    if depth == 16 and kind in (COLOUR, GREY_ALPHA, COLOUR_ALPHA):
        array, alpha = _read_deep_png(file, kind)
    else:
        array, alpha, palette = _read_frame(image)
    if orientation in range(2, 9):
        notes += ("is turned upright, as its EXIF says",)
    array, alpha = (part if part is None else rasters.turn(part[np.newaxis], orientation) for part in (array, alpha))
    return rasters.Raster(array, alpha, palette, notes)


def _read_depth(file):
    """The bits a channel of a PNG, and the code of its kind of colours."""
    with Path(file).open("rb") as opened:
        return tuple(opened.read(26)[24:])


def _read_deep_png(file, kind):
    """The pixels of a PNG of 16 bits a channel, and its alpha or None."""
    array = imagecodecs.png_decode(Path(file).read_bytes())
    if kind == COLOUR:
        return array[..., :3], None  # a fourth channel is the decoder's, for the one colour that is transparent
    return (array[..., 0] if kind == GREY_ALPHA else array[..., :3]), array[..., -1]


def _read_frame(image):
    """The pixels of a Pillow image, its alpha or None, and its palette or None."""
    if image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    if image.mode in ("P", "PA"):
        indices = np.asarray(image).reshape(image.height, image.width, -1)[..., 0]
        palette = np.zeros((256, 3), np.uint8)  # Pillow leaves out colours at the end, and shows those as black
        colours = np.reshape(image.getpalette("RGB"), (-1, 3))[:256]
        palette[: len(colours)] = colours
        alpha = np.asarray(image.convert("RGBA"))[..., 3] if image.has_transparency_data else None
        if alpha is not None and alpha.min() == 255:
            alpha = None
        return indices, alpha, palette[: max(len(colours), int(indices.max()) + 1)]
    if image.mode in ("LA", "RGBA"):
        array = np.asarray(image)
        return (array[..., 0] if image.mode == "LA" else array[..., :3]), array[..., -1], None
    if image.mode not in ("1", "L", "I", "F", "RGB") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    return np.asarray(image), None, None


def _read_animation(image):
    """Read every frame as it is shown; grey if all of them are."""
    frames = np.stack([np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)])
    colours, alpha = frames[..., :3], frames[..., 3]
    if np.all(colours == colours[..., :1]):
        colours = colours[..., 0]
    return rasters.Raster(colours, None if alpha.min() == 255 else alpha)


# Others


def _read_numpy(file):
    """Read one image of two axes, beside which there may be one of length 1."""
    array = np.load(file, allow_pickle=False, mmap_mode="r")
    if isinstance(array, np.ndarray) and array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if not isinstance(array, np.ndarray) or array.ndim != 2:
        found = f"is an array of the shape {array.shape}" if isinstance(array, np.ndarray) else "holds several arrays"
        raise rasters.Refusal(f"{found}, whose axes cannot be known; save it as TIFF.")
    if array.dtype.kind not in "buif":
        raise rasters.Refusal(f"holds values of the kind {array.dtype}; save integers or floats.")
    rasters.check_size(*array.shape)
    return rasters.Raster(np.array(array)[np.newaxis])


def _read_scan(read, file):
    """Read by a function of scans.py, whose own sentences pass."""
    try:
        pages, notes = read(file)
    except ValueError as error:
        raise rasters.Refusal(str(error).removeprefix(f"{file}: ")) from None
    return rasters.Raster(pages, notes=tuple(notes))


READERS = {
    ".png": _read_picture,
    ".tif": tiff.read_tiff,
    ".tiff": tiff.read_tiff,
    ".jpg": _read_picture,
    ".jpeg": _read_picture,
    ".bmp": _read_picture,
    ".gif": _read_picture,
    ".webp": _read_picture,
    ".lsm": tiff.read_tiff,
    ".npy": _read_numpy,
    ".nii": lambda file: _read_scan(scans.read_nifti, file),
    ".nii.gz": lambda file: _read_scan(scans.read_nifti, file),
    ".dcm": lambda file: _read_scan(scans.read_dicom, file),
    ".czi": lambda file: _read_scan(scans.read_czi, file),
    ".nd2": lambda file: _read_scan(scans.read_nd2, file),
}
