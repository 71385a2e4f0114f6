"""What programs leave in labels and images: each is read as it is meant, or refused or warned of by name."""

import json
import re

import numpy as np
import pytest
from helpers import SMALL, check, draw_discs, draw_section, find_problem, save, take, to_bytes, write, write_pairs
from PIL import Image

import evaluate
import main
from segmentation.files import classes, dataset, labels
from segmentation.scores import tables
from segmentation.training import runs

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)
NUMBERED = r"number objects.*--objects"
SEAMS = "only seen as seams, as JPEG or smoothing"


def kinds(numbers):
    """Discs of two classes: 0 outside, 1 and 2."""
    return np.where(numbers == 0, 0, 1 + numbers % 2)


def paint(values, ground=(0, 0, 0), first=RED, second=GREEN):
    return np.array([ground, first, second], np.uint8)[values]


def soften(label):
    """Halve a label as programs do that smooth: neighbouring pixels are averaged."""
    label = label.astype(float)
    return np.uint8((label[::2, ::2] + label[1::2, ::2] + label[::2, 1::2] + label[1::2, 1::2]) / 4)


def halve(image):
    return to_bytes(image)[::2, ::2]


def find_warning(folder, **options):
    (warning,) = dataset.survey(folder, **options).warnings
    return warning


# ---- labels that smoothing or JPEG has changed


@pytest.mark.parametrize("ground", [(0, 0, 0), WHITE])
def test_smoothed_colours_of_three_classes_are_refused(tmp_path, ground):
    """Red and green are equally bright: by their brightness they would be one."""
    write_pairs(
        tmp_path, height=128, width=128, image=halve, label=lambda numbers: soften(paint(kinds(numbers), ground))
    )
    assert SEAMS in find_problem(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"a": "#000000", "b": "#ff0000", "c": "#00ff00"}}))
    assert "which dataset.json does not name" in find_problem(tmp_path)


def test_smoothed_colours_of_two_classes_are_read_by_their_brightness(tmp_path):
    write_pairs(
        tmp_path, height=128, width=128, image=halve, label=lambda numbers: soften(paint(np.minimum(numbers, 1)))
    )
    found = check(tmp_path)
    assert "#ff0000 where they are brighter than half way to it" in " ".join(found.notes)
    expected = soften(255 * (draw_discs(0, 128, 128)[1] > 0)) > 127
    np.testing.assert_array_equal(take(found)[0].labels[0], expected)


def test_rectangles_whose_edges_are_smoothed_are_refused(tmp_path):
    def draw(numbers):
        label = np.zeros((128, 128))
        label[11:61, 21:85], label[79:111, 33:51] = 255, 255
        return soften(label)

    write_pairs(tmp_path, height=128, width=128, image=halve, label=draw)
    assert "values 64, 128" in find_problem(tmp_path) or SEAMS in find_problem(tmp_path)


@pytest.mark.parametrize("quality", [95, 100])
def test_three_classes_that_were_jpeg_are_refused(tmp_path, quality):
    def compress(numbers):
        save(np.array([0, 127, 255], np.uint8)[kinds(numbers)], tmp_path / "label.jpg")
        Image.open(tmp_path / "label.jpg").save(tmp_path / "label.jpg", quality=quality)
        return np.asarray(Image.open(tmp_path / "label.jpg"))

    write_pairs(tmp_path, label=compress)
    assert re.search("JPEG or smoothing|not smoothed", find_problem(tmp_path))


@pytest.mark.parametrize(("low", "high"), [(128, 255), (254, 255), (255, 4095)])
def test_masks_of_two_values_of_which_one_differs_by_file_are_asked_about(tmp_path, low, high):
    write_pairs(tmp_path, label=lambda numbers: np.uint16(numbers > 0) * np.uint16(high))
    write(tmp_path / "train/label/s1.png", np.uint16(draw_discs(1)[1] > 0) * np.uint16(low))
    assert f"of which the higher differs by file ({low} and {high})" in find_problem(tmp_path)


