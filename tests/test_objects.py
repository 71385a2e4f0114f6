"""Expected counts are worked out by hand on a line of pixels."""

import numpy as np
import pytest

from segmentation.scores import objects


def line(text):
    return np.array([[int(char) for char in text]])


def test_an_object_is_found_if_it_overlaps_by_half():
    """Object 1: 4 of 6 pixels, 0.67; object 2: 2 of 6, 0.33; object 3 of the mask is extra."""
    label, mask = line("111110002222000"), line("011111000022220")
    mask[0, -1] = 3
    counted = objects.count_matches(label, mask)
    assert counted == {"found": 1, "missed": 1, "extra": 2, "iou": pytest.approx(4 / 6)}
    scores = objects.score_matches([counted])
    assert scores == {
        "precision": pytest.approx(1 / 3),
        "recall": 0.5,
        "f1": pytest.approx(2 / 5),
        "matched_iou": pytest.approx(4 / 6),
    }
    assert objects.count_matches(label, mask, 0.3)["found"] == 2


def test_as_many_objects_as_possible_are_matched():
    label, mask = line("11111122"), line("11110222")
    np.testing.assert_allclose(objects.compare(label, mask).iou, [[4 / 6, 1 / 8], [0, 2 / 3]])
    assert objects.count_matches(label, mask, 0.6)["found"] == 2
    crossed = objects.count_matches(line("1111122000"), line("1122222000"), 0.25)
    # Object 1 has 2/5 with the first and 3/7 with the second, object 2 has 2/5 with the second alone.
    assert (crossed["found"], crossed["iou"]) == (2, pytest.approx(2 / 5 + 2 / 5))


def test_connected_parts_are_objects_and_numbers_need_not_run_on():
    label = line("1101101100").astype(bool)
    assert objects.count_matches(label, label) == {"found": 3, "missed": 0, "extra": 0, "iou": 3.0}
    numbered = line("5505509900")
    assert objects.count_matches(numbered, numbered)["found"] == 2
    assert objects.count_matches(np.full((2, 2), 7), np.full((2, 2), 3))["found"] == 1


def test_empty_images():
    empty = np.zeros((2, 3), int)
    assert objects.count_matches(empty, empty) == {"found": 0, "missed": 0, "extra": 0, "iou": 0.0}
    assert objects.count_matches(empty, empty + 1)["extra"] == 1
    assert objects.count_matches(empty + 1, empty)["missed"] == 1
    assert np.isnan(objects.score_matches([objects.count_matches(empty, empty)])["f1"])


def test_what_hardly_any_object_of_the_labels_has_is_a_speck():
    label = np.zeros((60, 100), bool)
    for i in range(100):  # of three pixels, but for one of one
        label[3 * (i // 20), 5 * (i % 20) : 5 * (i % 20) + (1 if i == 0 else 3)] = True
    smallest = objects.find_smallest([objects.measure_areas(label)])
    assert smallest == 3
    mask = label | np.roll(label, 30, axis=0) & (np.arange(100) % 5 < 2)
    assert np.count_nonzero(objects.measure_areas(mask) < smallest) == 1 + 100
    kept = objects.leave_out_specks(mask, smallest)
    assert kept.dtype == bool and kept.sum() == 3 * 99
    np.testing.assert_array_equal(kept, label & (np.arange(label.size).reshape(label.shape) > 0))
    np.testing.assert_array_equal(objects.leave_out_specks(np.array([[5, 5, 9, -1]]), 2), [[5, 5, 0, 0]])
    assert objects.find_smallest([objects.measure_areas(np.zeros((3, 3), bool))]) == objects.find_smallest([]) == 1
