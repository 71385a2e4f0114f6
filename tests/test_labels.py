import numpy as np
import pytest
import tifffile
from helpers import make_indexed, save
from PIL import Image

from segmentation.files import classes, labels, meanings


@pytest.mark.parametrize("low_high", [(0, 1), (0, 128), (0, 255), (10, 200)])
def test_the_higher_label_value_is_inside(tmp_path, low_high):
    cells = np.array([[True, False], [True, True]])
    save(np.where(cells, *reversed(low_high)).astype(np.uint8), tmp_path / "a.png")
    save(np.full((1, 2), low_high[0], np.uint8), tmp_path / "b.png")  # a section of membrane alone
    read = {name: labels.read_label(tmp_path / name) for name in ("a.png", "b.png")}
    known = meanings.find_classes({tmp_path / name: labels.survey(label) for name, label in read.items()}).classes
    assert known.values == low_high
    first, second = (classes.classify(label, known)[0] for label in read.values())
    assert np.array_equal(first, cells)
    assert not second.any()


def test_labels_are_read_as_numbers_of_classes(tmp_path):
    make_indexed(np.uint8([[2, 0], [1, 2]]), [(0, 0, 0), (9, 0, 0), (0, 9, 0)]).save(tmp_path / "palette.png")
    assert labels.read_label(tmp_path / "palette.png").numbers.tolist() == [[[2, 0], [1, 2]]]
    tifffile.imwrite(tmp_path / "float.tif", np.float32([[0, 1], [2, 1]]))
    assert labels.read_label(tmp_path / "float.tif").numbers.tolist() == [[[0, 1], [2, 1]]]
    # Blue, then the brighter yellow: numbers in the order of brightness.
    Image.fromarray(np.uint8([[(0, 0, 255), (255, 255, 0), (0, 0, 255)]])).save(tmp_path / "colour.png")
    (((blue, yellow, again),),) = labels.read_label(tmp_path / "colour.png").numbers.tolist()
    assert blue == again < yellow
    for name, value, told in (
        ("half.tif", 0.5, "no whole numbers"),
        ("nan.tif", np.nan, "no finite numbers.*--ignore"),
    ):
        tifffile.imwrite(tmp_path / name, np.float32([[0, value]]))
        with pytest.raises(ValueError, match=f"{name}: .*{told}"):
            labels.read_label(tmp_path / name)


def test_a_palette_that_tells_nothing_apart_is_no_coding(tmp_path):
    numbers = np.array([[0, 1, 2, 2]], np.uint8)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, colours in zip(files, ([0, 0, 0, 255, 0, 0, 0, 255, 0], [0] * 9), strict=True):
        make_indexed(numbers, colours).save(file)
    known = meanings.find_classes({file: labels.survey(labels.read_label(file)) for file in files}).classes
    assert known.values == (0, 1, 2)
    for file in files:
        np.testing.assert_array_equal(classes.classify(labels.read_label(file), known)[0], numbers)


def test_numbers_keep_their_bits(tmp_path):
    numbers = np.arange(300, dtype=np.uint16).reshape(1, 20, 15)
    tifffile.imwrite(tmp_path / "a.tif", np.repeat(numbers[0][..., None], 3, axis=2), photometric="rgb")
    np.testing.assert_array_equal(labels.read_label(tmp_path / "a.tif").numbers, numbers)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 3)])
def test_an_empty_jpeg_is_black(tmp_path, shape):
    for quality in (40, 70, 95):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "a.jpg", quality=quality)
        assert not labels.read_label(tmp_path / "a.jpg").numbers.any()
    assert np.array(Image.open(tmp_path / "a.jpg")).max() == 0
    Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "a.jpg", quality=70)
    assert np.array(Image.open(tmp_path / "a.jpg")).min() == 1  # what its reader says


def test_black_is_around_what_is_red_whatever_its_place_in_the_palette(tmp_path):
    cells = np.array([[True, False, False], [True, False, False]])
    for name, colours in (("red", [(255, 0, 0), (0, 0, 0)]), ("black", [(0, 0, 0), (255, 0, 0)])):
        make_indexed(np.uint8(cells == (name == "black")), colours).save(tmp_path / f"{name}.png")
        label = labels.read_label(tmp_path / f"{name}.png")
        known = meanings.find_classes({tmp_path / f"{name}.png": labels.survey(label)}).classes
        np.testing.assert_array_equal(classes.classify(label, known)[0], cells)