# ---- transparency, planes, depths


def test_a_transparent_label_is_empty_whatever_colour_it_hides(tmp_path):
    for hidden in (WHITE, RED):
        alpha = np.zeros((8, 8, 1), np.uint8)
        write(tmp_path / "label.png", np.dstack([np.full((8, 8, 3), hidden, np.uint8), alpha]))
        label = labels.read_label(tmp_path / "label.png")
        assert not label.numbers.any() and "transparent pixels" in label.notes[-1]


def test_erased_pixels_do_not_show_what_they_hide(tmp_path):
    painted = np.dstack([paint(np.eye(8, dtype=int)), np.full((8, 8), 255, np.uint8)])
    painted[:2, 4:] = [*GREEN, 0]
    write(tmp_path / "label.png", painted)
    assert set(labels.read_label(tmp_path / "label.png").numbers.ravel()) == {0, labels.to_code(*RED)}


def test_planes_of_a_label_are_pages_and_never_a_colour(tmp_path):
    write(tmp_path / "label.tif", np.stack([np.eye(8, dtype=np.uint8)] * 3))
    label = labels.read_label(tmp_path / "label.tif")
    assert label.numbers.shape == (3, 8, 8) and not label.in_colour


def test_sixteen_bits_that_hold_small_numbers_keep_them(tmp_path):
    from imagecodecs import png_encode

    numbers = np.eye(8, dtype=np.uint16) * 2
    (tmp_path / "label.png").write_bytes(png_encode(np.dstack([numbers] * 3)))
    assert labels.read_label(tmp_path / "label.png").numbers.max() == 2


# ---- objects, strokes and void


@pytest.mark.parametrize(
    "renumber",
    [
        lambda numbers: np.where(numbers, np.uint16(numbers * 37 % 101 + 3), 0).astype(np.uint16),
        lambda numbers: (
            np.random.default_rng(numbers.sum()).integers(0, 255, (99, 3), np.uint8)[numbers]
            * (numbers > 0)[..., np.newaxis]
        ),
    ],
    ids=["numbers with gaps", "random colours"],
)
def test_objects_are_recognised_by_more_than_running_numbers(tmp_path, renumber):
    discs = {"height": 160, "width": 160, "radii": (4, 7)}
    write_pairs(tmp_path, label=renumber, **discs)
    write(tmp_path / "train/label/s1.png", np.asarray(renumber(draw_discs(1, count=3, **discs)[1])))
    assert re.search(NUMBERED, find_problem(tmp_path))


def test_objects_whose_outside_is_not_zero_are_refused(tmp_path):
    write_pairs(tmp_path)
    for file in sorted((tmp_path / "train/label").iterdir()):
        number = int(file.stem[1:])
        file.unlink()
        write(file.with_suffix(".tif"), np.int32(draw_discs(number)[1]) - 1)
    assert "if -1 is outside, write 0 for it" in find_problem(tmp_path, objects=True)


def test_objects_of_which_nothing_is_labelled_end_in_a_sentence(tmp_path):
    write_pairs(tmp_path, label=lambda numbers: np.full(numbers.shape, 255, np.uint8))
    assert "no labelled pixel" in find_problem(tmp_path, objects=True, ignore=255)


def test_strokes_in_colour_are_asked_about(tmp_path):
    def scribble(numbers):
        strokes = np.zeros(numbers.shape, int)
        strokes[10, 5:50], strokes[40, 5:50] = 1, 2
        return paint(strokes, WHITE)

    write_pairs(tmp_path, label=scribble)
    assert "--ignore '#ffffff'" in find_problem(tmp_path)
    found = check(tmp_path, ignore=labels.to_code(*WHITE))
    assert found.classes.names == ("#00ff00", "#ff0000")


def test_a_value_to_be_ignored_that_no_label_holds_is_named(tmp_path):
    write_pairs(tmp_path)
    assert "no label holds 128, which is to be ignored" in find_warning(tmp_path, ignore=128)


