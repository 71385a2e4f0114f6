"""Volumes, of which a part is read at a time: Zarr, OME-Zarr, HDF5 and TIFF."""

import functools
import json
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tifffile
import zarr

from segmentation.files import folders, images, scans

SECTION = "yx"
AXES = set("tczyx")


class Volume(NamedTuple):
    """An array in a file, opened anew wherever it is read, so that it can be sent to other processes.

    `axes` are the names of its dimensions, `units` and `scale` those of OME-Zarr, `name` that of the array in the
    file; `guessed` says that the file does not name its axes.
    """

    path: Path
    name: str
    shape: tuple
    dtype: np.dtype
    axes: str
    units: tuple
    scale: tuple
    zarr_format: int = 3
    guessed: bool = False

    @property
    def leading(self):
        """The axes before those of a section."""
        return [axis for axis in self.axes if axis not in SECTION + "c"]

    def read(self, index):
        """Read what numpy would by that index."""
        with _open_array(self.path, self.name) as array:
            return np.asarray(array[index])


class Section:
    """One section of a volume, (height, width) or (height, width, channels), read where it is indexed.

    Parameters
    ----------
    volume : Volume
    position : tuple of int
        Where it is along the axes that come before its own.
    """

    def __init__(self, volume, position):
        channels = dict(zip(volume.axes, volume.shape, strict=True)).get("c", 1)
        self.volume, self.position = volume, dict(zip(volume.leading, position, strict=True))
        if channels == 1:
            self.position["c"] = 0
        self.order = SECTION + "c" * (channels > 1)
        self.shape = tuple(volume.shape[volume.axes.index(axis)] for axis in self.order)
        self.dtype, self.ndim = volume.dtype, len(self.shape)

    def __getitem__(self, index):
        every = (*index, *(slice(None),) * (self.ndim - len(index)))
        where = self.position | dict(zip(self.order, every, strict=True))
        section = self.volume.read(tuple(where[axis] for axis in self.volume.axes))
        stored = [axis for axis in self.volume.axes if axis in self.order]
        return section.transpose([stored.index(axis) for axis in self.order])


@contextmanager
def _open_array(path, name):
    """The array at `name` in a Zarr, HDF5 or TIFF file."""
    if folders.has_suffix(path, folders.HDF5):
        with h5py.File(path) as file:
            yield file[name]
    elif images.find_suffix(path) in scans.SUFFIXES:
        yield _read_scan(path)
    elif folders.has_suffix(path, folders.ZARR) or path.is_dir():
        node = zarr.open(path, mode="r")
        yield node[name] if name else node
    else:
        with tifffile.imread(path, aszarr=True, level=0) as store:
            yield zarr.open_array(store, mode="r")


@functools.lru_cache(1)  # its sections follow each other
def _read_scan(path):
    """All pages of what medicine and microscopes write: (pages, height, width) or (pages, height, width, channels)."""
    return images.read_pages(path)


def find_volume(text, channels, axes=None):
    """Find the array that is meant by a path.

    Parameters
    ----------
    text : str
        A Zarr array or group, a TIFF, an HDF5 file, or the name of a dataset after that of its file.
    channels : int
        How many the network takes.
    axes : str or None
        What the axes are, such as zyxc, whatever the file says.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If there is none, or more than one, or it has other axes than sections of images.
    """
    path, name = Path(text), ""
    inside = next((parent for parent in path.parents if folders.has_suffix(parent, folders.HDF5)), None)
    if inside:
        path, name = inside, path.relative_to(inside).as_posix()
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder.")
    try:
        if folders.has_suffix(path, folders.HDF5):
            found = _list_hdf5(path, channels)
        elif path.is_dir():
            found = _list_zarr(path, channels)
        elif images.find_suffix(path) in scans.SUFFIXES:
            pages = _read_scan(path)
            units, scale = (None,) * pages.ndim, (1.0,) * pages.ndim
            found = {"": Volume(path, "", pages.shape, pages.dtype, "zyxc"[: pages.ndim], units, scale)}
        else:
            found = _list_tiff(path)
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: cannot be read as a volume ({reason}).") from None
    volume = _choose(found, path, name)
    if axes:
        if len(axes) != len(volume.shape) or len(set(axes)) != len(axes) or not set(SECTION) <= set(axes) <= AXES:
            raise ValueError(f"--axes {axes}: expected a letter of tczyx for each axis of the shape {volume.shape}.")
        volume = volume._replace(axes=axes, guessed=False)
    _check_axes(volume, channels)
    return volume


