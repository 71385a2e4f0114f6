import numpy as np
import pytest

from segmentation.scores import growth


def test_an_eighth_a_quarter_a_half_and_all_are_trained_on():
    assert growth.choose_counts(24) == [3, 6, 12, 24]
    assert growth.choose_counts(3) == [1, 2, 3]
    assert growth.choose_counts(5) == [1, 2, 5]  # 5/8 and 5/4 are one image each
    with pytest.raises(ValueError, match="2 images to train on are too few"):
        growth.choose_counts(2)


def test_chosen_images_are_spread_over_all():
    assert growth.spread(24, 3) == [4, 12, 20]
    assert growth.spread(5, 5) == [0, 1, 2, 3, 4]


def test_a_power_of_the_number_of_images_is_followed():
    counts = [3, 6, 12, 24]
    outlook = growth.foretell(counts, [1 - 0.6 * count**-0.5 for count in counts], 48)
    assert outlook == pytest.approx([1 - 0.6 * 48**-0.5] * 3)


def test_the_truth_is_as_often_between_as_is_said():
    rng, counts, inside = np.random.default_rng(0), np.array([3, 6, 12, 24]), 0
    for _ in range(500):
        missing = 0.6 * np.append(counts, 48) ** -0.4 * np.exp(rng.normal(0, 0.05, 5))
        outlook = growth.foretell(counts, 1 - missing[:4], 48)
        inside += outlook.lowest <= 1 - missing[4] <= outlook.highest
    assert inside / 500 == pytest.approx(0.8, abs=0.05)


def test_it_says_what_it_would_have_said_before_the_last_training():
    counts = [3, 6, 12, 24]
    scores = [1 - 0.6 * count**-0.5 for count in counts]
    assert growth.look_back(counts[:3], scores[:3]) is None
    between = "0.878 to 0.878 would have been foretold for 24"
    assert between in growth.look_back(counts, scores)
    assert growth.look_back(counts, [*scores[:3], 0.5]).endswith("0.500 is not in that.")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.4, 0.5, 0.6, 0.7], "more images help."),
        ([0.8, 0.8, 0.8, 0.8], "more images would bring little."),
        ([0.5, 0.7, 0.5, 0.72], "cannot be told"),
        ([0.1, 0, 0, 0], "would be 0.000 (0.000 to "),
    ],
)
def test_what_they_bring_is_said_in_a_sentence(scores, expected):
    counts = [3, 6, 12, 24]
    text = growth.describe("nucleus_iou", counts, scores, growth.foretell(counts, scores, 48))
    assert "None of these networks" in growth.describe("nucleus_iou", counts, [0, 0, 0, 0], outlook=None)
    assert text.startswith("With 48 images in place of 24, nucleus_iou would be 0.") and expected in text
