"""Volumes, of which a part is read at a time: Zarr, OME-Zarr, HDF5 and TIFF."""

from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tifffile
import zarr

from segmentation.files import folders

SECTION = "yx"


class Volume(NamedTuple):
    """An array in a file, opened anew wherever it is read, so that it can be sent to other processes.

    `axes` are the names of its dimensions, `units` and `scale` those of OME-Zarr, `name` that of the array in the
    file.
    """

    path: Path
    name: str
    shape: tuple
    dtype: np.dtype
    axes: str
    units: tuple
    scale: tuple
    zarr_format: int = 3

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
        where = self.position | dict(zip(self.order, index, strict=True))
        section = self.volume.read(tuple(where[axis] for axis in self.volume.axes))
        stored = [axis for axis in self.volume.axes if axis in self.order]
        return section.transpose([stored.index(axis) for axis in self.order])


@contextmanager
def _open_array(path, name):
    """The array at `name` in a Zarr, HDF5 or TIFF file."""
    if folders.has_suffix(path, folders.HDF5):
        with h5py.File(path) as file:
            yield file[name]
    elif folders.has_suffix(path, folders.ZARR) or path.is_dir():
        node = zarr.open(path, mode="r")
        yield node[name] if name else node
    else:
        with tifffile.imread(path, aszarr=True, level=0) as store:
            yield zarr.open_array(store, mode="r")


def find_volume(text, channels):
    """Find the array that is meant by a path.

    Parameters
    ----------
    text : str
        A Zarr array or group, a TIFF, an HDF5 file, or the name of a dataset after that of its file.
    channels : int
        How many the network takes.

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
            found = _list_hdf5(path)
        elif path.is_dir():
            found = _list_zarr(path)
        else:
            found = _list_tiff(path)
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: cannot be read as a volume ({reason}).") from None
    volume = _choose(found, path, name)
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


def _list_hdf5(path):
    """The `Volume` of each dataset of an HDF5 file, by name."""
    with h5py.File(path) as file:
        names = []
        file.visititems(lambda name, node: names.append(name) if getattr(node, "ndim", 0) > 1 else None)
        return {name: _guess_axes(path, name, file[name]) for name in names}


def _list_zarr(path):
    """The `Volume` of a Zarr array, of the full resolution of an OME-Zarr, or of each array of a group, by name."""
    node = zarr.open(path, mode="r")
    zarr_format = node.metadata.zarr_format
    if isinstance(node, zarr.Array):
        return {"": _guess_axes(path, "", node)._replace(zarr_format=zarr_format)}
    attributes = dict(node.attrs)
    scales = attributes.get("ome", attributes).get("multiscales")
    if not scales:
        arrays = {name: _guess_axes(path, name, array) for name, array in node.arrays() if array.ndim > 1}
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
        series = tiff.series[0]
        axes = series.axes.lower().replace("s", "c").replace("i", "z").replace("q", "z")
    units, scale = (None,) * len(axes), (1.0,) * len(axes)
    return {"": Volume(path, "", series.shape, series.dtype, axes, units, scale)}


def _guess_axes(path, name, array):
    """The `Volume` of an array that does not say what its axes are."""
    axes = ("tzyxc" if array.shape[-1] == 3 else "tzyx")[-array.ndim :]
    return Volume(path, name, array.shape, array.dtype, axes, (None,) * len(axes), (1.0,) * len(axes))


def _check_axes(volume, channels):
    """Refuse what is not made of sections with as many channels as the network takes."""
    sizes = dict(zip(volume.axes, volume.shape, strict=False))
    if len(sizes) != len(volume.shape) or not set(SECTION) <= sizes.keys():
        raise ValueError(f"{volume.path}: expected axes such as z, y, x, found {volume.axes} of shape {volume.shape}.")
    if sizes.get("c", 1) != channels:
        raise ValueError(
            f"{volume.path}: expected {channels} channels, as in training, found {sizes.get('c', 1)}, in the axes "
            f"{volume.axes} of shape {volume.shape}; convert the volume."
        )
