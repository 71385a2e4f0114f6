import csv

import numpy as np
import pytest
from helpers import SMALL, draw_discs
from PIL import Image
from scipy import ndimage

import evaluate
import main
from segmentation.scores import doubts

NAMES = ("membrane", "cell")
SIDE = 200


def draw_cells(seed):
    """Cells, True, between membranes of six pixels, and what a good network makes of them: bool and float32 arrays."""
    rng = np.random.default_rng(seed)
    seeds = np.ones((SIDE, SIDE), bool)
    seeds[tuple(rng.integers(0, SIDE, (2, 25)))] = False
    nearest = ndimage.distance_transform_edt(seeds, return_indices=True, return_distances=False)
    cells = nearest[0] * SIDE + nearest[1]
    edges = np.zeros((SIDE, SIDE), bool)
    edges[1:] |= cells[1:] != cells[:-1]
    edges[:, 1:] |= cells[:, 1:] != cells[:, :-1]
    label = ~ndimage.binary_dilation(edges, iterations=2)
    # Its edges are a pixel off here and there, as those of labels are.
    edge = ndimage.gaussian_filter(rng.standard_normal(label.shape), 3) * 4
    probability = 1 / (1 + np.exp(-(ndimage.gaussian_filter(label.astype(float), 1) - 0.5) * 8 - edge))
    return label, probability.astype("float32"), cells


