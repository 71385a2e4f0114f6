from argparse import Namespace

import numpy as np
import pytest

from segmentation.files import classes
from segmentation.training import planning

RNG = np.random.default_rng(0)
KNOWN = classes.Classes((0, 128, 255), ("ground", "tree", "sky"), pixels=(50, 10, 40))


def draw_street():
    """Sky above ground, and a tree anywhere."""
    label = np.zeros((40, 60), np.uint8)
    label[: RNG.integers(12, 25)] = 2
    y, x = RNG.integers(0, 30), RNG.integers(0, 50)
    label[y : y + 10, x : x + 10] = 1
    return label


def draw_cells():
    label = np.zeros((40, 60), np.uint8)
    for _ in range(4):
        y, x = RNG.integers(0, 30), RNG.integers(0, 50)
        label[y : y + 10, x : x + 10] = RNG.integers(1, 3)
    return label


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([draw_street() for _ in range(8)], "mirror"),
        ([draw_street()[::-1] for _ in range(8)], "mirror"),
        ([draw_street().T for _ in range(8)], "none"),
        ([draw_street().T[:, ::-1] for _ in range(8)], "none"),
        ([draw_cells() for _ in range(8)], "all"),
        ([draw_cells()], "all"),
        ([draw_street() for _ in range(7)], "all"),  # too few to tell
        ([draw_street()[:: (-1) ** i] for i in range(8)], "all"),
    ],
)
def test_turns_leave_the_classes_where_they_are_in_all_labels(labels, expected):
    assert planning.choose_turns(labels, 3) == expected


def test_pixels_that_are_not_labelled_do_not_tell_the_upper_side():
    labels = [draw_cells() for _ in range(8)]
    for label in labels:
        label[:15] = classes.IGNORED
    assert planning.choose_turns(labels, 3) == "all"


def test_a_class_that_is_always_in_one_half_counts_by_its_pixels():
    label = np.zeros((10, 10), np.uint8)
    label[:3] = 1
    # 30 pixels always above; of the 70 others 20 above and 50 below, 30 / 70.
    assert planning.measure_order([label] * 8, 0, 2) == pytest.approx(0.3 + 0.7 * 30 / 70)
    assert planning.measure_order([label] * 8, 1, 2) == 0


def test_what_is_given_is_kept_and_what_is_chosen_is_said():
    labels = [draw_street() for _ in range(8)]
    options = Namespace(turns=None, centred=None, loss=None)
    (line,) = planning.plan(options, labels, KNOWN)
    assert (options.turns, options.centred, options.loss) == ("mirror", 0, "cross-entropy")
    assert "--turns mirror" in line
    options = Namespace(turns="all", centred=0.25, loss="focal")
    assert planning.plan(options, labels, KNOWN) == []
    assert (options.turns, options.centred, options.loss) == ("all", 0.25, "focal")


def test_dice_is_added_where_a_class_has_few_of_the_pixels():
    options = Namespace(turns="all", centred=0, loss=None)
    (line,) = planning.plan(options, [], classes.Classes((0, 255), ("0", "vessel"), pixels=(912, 88)))
    assert options.loss == "dice"
    assert line == "vessel has 8.8% of the pixels: Dice is added to the loss (--loss dice)."
    assert planning.choose_loss(classes.Classes((0, 255), ("0", "255"), pixels=(800, 200))) == "cross-entropy"


def test_crops_are_drawn_around_one_class_of_two_that_is_rare():
    rare = classes.Classes((0, 255), ("0", "spot"), pixels=(990, 10))
    options = Namespace(turns="all", centred=None, loss="dice")
    (line,) = planning.plan(options, [], rare)
    assert options.centred == 0.5
    assert line.startswith("spot is rare: 50%")
    assert planning.choose_centred(classes.Classes((0, 255), ("0", "255"), pixels=(900, 100))) == 0