def test_labels_in_colours_beside_labels_in_numbers_are_refused(tmp_path):
    write_pairs(tmp_path, label=lambda numbers: paint(kinds(numbers)))
    write(tmp_path / "train/label/s1.png", np.uint8(kinds(draw_discs(1)[1])))
    assert "which belong together cannot be known" in find_problem(tmp_path)


def test_colours_that_the_owner_names_are_those_of_palettes(tmp_path):
    from helpers import make_indexed

    write_pairs(tmp_path, label=lambda numbers: make_indexed(np.uint8(numbers > 0), [(0, 0, 0), RED]))
    said = {"Labels": {"soil": "#000000", "root": "#ff0000"}, "Channel_names": {"0": "red"}}
    (tmp_path / "dataset.json").write_text(json.dumps(said))
    assert check(tmp_path).classes.names == ("soil", "root")


# ---- grey values


@pytest.mark.parametrize(
    ("missing", "dtype"), [(-9999, np.float32), (-3.4e38, np.float32), (-32768, np.int16), (65535, np.uint16)]
)
def test_a_value_for_missing_data_does_not_swallow_the_range(tmp_path, missing, dtype):
    def measure(image):
        image = (1000 * image).astype(dtype)
        image[:8] = missing
        return image

    write_pairs(tmp_path, image=measure, names="s{}.tif")
    assert "far outside all others" in find_warning(tmp_path)
    training, _ = take(check(tmp_path))
    inside, outside = (np.median(training.images[0][8:, :][training.labels[0][8:] == i]) for i in (1, 0))
    assert inside - outside > 0.3


def test_blank_images_are_refused(tmp_path):
    write_pairs(tmp_path, image=lambda image: np.full(image.shape, 7, np.uint8))
    assert any("all images are blank" in problem for problem in dataset.survey(tmp_path).problems)


def test_test_images_that_cannot_be_scaled_are_refused_before_training(tmp_path):
    write_pairs(tmp_path, tests=1)
    (tmp_path / "test/s6.png").unlink()
    write(tmp_path / "test/s6.tif", np.float32(to_bytes(draw_discs(6)[0])))
    assert "floats between 0 and 1, as in training" in find_problem(tmp_path)


# ---- folders, twins, runs


@pytest.mark.parametrize("name", ["labels", "masks", "mask"])
def test_labels_of_test_images_in_a_folder_of_another_name_are_not_predicted(tmp_path, name):
    write_pairs(tmp_path, tests=1)
    (tmp_path / "test/label").rename(tmp_path / "test" / name)
    assert f"test/{name}: is not read as labels; rename it to" in find_problem(tmp_path)


def test_folders_that_are_not_read_are_named(tmp_path):
    write_pairs(tmp_path)
    write(tmp_path / "validation/image/a.png", np.zeros((8, 8), np.uint8))
    assert "validation: is not read: only train, val, test are." in " ".join(check(tmp_path).notes)


def test_the_same_image_twice_in_train_is_warned_of(tmp_path):
    write_pairs(tmp_path)
    for part in ("image", "label"):
        (tmp_path / "train" / part / "s9.png").write_bytes((tmp_path / "train" / part / "s0.png").read_bytes())
    assert "s0.png again: if one is held out" in find_warning(tmp_path)
    write(tmp_path / "train/label/s9.png", np.eye(64) > 0)
    assert "s0.png again, with another label; which is right cannot be known" in find_warning(tmp_path)


def test_what_is_held_out_has_to_be_labelled(tmp_path):
    write_pairs(tmp_path, label=lambda numbers: np.uint8(numbers > 0))
    write(tmp_path / "train/label/s5.png", np.full((64, 64), 255, np.uint8))
    assert "no labelled pixel to be scored by" in find_problem(tmp_path, ignore=255)


