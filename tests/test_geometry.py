import numpy as np
import pytest

from segmentation import geometry


def test_the_eight_turns_differ_and_can_be_undone():
    image = np.arange(6).reshape(2, 3, 1)
    turned = [geometry.turn(image, k) for k in range(8)]
    assert len({(array.shape, array.tobytes()) for array in turned}) == 8
    for k, array in enumerate(turned):
        np.testing.assert_array_equal(geometry.turn_back(array, k), image)


@pytest.mark.parametrize(
    ("length", "tile", "halo"), [(50, 16, 8), (75, 16, 8), (400, 24, 40), (16, 16, 0), (1003, 8, 4)]
)
def test_cut_covers_each_pixel_once_on_the_grid(length, tile, halo):
    end = 0
    sides = set()
    for window, inner, outer in geometry.cut_axis(length, tile, halo, multiple=4):
        assert outer.start == end < outer.stop
        end = outer.stop
        sides.add(window.stop - window.start)
        assert window.start % 4 == 0
        assert (window.start + inner.start, window.start + inner.stop) == (outer.start, outer.stop)
        assert outer.start == 0 or inner.start >= halo
        assert outer.stop == length or window.stop - outer.stop >= halo
    assert end == length
    assert len(sides) == 1
    assert sides.pop() <= tile + 2 * halo


def test_cut_makes_the_most_of_the_images_ends():
    # Two tiles of 64 and a halo on one side of each cover 128 pixels, in windows of 64 + 16.
    assert [window for window, _, _ in geometry.cut_axis(128, 64, 16, 4)] == [slice(0, 80), slice(48, 128)]


def test_an_image_is_cut_along_both_axes():
    covered = np.zeros((50, 75), int)
    for window, inner, outer in geometry.cut_image(covered.shape, 16, 8, multiple=4):
        covered[outer] += 1
        for axis in (0, 1):
            assert window[axis].start + inner[axis].start == outer[axis].start
    assert np.all(covered == 1)
