from dataclasses import replace

import numpy as np
import pytest

from segmentation.files import classes
from segmentation.scores import tables


def bits(*rows):
    return np.array([[character == "1" for character in row] for row in rows])


LABEL = bits("1100", "1100")
MASK = bits("1000", "1110")


TWO = classes.Classes((0, 255), ("membrane", "cell"), pixels=(3, 5), parted=True)


def test_each_class_has_its_scores_the_rarer_first():
    scores = tables.score_mask(LABEL, MASK, TWO)
    names = ["accuracy", "constant", "membrane_iou", "membrane_dice", "cell_iou", "cell_dice", "v_rand", "v_info"]
    assert list(scores) == names
    # 3 black pixels shared of 5 in all; of the white ones, by chance, as many.
    assert (scores["membrane_iou"], scores["membrane_dice"]) == (3 / 5, 6 / 8)
    assert list(tables.score_mask(LABEL, MASK, replace(TWO, pixels=(5, 3), parted=False)))[2:] == [
        "cell_iou",
        "cell_dice",
        "membrane_iou",
        "membrane_dice",
    ]


def test_many_scores_of_few_masks_are_laid_out_in_columns():
    few = {"a": {f"class {i}": i / 10 for i in range(9)}}
    assert [line.split()[0] for line in tables.format_table(few).splitlines()] == ["a"] + ["class"] * 9
    many = {str(i): few["a"] for i in range(9)}
    assert len(tables.format_table(many).splitlines()) == 1 + 9


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 4, 1\)"):
        tables.score_mask(LABEL, MASK[..., np.newaxis], TWO)


def test_class_scores_by_hand():
    label, mask = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    scores = tables.score_mask(label, mask, classes.Classes((0, 3, 7), ("0", "3", "7")))
    assert scores["accuracy"] == 3 / 4
    assert scores["constant"] == 2 / 4
    assert (scores["0_iou"], scores["3_iou"]) == (1 / 2, 2 / 3)
    assert np.isnan(scores["7_iou"])
    assert scores["mean_iou"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    both = tables.mean_scores([scores, {**scores, "7_iou": 0.5}])
    assert both["7_iou"] == 0.5


def test_classes_that_are_never_found_are_named():
    known = classes.Classes((0, 1, 2), ("sky", "pole", "car"))
    scores = {"accuracy": 0.9, "sky_iou": 0.9, "pole_iou": 0.0, "mean_iou": 0.5}  # of cars there were none
    assert tables.list_missed(scores, known) == ["pole"]
    assert tables.list_missed({"0_iou": 0.0, "255_iou": 0.8}, classes.Classes((0, 255), ("0", "255"))) == []
