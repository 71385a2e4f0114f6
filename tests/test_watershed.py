import numpy as np
import pytest
from scipy import ndimage

from segmentation.prediction import watershed
from segmentation.scores import isbi2012


def two_cells(gap=0.7):
    """Two cells beside each other, and a membrane between them with a spot where it is hard to see."""
    probability = np.full((40, 60), 0.995, "float32")
    probability[:, 29:31] = 0.05
    probability[18:22, 29:31] = gap
    return probability


def count(mask):
    return ndimage.label(mask)[1]


def test_a_line_through_the_gap_keeps_two_cells_apart():
    probability = two_cells()
    assert count(watershed.mask_cells(probability, border=1.0)) == 1
    mask = watershed.mask_cells(probability, border=0.5)
    assert count(mask) == 2
    # Nothing but the gap, four pixels of it, changes.
    assert np.count_nonzero(mask != (probability > 0.5)) == 4
    assert not mask[0, 29]


def test_a_cell_that_is_merely_faint_across_stays_whole():
    probability = np.full((40, 60), 0.995, "float32")
    probability[:, 28:32] = 0.7
    assert count(watershed.mask_cells(probability, border=0.5)) == 1
    assert count(watershed.mask_cells(probability, border=0.2)) == 2


def test_a_large_section_is_parted_block_by_block(monkeypatch):
    probability = np.tile(two_cells(), (4, 3))
    whole = watershed.mask_cells(probability, border=0.5)
    monkeypatch.setattr(watershed, "BLOCK", 50)
    monkeypatch.setattr(watershed, "OVERLAP", 40)
    np.testing.assert_array_equal(watershed.mask_cells(probability, border=0.5), whole)
    assert np.any(whole != (probability > 0.5))


def test_a_probability_without_sure_pixels_is_only_thresholded():
    for value in (0.0, 0.4, 0.6, 1.0):
        probability = np.full((16, 16), value, "float32")
        np.testing.assert_array_equal(watershed.mask_cells(probability, border=0.5), value > 0.5)


def test_merging_weighs_borders_by_their_length():
    borders = {"a": {"c": {"weight": 0.2, "count": 3}}, "b": {"c": {"weight": 0.6, "count": 1}}, "d": {}}
    assert watershed._join_borders(borders, "a", "b", "c") == pytest.approx({"weight": 0.3, "count": 4})
    assert watershed._join_borders(borders, "a", "d", "c") == pytest.approx({"weight": 0.2, "count": 3})


def test_cores_are_as_sure_as_each_cell_allows():
    probability = np.full((20, 50), 0.3)
    probability[2:18, 2:18] = 0.995
    probability[2:18, 18:30] = 0.85  # belongs to the first, which is surer
    probability[2:18, 34:40] = 0.85  # a cell that is nowhere surer
    probability[2:4, 44:48] = 0.95  # too small
    cores = watershed._find_cores(probability)
    expected = np.zeros((20, 50), int)
    expected[2:18, 2:18] = 1
    expected[2:18, 34:40] = 2
    np.testing.assert_array_equal(np.unique(cores, return_inverse=True)[1].reshape(cores.shape), expected)


@pytest.mark.parametrize("sureness", [1.0, 0.93, 0.85])
def test_a_network_that_is_less_sure_parts_cells_too(sureness):
    probability = sureness * two_cells()
    assert count(watershed.mask_cells(probability)) == 1
    assert count(watershed.mask_cells(probability, border=0.5)) == 2


def test_outlines_leave_no_two_segments_side_by_side():
    segments = np.random.default_rng(0).integers(1, 4, (20, 20))
    left = np.where(watershed._outline(segments), 0, segments)
    for a, b in ((left[:-1], left[1:]), (left[:, :-1], left[:, 1:])):
        assert not np.any((a != b) & (a > 0) & (b > 0))


def test_lines_are_chosen_where_they_help_and_only_there():
    probability = two_cells()
    apart = np.ones(probability.shape, bool)
    apart[:, 29:31] = False
    assert watershed.choose_border([apart], [probability]) == watershed.LINES
    # A single object, such as a vessel, with a faint spot in it: the mask without lines is right.
    vessel = np.zeros((40, 60), bool)
    vessel[15:25] = True
    probability = np.where(vessel, 0.995, 0.005).astype("float32")
    probability[15:25, 28:32] = 0.6
    assert isbi2012.v_rand(vessel, watershed.mask_cells(probability, watershed.LINES)) < 1
    assert watershed.choose_border([vessel], [probability]) == watershed.NO_LINES
