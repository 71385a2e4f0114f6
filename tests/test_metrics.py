import numpy as np
import pytest
from conftest import save
from scipy import ndimage

import metrics


def bits(*rows):
    return np.array([[character == "1" for character in row] for row in rows])


LABEL = bits("1100", "1100")
MASK = bits("1000", "1110")


def test_pixel_scores_by_hand():
    # They share 3 white pixels of 5 in all, 3 black of 5; 6 of 8 agree.
    assert metrics.accuracy(LABEL, MASK) == 6 / 8
    assert metrics.iou(LABEL, MASK) == 3 / 5
    assert metrics.dice(LABEL, MASK) == 6 / 8
    assert metrics.scores(LABEL, MASK)["membrane_iou"] == 3 / 5
    assert metrics.constant_accuracy(bits("1110")) == metrics.constant_accuracy(bits("0001")) == 3 / 4


def test_empty_masks():
    empty = np.zeros((2, 2), bool)
    assert metrics.iou(empty, empty) == metrics.dice(empty, empty) == 1
    assert metrics.iou(empty, ~empty) == metrics.dice(~empty, empty) == 0


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 4, 1\)"):
        metrics.scores(LABEL, MASK[..., np.newaxis])


def test_v_rand_of_two_cells_merged():
    # Two cells of 4 pixels: truth 2 * (1/2)^2; proposal one segment of all 8: sum 1; joint 1/2. F = 2 * .5 / (1 + .5).
    label = bits("1101", "1101", "1101", "1101")[:, [0, 2, 3]]
    merged = np.ones_like(label)
    assert metrics.v_rand(label, merged) == pytest.approx(2 * 0.5 / (1 + 0.5))
    # The merged segment tells nothing about the cells.
    assert metrics.v_info(label, merged) == pytest.approx(0)


def test_v_rand_and_v_info_of_a_cell_split():
    # One cell of 5 pixels, split by a line of one: segments of 2 and 2, and one pixel alone.
    label = bits("11111")
    split = bits("11011")
    shares = np.array([2, 2, 1]) / 5
    assert metrics.v_rand(label, split) == pytest.approx(2 * np.sum(shares**2) / (np.sum(shares**2) + 1))
    assert metrics.v_info(label, split) == pytest.approx(0)


def random_cells(seed):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3)
    return np.abs(smooth) > 0.03, rng


def test_a_perfect_proposal_scores_one():
    label, _ = random_cells(0)
    assert metrics.v_rand(label, label) == pytest.approx(1)
    assert metrics.v_info(label, label) == pytest.approx(1)


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.transpose])
def test_scores_do_not_depend_on_orientation(turn):
    label, rng = random_cells(1)
    proposal = ndimage.binary_opening(label) & (rng.random(label.shape) > 0.01)
    assert metrics.v_rand(turn(label), turn(proposal)) == pytest.approx(metrics.v_rand(label, proposal), abs=1e-2)
    assert metrics.v_info(turn(label), turn(proposal)) == pytest.approx(metrics.v_info(label, proposal), abs=1e-2)


def test_no_pixel_counts():
    nothing = np.zeros((3, 3), bool)
    assert metrics.v_rand(nothing, ~nothing) == metrics.v_info(nothing, ~nothing) == 1


def test_an_all_black_proposal_leaves_every_pixel_alone():
    label = np.ones((4, 4), bool)
    assert metrics.v_rand(label, ~label) == pytest.approx(2 / 16 / (1 / 16 + 1))


def test_challenge_scores_find_the_threshold():
    label, _ = random_cells(2)
    inside = np.where(label, 0.95, 0.62)  # right above 0.6 only, up to 0.9
    best = metrics.challenge_scores(label[np.newaxis], inside[np.newaxis])
    assert best == {"v_rand": pytest.approx(1), "v_info": pytest.approx(1), "threshold": 0.7}


def test_command_prints_a_row_an_image_and_the_mean(tmp_path, capsys):
    for stem, mask in (("2", LABEL), ("10", MASK)):
        save(LABEL, tmp_path / "label" / f"{stem}.png")
        save(mask, tmp_path / "out" / f"{stem}_predict.png")
    assert metrics.main([str(tmp_path / "out"), str(tmp_path / "label")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["accuracy", "2", "10", "mean"]
    assert [float(line.split()[1]) for line in lines[1:]] == [1, 0.75, 0.875]


def test_command_names_what_is_missing(tmp_path, capsys):
    save(LABEL, tmp_path / "label" / "7.png")
    assert metrics.main([str(tmp_path), str(tmp_path / "label")]) == 2
    assert "no mask 7_predict.png" in capsys.readouterr().err
    save(MASK[:1], tmp_path / "7.png")
    assert metrics.main([str(tmp_path), str(tmp_path / "label")]) == 2
    assert "7.png: its size (1, 4)" in capsys.readouterr().err
