import numpy as np
import pytest
from scipy import ndimage

from segmentation.scores import isbi2012


def bits(*rows):
    return np.array([[character == "1" for character in row] for row in rows])


def test_v_rand_of_two_cells_merged():
    # Two cells of 4 pixels: truth 2 * (1/2)^2; proposal one segment of all 8: sum 1; joint 1/2. F = 2 * .5 / (1 + .5).
    label = bits("1101", "1101", "1101", "1101")[:, [0, 2, 3]]
    merged = np.ones_like(label)
    assert isbi2012.v_rand(label, merged) == pytest.approx(2 * 0.5 / (1 + 0.5))
    # The merged segment tells nothing about the cells.
    assert isbi2012.v_info(label, merged) == pytest.approx(0)


def test_v_rand_and_v_info_of_a_cell_split():
    # One cell of 5 pixels, split by a line of one: segments of 2 and 2, and one pixel alone.
    label = bits("11111")
    split = bits("11011")
    shares = np.array([2, 2, 1]) / 5
    assert isbi2012.v_rand(label, split) == pytest.approx(2 * np.sum(shares**2) / (np.sum(shares**2) + 1))
    assert isbi2012.v_info(label, split) == pytest.approx(0)


def random_cells(seed):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3)
    return np.abs(smooth) > 0.03, rng


def test_a_perfect_proposal_scores_one():
    label, _ = random_cells(0)
    assert isbi2012.v_rand(label, label) == pytest.approx(1)
    assert isbi2012.v_info(label, label) == pytest.approx(1)


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.transpose])
def test_scores_do_not_depend_on_orientation(turn):
    label, rng = random_cells(1)
    proposal = ndimage.binary_opening(label) & (rng.random(label.shape) > 0.01)
    assert isbi2012.v_rand(turn(label), turn(proposal)) == pytest.approx(isbi2012.v_rand(label, proposal), abs=1e-2)
    assert isbi2012.v_info(turn(label), turn(proposal)) == pytest.approx(isbi2012.v_info(label, proposal), abs=1e-2)


def test_no_pixel_counts():
    nothing = np.zeros((3, 3), bool)
    assert isbi2012.v_rand(nothing, ~nothing) == isbi2012.v_info(nothing, ~nothing) == 1


def test_an_all_black_proposal_leaves_every_pixel_alone():
    label = np.ones((4, 4), bool)
    assert isbi2012.v_rand(label, ~label) == pytest.approx(2 / 16 / (1 / 16 + 1))


def test_challenge_scores_find_the_threshold():
    label, _ = random_cells(2)
    inside = np.where(label, 0.95, 0.62)  # right above 0.6 only, up to 0.9
    best = isbi2012.challenge_scores(label[np.newaxis], inside[np.newaxis])
    assert best == {"v_rand": pytest.approx(1), "v_info": pytest.approx(1), "pixel_error": 0, "threshold": 0.7}


def test_the_pixel_error_is_that_of_the_cells_at_the_best_threshold():
    labels = np.array([[[1, 1, 1, 0]], [[1, 0, 0, 0]]], bool)
    maps = np.array([[[0.9, 0.8, 0.3, 0.2]], [[0.9, 0.6, 0.1, 0.1]]])
    # Above 0.6 three pixels are found, all of the four cells': F = 2 * 3 / (4 + 3). Above 0.2 five, four of them right:
    # F = 2 * 4 / (4 + 5), the best. The mean over sections would be another: (1 + 2/3) / 2.
    assert isbi2012.challenge_scores(labels, maps)["pixel_error"] == pytest.approx(1 - 8 / 9)
    assert isbi2012.challenge_scores(labels, 1.0 - labels)["pixel_error"] == 1
    nothing = np.zeros((1, 2, 2))
    assert isbi2012.challenge_scores(nothing > 0, nothing)["pixel_error"] == 0
