import numpy as np
import pytest
import tifffile
from PIL import Image

from segmentation.files import labels, writing


def test_whole_file_leaves_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), writing.whole_file(path) as temporary:
        temporary.write_text("ha")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]
    assert path.read_text() == "old"


def test_write_mask_is_8_bit_black_and_white(tmp_path):
    writing.write_mask(tmp_path / "mask.png", np.array([[255, 0]], np.uint8))
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.mode == "L"
        assert np.asarray(mask).tolist() == [[255, 0]]


def test_a_stack_keeps_its_resolution(tmp_path):
    stack = np.zeros((3, 4, 5), np.uint8)
    scale = {"resolution": (250.0, 200.0), "metadata": {"axes": "ZYX", "spacing": 0.05, "unit": "um"}}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, **scale)
    writing.write_stack(tmp_path / "b.tif", stack + 255, like=tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as written:
        assert written.series[0].axes == "ZYX"
        assert written.pages[0].resolution == (250, 200)
        assert written.imagej_metadata["spacing"] == 0.05
        assert written.imagej_metadata["unit"] == "um"
        assert np.all(written.asarray() == 255)


def test_an_obstacle_is_found_before_anything_is_written(tmp_path):
    assert writing.find_obstacle(tmp_path / "new" / "folder") is None
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    assert "file: cannot be written to" in writing.find_obstacle(tmp_path / "file" / "run")


def test_a_stack_of_a_palette_is_read_in_its_colours(tmp_path):
    stack = np.array([[[0, 1, 2]], [[2, 2, 0]]], np.uint8)
    writing.write_stack(tmp_path / "a.tif", stack, like=tmp_path / "a.png", palette=[0, 0, 0, 255, 0, 0, 0, 255, 64])
    label = labels.read_label(tmp_path / "a.tif")
    assert label.numbers.tolist() == stack.tolist()
    assert label.palette[2] == labels.to_code(0, 255, 64)
