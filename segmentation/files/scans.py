"""What medicine and microscopes write, as arrays: NIfTI, DICOM, Zeiss CZI and Nikon ND2.

Each reader gives the pages of a file, in the byte order of the file, and notes: sentences about what was guessed or
left out. Pages are (pages, height, width), or (pages, height, width, channels) with 2 channels or more. Errors and
notes do not name the file. What is no file of its kind, or damaged, may raise anything in a package that reads it.
"""

import itertools
import math
from pathlib import Path

import numpy as np

from segmentation import extras

SUFFIXES = (".nii", ".nii.gz", ".dcm", ".czi", ".nd2")
MOST_PIXELS = 20_000**2
# What a page is along an axis that is no axis of a picture.
AXES = {"S": "scenes", "P": "positions", "T": "times", "Z": "slices"}
# How the dimensions of CZI are laid out as pages: blocks, views, rotations, illuminations, phases, times, slices.
CZI_AXES = "BVRIHTZ"
DICOM_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def lie_otherwise(image, label):
    """Whether two files of NIfTI lie in space otherwise, as their affines say; False of other files.

    The same if one has no affine, or the identity, which programs write that know of none.
    """
    files = [Path(file) for file in (image, label)]
    if not all(file.name.lower().endswith((".nii", ".nii.gz")) for file in files):
        return False
    with extras.needs("medical"):
        import nibabel
    headers = [nibabel.load(file) for file in files]
    if any(np.array_equal(one.affine, np.eye(4)) or not _has_affine(one.header) for one in headers):
        return False
    first, second = (one.affine[:3, :3] / np.linalg.norm(one.affine[:3, :3], axis=0) for one in headers)
    return bool(np.any(np.sum(first * second, axis=0) < np.cos(np.pi / 3)))


def _has_affine(header):
    """Whether a header of NIfTI says where its image lies."""
    return bool(header["qform_code"] or header["sform_code"])


def read_nifti(file):
    """Read NIfTI, `.nii` or `.nii.gz`: the slices of each time, one after another.

    Rows are the second axis (y), columns the first (x), as they are stored: nothing is turned into another
    orientation.

    Parameters
    ----------
    file : path

    Returns
    -------
    pages : array (pages, height, width) or (pages, height, width, 3)
        Of the dtype that is stored, or, with a slope and an intercept, as `rescale` makes it.
    notes : tuple of str

    Raises
    ------
    ValueError
        If nibabel is missing, or the file holds vectors, complex numbers, a surface, or pages of too many pixels.
    """
    with extras.needs("medical"):
        import nibabel
    image = nibabel.load(file, mmap=False)
    if not isinstance(image, nibabel.Nifti1Pair):
        raise ValueError(f"holds no image, but a {type(image).__name__}")
    shape = image.shape
    sizes = "x".join(map(str, shape))
    if len(shape) < 2 or max(shape[4:], default=1) > 1:
        raise ValueError(f"expected 2 to 4 dimensions (x, y, z, time), found {len(shape)}, of sizes {sizes}")
    _check_size(shape[1], shape[0])
    stored = image.dataobj.get_unscaled()
    if stored.dtype.kind == "c":
        raise ValueError(f"holds complex numbers ({stored.dtype}); save their magnitude")
    pages = stored.reshape((*shape, 1, 1)[:4]).T.reshape(-1, shape[1], shape[0])
    notes = _note_pages({"T": math.prod(shape[3:4]), "Z": math.prod(shape[2:3])})
    if stored.dtype.names:
        if "A" in stored.dtype.names:
            notes += ("its alpha channel is left out",)
        return np.stack([pages[name] for name in "RGB"], axis=-1), notes
    return rescale(pages, image.dataobj.slope, image.dataobj.inter), notes