def plant(labels, cells, rng):
    """Plant twenty faults in a list of labels, changed in place: list of (section, box), whole labels without a box."""
    planted = []
    for i in range(8):  # cells filled with membrane
        numbers, counts = np.unique(cells[i], return_counts=True)
        window = ndimage.find_objects((cells[i] == numbers[counts.argsort()[len(counts) // 2]]).astype(int))[0]
        labels[i][window] &= cells[i][window] != numbers[counts.argsort()[len(counts) // 2]]
        planted.append((str(i), window))
    for i in range(8, 16):  # membranes wiped out
        window = tuple(slice(start, start + 40) for start in rng.integers(20, SIDE - 60, 2))
        labels[i][window] = True
        planted.append((str(i), window))
    labels[16], labels[17] = labels[17].copy(), labels[16].copy()
    labels[18] = np.roll(labels[18], 8, axis=1)
    labels[19] = labels[19][::-1].copy()
    return [*planted, *((str(i), None) for i in range(16, 20))]


@pytest.mark.parametrize(("gap", "expected"), [(12, [(10, 10, 30, 50)]), (24, [(10, 10, 30, 24), (10, 48, 30, 62)])])
def test_places_that_are_near_are_one(gap, expected):
    seen = np.zeros((80, 80), "float32")
    seen[10:30, 10:24] = seen[10:30, 24 + gap : 38 + gap] = 1
    found = doubts.find_places("a", np.zeros((80, 80), bool), seen, NAMES)
    assert [doubt.box for doubt in found] == expected
    assert sum(doubt.weight for doubt in found) == pytest.approx(2 * 20 * 14, abs=12)  # less the corners


def test_near_places_of_two_kinds_or_too_many_stay_apart():
    label, seen = np.zeros((80, 240), bool), np.zeros((80, 240), "float32")
    seen[10:30, 10:24] = 1
    label[10:30, 36:50] = True
    found = {doubt.box: doubt.text for doubt in doubts.find_places("a", label, seen, NAMES)}
    texts = ["labelled membrane, cell is seen", "labelled cell, membrane is seen"]
    assert found == dict(zip([(10, 10, 30, 24), (10, 36, 30, 50)], texts, strict=True))
    seen[:] = 0
    seen[40:60, 10:230] = np.arange(220) % 20 < 8
    assert len(doubts.find_places("a", np.zeros_like(label), seen, NAMES)) == 11


def test_planted_faults_are_found_first_and_called_by_name():
    drawn = [draw_cells(seed) for seed in range(24)]
    labels, maps = [label.copy() for label, _, _ in drawn], [probability for _, probability, _ in drawn]
    planted = plant(labels, [cells for _, _, cells in drawn], np.random.default_rng(0))
    each = {str(i): (label, probability > 0.5) for i, (label, probability) in enumerate(zip(labels, maps, strict=True))}
    places = [doubt for i in range(24) for doubt in doubts.find_places(str(i), labels[i], maps[i], NAMES)]
    agreements = {section: doubts.agree(*pair) for section, pair in each.items()}
    unusual = {section: each[section] for section in doubts.find_unusual(agreements)}
    ranked = doubts.rank(places, agreements, unusual)[:30]
    found = sum(any(covers(doubt, section, window) for doubt in ranked) for section, window in planted)
    assert found >= 18
    texts = {doubt.section: doubt.text for doubt in ranked if doubt.labelled is None}
    assert texts == {
        "16": "its label and that of 17 are swapped",
        "17": "its label and that of 16 are swapped",
        "18": "its label lies +0 pixels down and +8 across from the image",
        "19": "its label is flipped or turned",
    }


def covers(doubt, section, window):
    """Whether a doubt is of a planted fault."""
    if doubt.section != section or window is None:
        return doubt.section == section and doubt.labelled is None
    top, left, bottom, right = doubt.box
    return top < window[0].stop and bottom > window[0].start and left < window[1].stop and right > window[1].start


def test_labels_that_are_right_are_hardly_doubted():
    label, probability, _ = draw_cells(0)
    weights = [doubt.weight for doubt in doubts.find_places("a", label, probability, NAMES)]
    assert max(weights, default=0) < 60
    assert doubts.find_unusual({"a": 0.95, "b": 0.94, "c": 0.96}) == []


def test_a_place_knows_its_box_its_classes_and_how_sure_it_is():
    label = np.zeros((60, 60), np.uint8)
    label[:, 30:] = 1
    label[:, 58:] = 255  # not labelled
    probability = np.zeros((60, 60, 3), "float32")
    probability[:, :30, 0] = probability[:, 30:, 1] = 1
    probability[20:32, 5:17] = 0.1, 0.0, 0.9
    probability[:, 58:] = 1.0, 0.0, 0.0
    (found,) = doubts.find_places("a", label, probability, ("sky", "road", "car"))
    assert (found.labelled, found.seen, found.text) == (0, 2, "labelled sky, car is seen")
    assert found.sure == pytest.approx(0.9)
    top, left, bottom, right = found.box
    assert abs(top - 20) <= 2 and abs(left - 5) <= 2 and abs(bottom - 32) <= 2 and abs(right - 17) <= 2
    # Of 144 pixels, 0.8 surer of a car than of the sky, all but a rim of them.
    assert 80 * 0.8 < found.weight < 144 * 0.8


def test_what_networks_often_get_wrong_comes_later():
    def doubt(weight, labelled, seen):
        return doubts.Doubt("a", (0, 0, 1, 1), labelled, seen, 0.9, weight, "")

    often = [doubt(weight, 0, 1) for weight in (300, *[100] * 27)]  # 3000 pixels together
    seldom = [doubt(150, 1, 0), doubt(20, 1, 0)]
    ranked = doubts.rank([*often, *seldom], {"a": 0.9}, {})
    # Shares: 150 / (170 + 300), 300 / (3000 + 300), 20 / 470, 100 / 3300.
    assert [place.weight for place in ranked[:4]] == [150, 300, 20, 100]


@pytest.mark.parametrize(("down", "across"), [(5, 0), (-3, 7), (0, -8)])
def test_a_shift_is_told_as_it_is_mended(down, across):
    mask = draw_cells(3)[0]
    label = np.roll(mask, (down, across), axis=(0, 1))
    text = f"its label lies {down:+d} pixels down and {across:+d} across from the image"
    assert doubts.explain("a", label, mask, {}) == text


def test_the_command_writes_a_table_and_a_picture(graphs, tmp_path, capsys, pictures):
    for i in range(6):
        image, numbers = draw_discs(i)
        for part, array in (("image", np.uint8(255 * image)), ("label", np.uint8(255) * (numbers > 0))):
            (tmp_path / "data/train" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(tmp_path / "data/train" / part / f"{i}.png")
    file = tmp_path / "data/train/label/5.png"
    wrong = np.asarray(Image.open(file)).copy()
    wrong[:32] = 255  # half of it
    Image.fromarray(wrong).save(file)
    options = ["--data", str(tmp_path / "data"), "--run", str(tmp_path / "run"), *SMALL]
    assert main.main([*options, "--steps-per-epoch", "30", "--learning-rate", "0.02"]) == 0
    capsys.readouterr()
    assert evaluate.main(["labels", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    with (tmp_path / "run" / "doubtful_labels.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert rows[0]["section"] == "5" and int(rows[0]["bottom"]) <= 40 and "labelled 255, 0 is seen" in rows[0]["what"]
    assert "  1  5, rows " in printed and f"{len(rows)} places in 1 labels" in printed
    with Image.open(tmp_path / "run" / "doubtful_labels.png") as picture:
        assert picture.width > 300
    (tmp_path / "data/train/image/0.png").unlink()
    (tmp_path / "data/train/label/0.png").unlink()
    assert evaluate.main(["labels", str(tmp_path / "run")]) == 2
    assert "data: its images are no longer those that the run in" in capsys.readouterr().err
    assert evaluate.main(["labels", str(tmp_path / "none")]) == 2
    assert "none: is no folder of a run" in capsys.readouterr().err


def test_a_place_in_which_pixels_are_wrong_both_ways_has_the_more_frequent_pair():
    label = np.zeros((20, 20), bool)
    label[5:15, 8:11] = True
    seen = np.zeros((20, 20), bool)
    seen[5:15, 11:14] = True
    (place,) = doubts.find_places("a", label, np.where(seen, 1.0, 0.0), NAMES)
    assert place.labelled != place.seen
