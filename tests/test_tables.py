import numpy as np
import pytest

from segmentation.scores import tables


def bits(*rows):
    return np.array([[character == "1" for character in row] for row in rows])


LABEL = bits("1100", "1100")
MASK = bits("1000", "1110")


def test_membrane_scores_are_those_of_the_black_class():
    # As of the white class, by chance: 3 black pixels shared of 5 in all.
    assert tables.score_mask(LABEL, MASK)["membrane_iou"] == 3 / 5


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 4, 1\)"):
        tables.score_mask(LABEL, MASK[..., np.newaxis])


def test_class_scores_by_hand():
    label, mask = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    scores = tables.score_mask(label, mask, [0, 3, 7])
    assert scores["accuracy"] == 3 / 4
    assert scores["constant"] == 2 / 4
    assert (scores["iou_0"], scores["iou_3"]) == (1 / 2, 2 / 3)
    assert np.isnan(scores["iou_7"])
    assert scores["mean_iou"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    both = tables.mean_scores([scores, {**scores, "iou_7": 0.5}])
    assert both["iou_7"] == 0.5
