import json

import numpy as np
import pytest
import tifffile

pytest.importorskip("zarr", reason="zarr is not installed")
pytest.importorskip("h5py", reason="h5py is not installed")

import h5py
import zarr

from segmentation.volumes import reading


@pytest.fixture
def volume():
    return np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(np.uint8)


def test_the_array_of_a_group_is_found_or_has_to_be_named(volume, tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("raw", data=volume)
    group.create_array("names", data=np.arange(3))  # no image
    found = reading.find_volume(tmp_path / "a.zarr", channels=1)
    assert (found.name, found.axes, found.shape) == ("raw", "zyx", (3, 20, 30))
    group.create_array("other", data=volume)
    with pytest.raises(ValueError, match=r"a\.zarr: holds several datasets, name one as .*a\.zarr/"):
        reading.find_volume(tmp_path / "a.zarr", channels=1)
    assert reading.find_volume(tmp_path / "a.zarr" / "raw", channels=1).shape == (3, 20, 30)


def test_a_dataset_of_an_hdf5_file_is_named_after_the_file(volume, tmp_path):
    with h5py.File(tmp_path / "a.H5", "w") as file:
        file["group/raw"] = volume
    for text in (tmp_path / "a.H5", tmp_path / "a.H5" / "group" / "raw"):
        found = reading.find_volume(text, channels=1)
        assert found.name == "group/raw"
        np.testing.assert_array_equal(found.read(np.s_[1, 2:4, 5:]), volume[1, 2:4, 5:])
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(ValueError, match=r"empty\.h5: holds no images"):
        reading.find_volume(tmp_path / "empty.h5", channels=1)


def test_a_section_is_read_where_it_is_indexed(volume, tmp_path):
    colour = np.stack([volume, volume // 2, volume // 3], axis=-1)
    zarr.create_array(tmp_path / "a.zarr", data=colour)
    section = reading.Section(reading.find_volume(tmp_path / "a.zarr", channels=3), [2])
    assert section.shape == (20, 30, 3)
    np.testing.assert_array_equal(section[4:9, 3:5, :], colour[2, 4:9, 3:5])


def write_hdf5(path, array, axes=None, labels=None):
    """An HDF5 file with one dataset, and its axes as ilastik and vigra, or as h5py, write them."""
    with h5py.File(path, "w") as file:
        file["exported_data"] = array
        if axes:
            tags = {"axes": [{"key": axis, "typeFlags": 2, "resolution": 0} for axis in axes]}
            file["exported_data"].attrs["axistags"] = json.dumps(tags)
        for dim, label in zip(file["exported_data"].dims, labels or "", strict=False):
            dim.label = label


@pytest.mark.parametrize(("axes", "order"), [("zyxc", (0, 1, 2, 3)), ("czyx", (3, 0, 1, 2)), ("xyzc", (2, 1, 0, 3))])
@pytest.mark.parametrize("written", ["axes", "labels"])
def test_hdf5_is_read_by_the_axes_that_its_file_names(volume, tmp_path, axes, order, written):
    write_hdf5(tmp_path / "a.h5", volume[..., np.newaxis].transpose(order), **{written: axes})
    found = reading.find_volume(tmp_path / "a.h5", channels=1)
    assert (found.axes, found.guessed) == (axes, False)
    assert reading.Section(found, [1]).shape == (20, 30)
    np.testing.assert_array_equal(reading.Section(found, [1])[:, :], volume[1])


def test_an_export_of_three_sections_without_axes_is_no_volume_of_many(volume, tmp_path):
    write_hdf5(tmp_path / "a.h5", volume[..., np.newaxis])
    found = reading.find_volume(tmp_path / "a.h5", channels=1)
    assert (found.axes, found.guessed) == ("zyxc", True)


@pytest.mark.parametrize(
    ("shape", "channels", "axes"),
    [
        ((20, 30), 1, "yx"),
        ((20, 30, 3), 3, "yxc"),
        ((20, 30, 4), 4, "yxc"),
        ((3, 20, 30), 1, "zyx"),
        ((2, 3, 20, 30), 1, "tzyx"),
        ((2, 3, 20, 30, 1), 1, "tzyxc"),
        ((2, 1, 3, 20, 30), 1, "tczyx"),
    ],
)
def test_axes_that_are_not_named_are_guessed(tmp_path, shape, channels, axes):
    write_hdf5(tmp_path / "a.h5", np.zeros(shape, np.uint8))
    found = reading.find_volume(tmp_path / "a.h5", channels)
    assert (found.axes, found.guessed) == (axes, True)


def test_axes_can_be_named(volume, tmp_path):
    write_hdf5(tmp_path / "a.h5", volume.transpose(2, 1, 0), axes="zyx")
    found = reading.find_volume(tmp_path / "a.h5", channels=1, axes="xyz")
    np.testing.assert_array_equal(reading.Section(found, [2])[:, :], volume[2])
    for axes in ("yx", "zzyx", "zyk", "tzc"):
        with pytest.raises(ValueError, match=f"--axes {axes}: expected a letter of tczyx for each axis"):
            reading.find_volume(tmp_path / "a.h5", channels=1, axes=axes)


def test_pages_that_are_a_series_each_are_no_volume_of_one(volume, tmp_path):
    for page in volume:
        tifffile.imwrite(tmp_path / "a.tif", page, append=True)
    with pytest.raises(ValueError, match=r"a\.tif: .*holds 3 series of images; save it as one stack"):
        reading.find_volume(tmp_path / "a.tif", channels=1)


def test_slices_of_a_scan_are_a_volume(volume, tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4)), tmp_path / "a.nii.gz")
    found = reading.find_volume(tmp_path / "a.nii.gz", channels=1)
    assert (found.axes, found.shape) == ("zyx", volume.shape)
    np.testing.assert_array_equal(reading.Section(found, [2])[:, :], volume[2])