def read_dicom(file):
    """Read DICOM: the frames of a file, without its windows and overlays.

    Parameters
    ----------
    file : path

    Returns
    -------
    pages : array (pages, height, width) or (pages, height, width, 3)
        Grey values in the unit of the file, which of CT are Hounsfield units, of a dtype as `rescale` makes it, or as
        the file's own table of grey values has it. Colours, those of a palette too, are red, green and blue.
    notes : tuple of str

    Raises
    ------
    ValueError
        If pydicom is missing, or the file is no DICOM, holds no pixels, or too many.
    """
    with extras.needs("medical"):
        import pydicom
        from pydicom import errors, pixels
    try:
        dataset = pydicom.dcmread(file)
    except errors.InvalidDicomError:
        raise ValueError("is no DICOM file: the letters DICM are missing at its start") from None
    if not any(name in dataset for name in DICOM_PIXELS):
        kind = getattr(dataset.get("SOPClassUID"), "name", "no kind is named")
        raise ValueError(f"holds no pixels ({kind}); give a file with an image in it.")
    _check_size(dataset.Rows, dataset.Columns)
    in_colour = dataset.SamplesPerPixel > 1
    stored = dataset.pixel_array
    stored = stored.reshape(-1, *stored.shape[-3 if in_colour else -2 :])
    notes = _note_tiles(dataset)
    if in_colour:
        return stored, notes
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return pixels.apply_color_lut(stored, dataset)[..., :3], notes
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    if inverted:
        notes += ("inverted, as a viewer shows it, for in the file high values are dark (MONOCHROME1)",)
    if dataset.get("ModalityLUTSequence"):
        values = pixels.apply_modality_lut(stored, dataset)
        return np.iinfo(values.dtype).max - values if inverted else values, notes
    return _rescale_frames(_invert(stored, dataset) if inverted else stored, dataset), notes


def read_czi(file):
    """Read Zeiss CZI: scenes, times and slices are pages, the tiles of a mosaic are put together into one page.

    Parameters
    ----------
    file : path

    Returns
    -------
    pages : array (pages, height, width) or (pages, height, width, channels)
        uint8, uint16 or float32. The channels are those of the file; one in colour is red, green and blue.
    notes : tuple of str

    Raises
    ------
    ValueError
        If pylibCZIrw is missing, or the file holds no image, scenes of several sizes, or pages of too many pixels.
    """
    with extras.needs("microscopy"):
        from pylibCZIrw import czi
    with czi.open_czi(str(file)) as document:
        places, kinds, tiles = _list_blocks(document)
        if not kinds:
            raise ValueError("holds no image")
        scenes = document.scenes_bounding_rectangle_no_pyramid or {None: document.total_bounding_rectangle_no_pyramid}
        sizes = sorted({(rectangle.h, rectangle.w) for rectangle in scenes.values()})
        if len(sizes) > 1:
            found = ", ".join(f"{height}x{width}" for height, width in sizes)
            raise ValueError(f"its {len(scenes)} scenes differ in size ({found}); save each as a file of its own")
        _check_size(*sizes[0])
        axes = [axis for axis in CZI_AXES if axis in places]
        planes = [dict(zip(axes, place, strict=True)) for place in itertools.product(*map(places.get, axes))]
        pages = np.stack(
            [
                _read_plane(document, plane, kinds, scene, rectangle)
                for scene, rectangle in sorted(scenes.items())
                for plane in planes
            ]
        )
    notes = _note_pages({"S": len(scenes)} | {axis: len(places[axis]) for axis in axes})
    if tiles > 1:
        notes += (f"its {tiles} tiles are put together; where there is none it is black",)
    return _drop_one_channel(pages), notes


def read_nd2(file):
    """Read Nikon ND2: positions, times and slices are pages.

    Parameters
    ----------
    file : path

    Returns
    -------
    pages : array (pages, height, width) or (pages, height, width, channels)
        Of the dtype that is stored. The channels are those of the file; one in colour is red, green and blue.
    notes : tuple of str

    Raises
    ------
    ValueError
        If nd2 is missing, or a page has too many pixels.
    """
    with extras.needs("microscopy"):
        import nd2
    with nd2.ND2File(file) as document:
        sizes = dict(document.sizes)  # without the axes that have but one place
        height, width, channels, samples = (sizes.get(axis, 1) for axis in "YXCS")
        _check_size(height, width)
        stored = document.asarray()
    axes = [axis for axis in sizes if axis not in "YXCS"]
    order = [*axes, *(axis for axis in "YXCS" if axis in sizes)]
    pages = stored.transpose([list(sizes).index(axis) for axis in order]).reshape(-1, height, width, channels, samples)
    pages = pages[..., ::-1]  # blue, green, red in the file
    pages = pages.reshape(-1, height, width, channels * samples)
    return _drop_one_channel(pages), _note_pages({axis: sizes[axis] for axis in axes})