def test_a_run_is_not_resumed_on_other_data(tmp_path, capsys):
    folder, run = write_pairs(tmp_path / "discs", tests=1), tmp_path / "run"
    options = ["--data", str(folder), "--run", str(run), *SMALL, "--epochs", "1"]
    assert main.main(options) == 0
    summary = json.loads((run / "run.json").read_text())
    assert summary["trained_on"]["classes"] == "0, 255"
    resume = ["--resume", "--run", str(run)]
    for part, picture in (("image", draw_discs(9)[0]), ("label", draw_discs(9)[1] > 0)):
        write(folder / "train" / part / "s9.png", to_bytes(picture) if part == "image" else picture)
    assert main.main(resume) == 2
    assert "its sections are not those that the run" in capsys.readouterr().err
    write_pairs(folder, tests=1, label=lambda numbers: np.uint8(kinds(numbers)))
    for part in ("image", "label"):
        (folder / "train" / part / "s9.png").unlink()
    assert main.main(resume) == 2
    assert "its classes are not those that the run" in capsys.readouterr().err


def test_a_stack_that_was_an_image_replaces_its_mask(tmp_path):
    folder = write_pairs(tmp_path / "discs", tests=1)
    options = ["--data", str(folder), "--run", str(tmp_path / "run"), *SMALL, "--epochs", "1"]
    assert main.main(options) == 0 and (folder / "test/s6_predict.png").is_file()
    (folder / "test/s6.png").unlink()
    (folder / "test/label/s6.png").unlink()
    pages = [draw_discs(i) for i in (6, 7)]
    write(folder / "test/s6.tif", np.stack([to_bytes(image) for image, _ in pages]), photometric="minisblack")
    stack = np.stack([np.uint8(numbers > 0) * np.uint8(255) for _, numbers in pages])
    write(folder / "test/label/s6.tif", stack, photometric="minisblack")
    assert main.main(options) == 0
    assert not (folder / "test/s6_predict.png").exists()
    assert "test" in runs.read_summary(tmp_path / "run")["scores"]


def test_an_empty_folder_of_test_labels_is_none(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "test" / "label").mkdir(parents=True)
    known = classes.Classes((0, 255), ("0", "255"))
    assert main.score_test_masks(main.parse(["--data", str(tmp_path)]), known) == {}


# ---- scores


def test_images_are_not_scored_as_masks(tmp_path, capsys):
    write_pairs(tmp_path, tests=1)
    assert evaluate.main([str(tmp_path / "test"), str(tmp_path / "test/label")]) == 2
    assert "no masks in it" in capsys.readouterr().err


def test_masks_of_other_values_than_the_labels_are_refused(tmp_path, capsys):
    values = kinds(draw_discs(0)[1])
    write(tmp_path / "label/a.png", np.uint8(values))
    write(tmp_path / "mask/a.png", np.array([0, 127, 255], np.uint8)[values])
    assert evaluate.main([str(tmp_path / "mask"), str(tmp_path / "label")]) == 2
    assert "masks hold 127, 255, labels other values" in capsys.readouterr().err


def test_masks_of_one_and_two_are_read_by_their_own_two_values(tmp_path):
    inside = draw_discs(0)[1] > 0
    write(tmp_path / "label/a.png", inside)
    write(tmp_path / "mask/a.png", np.uint8(1 + inside))
    files = tables.find_masks(tmp_path / "mask", tmp_path / "label")
    known, _ = tables.find_classes(files[1], files[0], tmp_path / "label")
    rows, _ = tables.score_folder(tmp_path / "mask", tmp_path / "label", known)
    assert rows["a"]["accuracy"] == 1


def test_leading_zeros_are_no_difference(tmp_path):
    rng = np.random.default_rng(0)
    for i in (1, 2, 10):
        image, label = draw_section(rng)
        save(image, tmp_path / "train/image" / f"{i}.png")
        save(label, tmp_path / "train/label" / f"{i:03}.png")
    found = check(tmp_path)
    assert found.parts["train"].pairs == {"1": "001", "2": "002", "10": "010"}
    assert "leading zeros of numbers differ" in " ".join(found.notes)
