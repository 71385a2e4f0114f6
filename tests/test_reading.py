import numpy as np
import pytest

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