def _choose(found, path, name):
    """The `Volume` of a name, out of those that a file holds by name, or the only one."""
    if name and name not in found:
        raise ValueError(f"{path}: holds no dataset {name}, but {', '.join(found)}.")
    if name or len(found) == 1:
        return found[name] if name else next(iter(found.values()))
    if not found:
        raise ValueError(f"{path}: holds no images.")
    raise ValueError(f"{path}: holds several datasets, name one as {path}/{next(iter(found))}: {', '.join(found)}.")


def _list_hdf5(path, channels):
    """The `Volume` of each dataset of an HDF5 file, by name."""
    with h5py.File(path) as file:
        names = []
        file.visititems(lambda name, node: names.append(name) if getattr(node, "ndim", 0) > 1 else None)
        return {name: _read_axes(path, name, file[name], channels) for name in names}


def _read_axes(path, name, array, channels):
    """The `Volume` of a dataset of an HDF5 file: by its axistags, as ilastik and vigra write them, or its labels."""
    guess = _guess_axes(path, name, array, channels)
    tags = array.attrs.get("axistags")
    keys = [axis["key"] for axis in json.loads(tags)["axes"]] if tags else [axis.label for axis in array.dims]
    axes = "".join(keys).lower()
    return guess._replace(axes=axes, guessed=False) if len(axes) == array.ndim else guess


def _list_zarr(path, channels):
    """The `Volume` of a Zarr array, of the full resolution of an OME-Zarr, or of each array of a group, by name."""
    node = zarr.open(path, mode="r")
    zarr_format = node.metadata.zarr_format
    if isinstance(node, zarr.Array):
        return {"": _guess_axes(path, "", node, channels)._replace(zarr_format=zarr_format)}
    attributes = dict(node.attrs)
    scales = attributes.get("ome", attributes).get("multiscales")
    if not scales:
        arrays = {name: _guess_axes(path, name, array, channels) for name, array in node.arrays() if array.ndim > 1}
        return {name: volume._replace(zarr_format=zarr_format) for name, volume in arrays.items()}
    first = scales[0]["datasets"][0]
    array = node[first["path"]]
    scale = np.ones(array.ndim)
    for transform in (*first["coordinateTransformations"], *scales[0].get("coordinateTransformations", ())):
        scale = scale * transform.get("scale", 1)
    axes = scales[0]["axes"]
    volume = Volume(
        path=path,
        name=first["path"],
        shape=array.shape,
        dtype=array.dtype,
        axes="".join(axis["name"] for axis in axes),
        units=tuple(axis.get("unit") for axis in axes),
        scale=tuple(map(float, scale)),
        zarr_format=zarr_format,
    )
    return {volume.name: volume}


def _list_tiff(path):
    """The `Volume` of the first series of a TIFF."""
    with tifffile.TiffFile(path) as tiff:
        series, *others = [series for series in tiff.series if not series.keyframe.is_reduced]
        if others:
            raise ValueError(f"holds {len(others) + 1} series of images; save it as one stack")
        page = series.keyframe
        if page.photometric not in (1, 2) or page.tags.valueof(274, default=1) != 1:
            raise ValueError(f"its pixels are {page.photometric.name}, or turned; save them as they are to be seen")
        axes = series.axes.lower().replace("s", "c").replace("i", "z").replace("q", "z")
    units, scale = (None,) * len(axes), (1.0,) * len(axes)
    return {"": Volume(path, "", series.shape, series.dtype, axes, units, scale)}


def _guess_axes(path, name, array, channels):
    """The `Volume` of an array that does not say what its axes are: channels last, if there are so many, or none."""
    last = array.ndim > 2 and array.shape[-1] in {1, 3, channels} and array.shape[-1] < min(array.shape[-3:-1])
    axes = "tzyxc" if last else "tczyx" if array.ndim == 5 else "tzyx"
    units, scale = (None,) * array.ndim, (1.0,) * array.ndim
    return Volume(path, name, array.shape, array.dtype, axes[-array.ndim :], units, scale, guessed=True)


def _check_axes(volume, channels):
    """Refuse what is not made of sections with as many channels as the network takes."""
    sizes = dict(zip(volume.axes, volume.shape, strict=False))
    if len(sizes) != len(volume.shape) or not set(SECTION) <= sizes.keys():
        found = f"found {volume.axes} of shape {volume.shape}"
        raise ValueError(f"{volume.path}: expected axes such as z, y, x, {found}; --axes names them.")
    if sizes.get("c", 1) != channels:
        raise ValueError(
            f"{volume.path}: expected {channels} channels, as in training, found {sizes.get('c', 1)}, in the axes "
            f"{volume.axes} of shape {volume.shape}; convert the volume, or name its axes by --axes."
        )