def rescale(stored, slope, intercept):
    """Values as they are meant: what is stored, times a slope, plus an intercept.

    Parameters
    ----------
    stored : array
        Integers or floats.
    slope, intercept : float

    Returns
    -------
    array of the same shape
        As it is with a slope of 1 and an intercept of 0. Or else int32 where that holds every value exactly, whatever
        is stored; if not, float32, or the floats that are stored.
    """
    if (slope, intercept) == (1, 0):
        return stored
    if stored.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        limits = np.iinfo(stored.dtype)
        ends = [int(end) * int(slope) + int(intercept) for end in (limits.min, limits.max)]
        if max(map(abs, ends)) <= np.iinfo(np.int32).max:
            return stored.astype(np.int32) * np.int32(slope) + np.int32(intercept)
    dtype = stored.dtype if stored.dtype.kind == "f" else np.dtype(np.float32)
    return stored.astype(dtype) * dtype.type(slope) + dtype.type(intercept)


def _rescale_frames(stored, dataset):
    """The grey values of the frames of DICOM, each by its own slope and intercept."""
    scales = [_find_scale(dataset, page) for page in range(len(stored))]
    if len(set(scales)) == 1:
        return rescale(stored, *scales[0])
    return np.stack([rescale(frame, *scale) for frame, scale in zip(stored, scales, strict=True)])


def _find_scale(dataset, page):
    """The slope and the intercept of a frame of DICOM: 1 and 0 if there are none."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (*own[page : page + 1], *shared[:1]):
        for scale in groups.get("PixelValueTransformationSequence") or []:
            return float(scale.RescaleSlope), float(scale.RescaleIntercept)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    return (1.0, 0.0) if slope is None or intercept is None else (float(slope), float(intercept))


def _invert(stored, dataset):
    """Bright for dark, within the bits that are in use."""
    if stored.dtype.kind == "f":
        return -stored
    return (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - stored


def _note_tiles(dataset):
    """A note on the tiles of a whole slide, which are pages; DICOM."""
    width, height = dataset.get("TotalPixelMatrixColumns", 0), dataset.get("TotalPixelMatrixRows", 0)
    if width <= dataset.Columns and height <= dataset.Rows:
        return ()
    return (f"its pages are tiles of a picture of {height}x{width} pixels, which is not put together",)


def _list_blocks(document):
    """Where the blocks of pixels of a CZI lie.

    The package would count from 0 along each axis, but a part saved by itself counts on from where it was.

    Returns
    -------
    places : dict
        The places along each axis that is no axis of a picture, in order.
    kinds : dict
        The kind of pixel of each channel.
    tiles : int
        How many a page is made of.
    """
    places, kinds, tiles = {}, {}, set()

    def take(_, block):
        place = block.coordinate.to_dict()
        for axis, index in place.items():
            places.setdefault(axis, set()).add(index)
        kinds[place.get("C", 0)] = block.pixelType.name
        tiles.add(block.mIndex if block.is_mindex_valid() else 0)
        return True  # go on

    document.enumerate_subblocks_subset(take, only_layer0=True)
    return {axis: sorted(indices) for axis, indices in places.items()}, kinds, len(tiles)


def _read_plane(document, plane, kinds, scene, rectangle):
    """The channels of a page of CZI, (height, width, channels)."""
    channels = [
        document.read(roi=rectangle, plane=plane | {"C": channel}, scene=scene, pixel_type=kind)[..., ::-1]  # from BGR
        for channel, kind in sorted(kinds.items())
    ]
    return np.concatenate(channels, axis=-1)


def _drop_one_channel(pages):
    """Pages without the axis of channels if they have but one."""
    return pages[..., 0] if pages.shape[-1] == 1 else pages


def _note_pages(sizes):
    """A note on what the pages are if they are more than the slices of one stack."""
    several = {axis: size for axis, size in sizes.items() if size > 1}
    if several.keys() <= {"Z"}:
        return ()
    counted = ", each of ".join(f"{size} {AXES.get(axis, f'places along {axis}')}" for axis, size in several.items())
    return (f"read as {math.prod(several.values())} pages, one after another: {counted}",)


def _check_size(height, width):
    """Refuse what would fill the memory before it is decoded."""
    if height * width > MOST_PIXELS:
        raise ValueError(f"its {height}x{width} pixels are more than {MOST_PIXELS:,}")
