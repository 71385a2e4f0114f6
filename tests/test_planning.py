from argparse import Namespace
from dataclasses import replace

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


GIVEN = {
    **{"turns": "all", "centred": 0.25, "loss": "focal", "class_weights": False, "dropout": 0.1, "noise": 0.05},
    **{"steps_per_epoch": 7, "minutes": None, "grey": True},
}
CHOSEN = ("turns", "centred", "loss", "class_weights", "dropout", "noise", "steps_per_epoch")


def plan(labels, known, images=(), **options):
    """What is said, and chosen, for options of which those are None."""
    options = Namespace(**GIVEN | options)
    return planning.plan(options, images, labels, known), options


def test_what_is_given_is_kept_and_what_is_chosen_is_said():
    labels = [draw_street() for _ in range(8)]
    images = [np.zeros((40, 60, 3), "float32")] * 8
    (turns, several, noise), options = plan(labels, KNOWN, images, **dict.fromkeys(CHOSEN))
    assert [getattr(options, name) for name in CHOSEN] == ["mirror", 0, "cross-entropy", False, 0, 0.01, 350]
    assert "--turns mirror" in turns and "no more than 0.01 is added in training (--noise)" in noise
    assert several == (
        "There are 3 classes: no features are dropped (--dropout 0), training is longer (--steps-per-epoch 350)."
    )
    lines, options = plan(labels, KNOWN, images)
    assert (lines, vars(options)) == ([], GIVEN)


def test_rare_ones_of_several_classes_weigh_more():
    known = classes.Classes((0, 1, 2), ("0", "1", "2"), pixels=(50, 45, 5))
    (line,), options = plan([], known, class_weights=None)
    assert line == "There are 3 classes: rare ones weigh more (--class-weights)." and options.class_weights
    assert not plan([], classes.Classes((0, 1), ("0", "1"), pixels=(95, 5)), class_weights=None)[1].class_weights


def test_as_much_noise_is_added_as_images_can_bear():
    for deviation, most in ((0, 0.01), (0.01, 0.03), (0.05, 0.08)):
        images = [RNG.normal(0.5, deviation, (200, 200, 2)).astype("float32")] * 3
        assert planning.measure_noise(images) == pytest.approx(deviation, rel=0.05)
        lines, options = plan([], classes.Classes((0, 1), ("0", "1"), pixels=(5, 5)), images, noise=None)
        assert options.noise == pytest.approx(most, abs=0.002)
        assert len(lines) == (most < planning.NOISE)
    edges = np.zeros((200, 200, 1), "float32")
    edges[:, ::20] = 1
    assert planning.measure_noise([edges + images[0][..., :1]]) == pytest.approx(0.05, rel=0.2)


def test_dice_is_added_where_a_class_has_few_of_the_pixels():
    (line,), options = plan([], classes.Classes((0, 255), ("0", "vessel"), pixels=(912, 88)), loss=None)
    assert options.loss == "dice"
    assert line == "vessel has 8.8% of the pixels: Dice is added to the loss (--loss dice)."
    assert planning.choose_loss(classes.Classes((0, 255), ("0", "255"), pixels=(800, 200))) == "cross-entropy"


def test_crops_are_drawn_around_one_class_of_two_that_is_rare():
    rare = classes.Classes((0, 255), ("0", "spot"), pixels=(990, 10))
    (line,), options = plan([], rare, centred=None)
    assert options.centred == 0.5
    assert line.startswith("spot is rare: 50%")
    assert planning.choose_centred(classes.Classes((0, 255), ("0", "255"), pixels=(900, 100))) == 0


def test_objects_have_the_pixels_that_nearly_all_of_the_labels_do():
    label = np.zeros((100, 100), np.uint8)
    label[::10, ::10] = label[1::10, ::10] = 1
    label[50, 50] = 0
    known = classes.Classes((0, 255), ("0", "255"), pixels=(9801, 199), parted=True)
    assert planning.choose_smallest([label] * 3, known) == 2
    assert planning.choose_smallest([label * 2], replace(known, values=(0, 1, 2), names=("background", "a", "b"))) == 2
    assert planning.choose_smallest([label * 0], known) == 1
    assert planning.choose_smallest([label], replace(known, parted=False)) == 1
