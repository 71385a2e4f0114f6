"""Expected pixels are counted by hand on grids of a few pixels."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from segmentation.sources import annotations

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]  # COCO's x, y of a rectangle three pixels wide and two high


def test_an_outline_fills_the_pixels_whose_middle_it_surrounds():
    label = annotations.draw_objects([(255, [SQUARE])], (4, 6))
    expected = np.zeros((4, 6), int)
    expected[1:3, 1:4] = 255
    np.testing.assert_array_equal(label, expected)


def test_an_outline_that_leaves_the_image_is_cut_off():
    assert annotations.draw_objects([(1, [[-3, -3, 2, -3, 2, 2, -3, 2]])], (4, 4)).sum() == 4


def test_objects_of_one_class_that_touch_are_parted_and_those_of_two_are_not():
    left, right = [0, 0, 3, 0, 3, 4, 0, 4], [3, 0, 6, 0, 6, 4, 3, 4]
    parted = annotations.draw_objects([(1, [left]), (1, [right])], (4, 6))
    assert parted[0].tolist() == [1, 1, 0, 1, 1, 1] and (parted == parted[0]).all()
    assert set(annotations.draw_objects([(1, [left]), (2, [right])], (4, 6)).ravel()) == {1, 2}


def test_later_objects_lie_over_earlier_ones():
    label = annotations.draw_objects([(1, [[0, 0, 4, 0, 4, 4, 0, 4]]), (2, [[1, 1, 3, 1, 3, 3, 1, 3]])], (4, 4))
    assert label[1:3, 1:3].tolist() == [[2, 2], [2, 2]]
    assert np.count_nonzero(label == 1) == 12


def test_several_outlines_are_one_object():
    one = [(1, [[0, 0, 2, 0, 2, 4, 0, 4], [2, 0, 4, 0, 4, 4, 2, 4]])]
    assert (annotations.draw_objects(one, (4, 4)) == 1).all()


@pytest.mark.parametrize("counts", [[5, 2, 2, 2, 13], "52220="])  # `encode` of the mask by pycocotools 2.0
def test_run_lengths_go_down_the_columns(counts):
    """The differences of the text: 5, 2, 2, then 2 - 2, 13 - 2."""
    if isinstance(counts, str):
        counts = "".join(chr(48 + number) for number in (5, 2, 2, 0, 11))
    label = annotations.draw_objects([(1, {"size": [4, 6], "counts": counts})], (4, 6))
    assert np.argwhere(label.T).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_run_lengths_of_several_characters_and_below_zero():
    """100 is 4 + 3 * 32, the last with no bit 16; 3 after 100, 7 and 50 is a difference of -4 to 7, 28 - 32."""
    text = "".join(map(chr, (48 + 4 + 32, 48 + 3, 48 + 7, 48 + 18 + 32, 48 + 1, 48 + 28)))
    assert annotations._read_counts(text) == [100, 7, 50, 3]


def test_run_lengths_of_another_size_are_refused():
    with pytest.raises(ValueError, match="24 pixels for 5x5"):
        annotations.draw_objects([(1, {"size": [4, 6], "counts": [24]})], (5, 5))


def test_shapes_of_labelme():
    read = annotations.read_shape
    assert read({"points": [[0, 0], [2, 0], [2, 1]]})[0].shape == (3, 2)
    (rectangle,) = read({"points": [[4, 3], [1, 1]], "shape_type": "rectangle"})
    assert rectangle.tolist() == [[1, 1], [4, 1], [4, 3], [1, 3]]
    (circle,) = read({"points": [[5, 5], [5, 8]], "shape_type": "circle"})
    np.testing.assert_allclose(np.hypot(*(circle - 5).T), 3)
    assert read({"points": [[0, 0], [9, 9]], "shape_type": "line"}) is None
    assert read({"points": [[0, 0], [9, 9], [3, 4]], "shape_type": "linestrip"}) is None
    stored = io.BytesIO()
    Image.fromarray(np.eye(3, dtype=bool)).save(stored, "PNG")
    mask = {"points": [[2, 1], [5, 4]], "shape_type": "mask", "mask": base64.b64encode(stored.getvalue()).decode()}
    label = annotations.draw_objects([(9, read(mask))], (5, 6))
    assert np.argwhere(label == 9).tolist() == [[1, 2], [2, 3], [3, 4]]
    with pytest.raises(ValueError, match="cannot be decoded"):
        read(mask | {"mask": "nothing"})


def test_json_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json: cannot be read as JSON"):
        annotations.read_json(tmp_path / "a.json")
