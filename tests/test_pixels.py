import numpy as np

from segmentation.scores import pixels


def bits(*rows):
    return np.array([[character == "1" for character in row] for row in rows])


LABEL = bits("1100", "1100")
MASK = bits("1000", "1110")


def test_pixel_scores_by_hand():
    # They share 3 white pixels of 5 in all, 3 black of 5; 6 of 8 agree.
    assert pixels.accuracy(LABEL, MASK) == 6 / 8
    assert pixels.iou(LABEL, MASK) == 3 / 5
    assert pixels.dice(LABEL, MASK) == 6 / 8
    assert pixels.constant_accuracy(bits("1110")) == pixels.constant_accuracy(bits("0001")) == 3 / 4


def test_empty_masks():
    empty = np.zeros((2, 2), bool)
    assert pixels.iou(empty, empty) == pixels.dice(empty, empty) == 1
    assert pixels.iou(empty, ~empty) == pixels.dice(~empty, empty) == 0
