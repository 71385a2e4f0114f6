"""Data as people have it: each is read as its owner means, or refused or warned of by name, before training."""

import os
import re

import keras
import numpy as np
import pytest
import tifffile
from helpers import SMALL, check, draw_discs, find_problem, make_indexed, take, to_bytes, write, write_pairs
from PIL import Image

import data
import evaluate
import main
import predict
from model import unet
from segmentation.files import classes, scaling, splits, storage, writing
from segmentation.prediction import masks, networks
from segmentation.scores import tables
from segmentation.training import callbacks, runs

# ---- what a label means


def test_numbered_objects_are_refused_until_they_are_called_that(tmp_path):
    write_pairs(tmp_path, tests=1, label=np.uint8)
    write(tmp_path / "train/label/s1.png", np.uint8(np.minimum(draw_discs(1)[1], 3)))
    assert re.search("train/label: the labels number objects.*--objects", find_problem(tmp_path))
    training, _ = take(check(tmp_path, objects=True))
    assert training.classes.names == ("background", "object")
    numbers = draw_discs(0)[1]
    (touching,) = np.nonzero((numbers[:-1] != numbers[1:]).any(1) & (numbers[1:] > 0).any(1))[:1]
    assert len(touching)
    np.testing.assert_array_equal(training.labels[0], classes.part_objects(numbers))


def test_more_objects_than_there_can_be_classes_are_recognised_too(tmp_path):
    def number(numbers):
        return np.uint16(numbers * 700 + (numbers > 0) * numbers.sum() % 97)

    write_pairs(tmp_path, label=number, count=9)
    assert "--objects" in find_problem(tmp_path)
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "nucleus": 1}}')
    assert take(check(tmp_path, objects=True))[0].classes.names == ("background", "nucleus")


def test_objects_that_touch_are_parted_by_one_pixel():
    numbers = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [0, 3, 3, 0]])
    expected = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 0]], bool)
    np.testing.assert_array_equal(classes.part_objects(numbers), expected)


def ring(numbers):
    """Objects 1, with a ring of 255 around them."""
    inside = numbers > 0
    around = np.zeros_like(inside)
    for shift in ((0, 2), (2, 0), (0, -2), (-2, 0)):
        around |= np.roll(inside, shift, (0, 1))
    return np.where(inside, 1, np.where(around, 255, 0)).astype(np.uint8)


def test_a_ring_of_void_is_asked_about(tmp_path):
    write_pairs(tmp_path, label=ring)
    assert re.search("is value 255, a thin ring.*--ignore 255", find_problem(tmp_path))
    for option in ({"ignore": 255}, {}):
        training, _ = take(check(tmp_path, **option))
        assert training.classes.names == ("0", "1") if option else ("background", "disc")
        assert set(np.unique(training.labels[0])) == {0, 1, classes.IGNORED}
        (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "disc": 1, "ignore": 255}}')


def test_void_of_a_palette_may_be_named_by_its_index(tmp_path):
    colours = [(0, 0, 0), (128, 0, 0)] + [(0, 0, 0)] * 253 + [(224, 224, 192)]
    write_pairs(tmp_path, label=lambda numbers: make_indexed(ring(numbers), colours))
    assert "--ignore 255" in find_problem(tmp_path)
    assert take(check(tmp_path, ignore=255))[0].classes.values == (0, 1)


def strokes(numbers):
    """1 outside and 2 inside of objects, on a few lines; 0 elsewhere."""
    drawn = np.zeros(numbers.shape, bool)
    drawn[::24], drawn[:, ::31] = True, True
    return np.where(drawn, 1 + (numbers > 0), 0).astype(np.uint8)


def test_scribbles_are_asked_about_and_then_trained_on_alone(tmp_path):
    write_pairs(tmp_path, label=strokes)
    assert re.search("value 0 has 9.% of the pixels.*thin strokes.*--ignore 0", find_problem(tmp_path))
    training, _ = take(check(tmp_path, ignore=0))
    assert training.classes.values == (1, 2)
    write(tmp_path / "test/a.png", to_bytes(draw_discs(7)[0]))
    write(tmp_path / "test/label/a.png", draw_discs(7)[1] > 0)
    assert "test/label/a.png: holds 255, which no label of" in find_problem(tmp_path, ignore=0)
    write(tmp_path / "test/label/a.png", np.uint8(1 + (draw_discs(7)[1] > 0)))
    check(tmp_path, ignore=0)
    assert np.mean(classes.known(training.labels[0])) < 0.1


def test_a_class_of_thin_lines_is_only_warned_of(tmp_path):
    def line(numbers):
        return np.where(numbers > 0, 2, np.where(ring(numbers) == 255, 1, 0)).astype(np.uint8)

    write_pairs(tmp_path, label=line)
    (warning,) = check(tmp_path).warnings
    assert re.search("train/label: value 1 is a thin line.*--ignore 1", warning)


def blur(numbers):
    """A mask as JPEG brings it back."""
    rng = np.random.default_rng(0)
    return np.uint8(np.where(numbers > 0, 255 - rng.integers(0, 8, numbers.shape), rng.integers(0, 8, numbers.shape)))


def interpolate(numbers):
    """A mask that was enlarged by interpolation."""
    size = numbers.shape[1], numbers.shape[0]
    return np.asarray(Image.fromarray(np.uint8(numbers > 0) * np.uint8(255)).resize((45, 45)).resize(size, 2))


@pytest.mark.parametrize("label", [blur, interpolate])
def test_masks_that_jpeg_or_interpolation_has_blurred_are_read_at_half_their_range(tmp_path, label):
    write_pairs(tmp_path, label=label, count=6, tests=1)
    found = check(tmp_path)
    assert found.classes.values == (0, 255)
    assert any(re.search(r"s0.png and 5 more: masks of two values.*above 127.5", note) for note in found.notes)
    expected = draw_discs(0)[1] > 0
    assert np.mean(take(found)[0].labels[0] != expected) < 0.05


def test_grey_classes_are_no_blurred_mask(tmp_path):
    write_pairs(tmp_path, label=lambda numbers: np.uint8([0, 64, 128, 191, 255])[numbers % 5])
    assert check(tmp_path).classes.values == (0, 64, 128, 191, 255)


def test_masks_in_0_and_1_beside_masks_in_0_and_255(tmp_path):
    write_pairs(tmp_path)
    for i in (0, 2):
        write(tmp_path / f"train/label/s{i}.png", np.uint8(draw_discs(i)[1] > 0))
    found = check(tmp_path)
    assert any("read by its own two values (2 with 0 and 1, 4 with 0 and 255)" in note for note in found.notes)
    training, _ = take(found)
    for i in range(3):
        np.testing.assert_array_equal(training.labels[i], draw_discs(i)[1] > 0)


def test_one_class_a_file_is_no_other_coding(tmp_path):
    write_pairs(tmp_path)
    for i in range(6):
        write(tmp_path / f"train/label/s{i}.png", np.uint8(draw_discs(i)[1] > 0) * np.uint8(1 + i % 2))
    assert check(tmp_path).classes.values == (0, 1, 2)


def test_palettes_whose_order_differs_by_file_are_read_by_their_colours(tmp_path):
    write_pairs(tmp_path)
    for i in range(6):
        inside = draw_discs(i)[1] > 0
        order = [(0, 0, 0), (255, 255, 255)][:: 1 if i % 2 else -1]
        write(tmp_path / f"train/label/s{i}.png", make_indexed(np.uint8(inside == i % 2), order))
    training, _ = take(check(tmp_path))
    for i in range(4):
        np.testing.assert_array_equal(training.labels[i], draw_discs(i)[1] > 0)


def test_masks_that_are_white_where_they_hold_zero(tmp_path):
    write_pairs(tmp_path)
    for i in range(6):
        (tmp_path / f"train/label/s{i}.png").unlink()
        write(tmp_path / f"train/label/s{i}.tif", draw_discs(i)[1] == 0, photometric="miniswhite")
    np.testing.assert_array_equal(take(check(tmp_path))[0].labels[0], draw_discs(0)[1] > 0)


def test_a_mask_in_the_alpha_channel(tmp_path):
    def label(numbers):
        return Image.fromarray(np.dstack([np.full((*numbers.shape, 3), 200), 255 * (numbers > 0)]).astype(np.uint8))

    write_pairs(tmp_path, label=label)
    np.testing.assert_array_equal(take(check(tmp_path))[0].labels[0], draw_discs(0)[1] > 0)


def test_grey_labels_saved_in_colour_are_grey(tmp_path):
    write_pairs(tmp_path, label=lambda numbers: np.repeat(np.uint8(numbers % 3)[..., np.newaxis], 3, axis=-1))
    assert check(tmp_path).classes.values == (0, 1, 2)


@pytest.mark.parametrize(("value", "dtype"), [(-1, "int16"), (70_000, "uint32")])
def test_values_that_no_mask_can_hold_are_refused_or_ignored(tmp_path, value, dtype):
    write_pairs(tmp_path)
    for i in range(6):
        (tmp_path / f"train/label/s{i}.png").unlink()
        label = (draw_discs(i)[1] > 0).astype(dtype)
        label[:20, :20] = value
        write(tmp_path / f"train/label/s{i}.tif", label)
    assert f"the labels hold {value}, which no mask can" in find_problem(tmp_path)
    assert check(tmp_path, ignore=value).classes.values == (0, 1)


def test_test_labels_are_read_by_the_classes_of_the_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "three", label=lambda numbers: np.uint8(np.minimum(numbers, 2)), tests=2)
    for i in (6, 7):
        write(tmp_path / f"three/test/label/s{i}.png", np.uint8(draw_discs(i)[1] > 0))
    assert main.main(["--data", "three", *SMALL]) == 0
    scores = runs.read_summary(tmp_path / "runs/three")["scores"]["test"]
    assert {"0_iou", "1_iou", "mean_iou"} <= scores.keys()
    assert "membrane" not in (tmp_path / "runs/three/run.json").read_text()
    assert evaluate.main(["three/test", "three/test/label"]) == 0


def test_a_test_label_of_one_value_is_scored_as_it_is(tmp_path, capsys):
    empty, full = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    write(tmp_path / "masks/a_predict.png", empty)
    for label, expected in ((empty, 1), (full, 0)):
        write(tmp_path / "labels/a.png", label)
        assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "labels")]) == 0
        header, row, _ = capsys.readouterr().out.splitlines()
        assert float(row.split()[1 + header.split().index("255_iou")]) == expected


def test_masks_of_0_and_1_are_scored_as_those_of_0_and_255(tmp_path, capsys):
    inside = draw_discs(0)[1] > 0
    write(tmp_path / "labels/a.png", inside)
    printed = []
    for mask in (inside, np.uint8(inside)):
        write(tmp_path / "masks/a.png", mask)
        assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "labels")]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "1.0000" in printed[0]


def test_what_is_trained_on_has_to_hold_an_object(tmp_path):
    write_pairs(tmp_path, label=lambda numbers: np.zeros_like(numbers, np.uint8))
    write(tmp_path / "train/label/s5.png", draw_discs(5)[1] > 0)
    problem = find_problem(tmp_path)
    for words in ("train/label: what is trained on holds no object", "order", "--validation-fraction", "val/"):
        assert words in problem


def test_scores_are_those_of_the_rarer_class_first_and_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "lesions", tests=1, count=6, radii=(2, 4))
    assert main.main(["--data", "lesions", *SMALL]) == 0
    scores = runs.read_summary(tmp_path / "runs/lesions")["scores"]["held out"]
    assert list(scores)[2:4] == ["255_iou", "255_dice"]
    assert "v_rand" not in scores
    assert "val_255_iou" in runs.read_history(tmp_path / "runs/lesions/history.csv")[0]
    printed = capsys.readouterr().out
    assert "membrane" not in printed
    assert "imbalance (255 has" in printed, "nothing is learned in six steps"
    (tmp_path / "lesions/dataset.json").write_text('{"labels": {"skin": 0, "lesion": 255}}')
    assert main.main(["--data", "lesions", *SMALL, "--epochs", "1"]) == 0
    assert "lesion_iou" in capsys.readouterr().out
    assert networks.load_network(tmp_path / "runs/lesions/model.keras")[1].names == ("skin", "lesion")


def test_vessels_are_no_objects_and_nuclei_are():
    rows, columns = np.mgrid[:200, :200]
    vessels = (np.abs(rows - 100 - 40 * np.sin(columns / 30)) < 3) | (np.abs(columns - rows) < 2)
    assert not classes.are_parted([vessels])
    nuclei = np.hypot((rows % 50) - 25, (columns % 50) - 25) < 12
    assert classes.are_parted([nuclei])
    assert classes.are_parted([(rows % 40 > 2) & (columns % 40 > 2)]), "cells, parted by lines"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "found no such names"),
        ('{"labels": [0, 1]}', 'expected "labels"'),
        ('{"labels": {"a": 0, "b": 0}}', "two labels have one value"),
        ('{"labels": {"a": [0, 1]}}', "label 'a': expected a number or a colour"),
        ('{"labels": {"a": 0, "b": 7}}', "s0.png: holds 255, which dataset.json does not name"),
    ],
)
def test_what_is_wrong_with_a_description_is_said(tmp_path, text, words):
    write_pairs(tmp_path)
    (tmp_path / "dataset.json").write_text(text)
    assert words in find_problem(tmp_path)


def test_the_older_words_of_nnunet_and_colours_are_known(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "dataset.json").write_text('{"labels": {"0": "background", "255": "cell"}}')
    assert check(tmp_path).classes.names == ("background", "cell")
    write_pairs(
        tmp_path / "b", label=lambda numbers: np.uint8([(9, 0, 0), (0, 200, 0), (0, 0, 99)])[np.minimum(numbers, 2)]
    )
    (tmp_path / "b/dataset.json").write_text(
        '{"labels": {"grass": "#00C800", "earth": "#090000", "ignore": "#000063"}}'
    )
    training, _ = take(check(tmp_path / "b"))
    assert training.classes.names == ("earth", "grass")
    assert classes.IGNORED in training.labels[0]


def test_pixels_that_are_not_labelled_weigh_nothing(tmp_path):
    label = np.full((32, 32), classes.IGNORED, np.uint8)
    label[8:12], label[20:24] = 0, 1
    image = np.random.default_rng(0).random((32, 32, 1), "float32")
    options = {"crop": 32, "batch_size": 2, "steps": 2, "ignoring": True}
    for augmentation in (data.Augmentation(), data.Augmentation(elastic=5)):
        _, targets, weights = data.Crops([image], [label], augmentation=augmentation, **options)[0]
        assert set(np.unique(targets)) <= {0, 1}
        assert (weights == 0).any()
        assert np.isclose(weights.max(), 4), "a quarter is labelled"
    _, targets, weights = data.Sections([image], [label], 4)[0]
    np.testing.assert_array_equal(weights[0, ..., 0] > 0, label != classes.IGNORED)
    assert np.isclose(weights.mean(), 1)


def test_what_augmentation_brings_in_from_outside_is_not_labelled():
    label = np.zeros((32, 32), np.uint8)
    image = np.zeros((32, 32, 1), "float32")
    crops = data.Crops([image], [label], crop=32, batch_size=8, steps=1, ignoring=True)
    assert (crops[0][2] == 0).any()


def test_pixels_that_are_not_labelled_count_in_no_score():
    known = classes.Classes((0, 1), ("earth", "grass"), ignore=255, pixels=(9, 1), parted=False)
    label = np.uint8([[0, 0, 1, classes.IGNORED, classes.IGNORED]])
    scores = tables.score_mask(label, np.array([[0, 0, 1, 1, 1]], bool), known)
    assert scores["grass_iou"] == scores["accuracy"] == 1
    assert scores["constant"] == 2 / 3


# ---- what a pixel is worth


def counts(image):
    """A camera's counts, far below what 16 bits can hold."""
    return np.uint16(100 + 60 * image)


SCALED = {
    "bytes": (to_bytes, "dtype"),
    "counts": (counts, "dataset"),
    "12 bits": (lambda image: np.uint16(4095 * image), "dataset"),
    "offset": (lambda image: np.uint16(32768 + 2000 * image), "dataset"),
    "hounsfield": (lambda image: np.float32(3000 * image - 1000), "dataset"),
    "signed": (lambda image: np.int16(3000 * image - 1000), "dataset"),
    "32 bits": (lambda image: np.uint32(4e6 * image), "dataset"),
    "floats": (lambda image: np.float32(image), "dtype"),
    "dark floats": (lambda image: np.float32(image / 50), "dataset"),
}


@pytest.mark.parametrize("name", SCALED)
def test_grey_values_are_scaled_by_their_dtype_or_by_the_training_set(tmp_path, name):
    image, rule = SCALED[name]
    write_pairs(tmp_path, image=image, names="s{}.tif", tests=1)
    found = check(tmp_path)
    assert found.scaling.rule == rule
    assert found.warnings == ()
    assert scaling.describe(found.scaling) in found.notes
    training, _ = take(found)
    for scaled in training.images:
        assert scaled.dtype == np.float32
        assert np.ptp(scaled) > 0.4


def test_images_of_differing_exposure_are_scaled_one_by_one(tmp_path):
    write_pairs(tmp_path)
    for i in range(6):
        write(tmp_path / f"train/image/s{i}.png", np.uint8(to_bytes(draw_discs(i)[0]) // (1 + 3 * (i % 2))))
    found = check(tmp_path)
    assert found.scaling.rule == "image"
    training, _ = take(found)
    assert all(0.9 < np.percentile(image, 99) < 1.2 for image in training.images)
    assert check(tmp_path, rule="dtype").scaling.rule == "dtype"


def test_an_image_without_contrast_is_not_stretched_to_noise():
    greys = [scaling.survey(np.uint8([[[0, factor * 100]]])) for factor in (0.2, 1, 2, 0.3)]
    chosen = scaling.choose(greys)
    assert chosen.rule == "image"
    blank = np.uint8([[3, 4], [3, 4]])
    assert np.ptp(scaling.scale(blank, chosen)) < 0.2


def test_tiles_are_scaled_as_the_whole_image():
    network = unet(width=2, depth=1)
    image = np.random.default_rng(0).integers(0, 999, (70, 90)).astype(np.uint16)
    image[:20] //= 9
    for rule in scaling.RULES:
        scaled = scaling.choose([scaling.survey(image[np.newaxis])], rule)
        whole, tiled = (masks.predict(network, image, "none", tile, scaled) for tile in (256, 16))
        np.testing.assert_allclose(whole, tiled, atol=1e-5)


def test_a_networks_scaling_is_kept_with_it_from_the_first_epoch(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "counts", image=counts, names="s{}.tif")

    class Stopped(callbacks.Checkpoint):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "Checkpoint", Stopped)
        assert main.main(["--data", "counts", *SMALL]) == 130
    for name in ("model", "last"):
        assert networks.load_network(tmp_path / f"runs/counts/{name}.keras")[1].scaling.rule == "dataset"


def test_other_depths_and_ranges_than_in_training_are_warned_of_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "cells", image=lambda image: np.uint16(4095 * image), names="s{}.tif")
    for i in (8, 9):
        write(tmp_path / f"cells/test/t{i}.png", to_bytes(draw_discs(i)[0]))
    assert data.main(["cells"]) == 0
    first = capsys.readouterr().out
    assert re.search(
        r"Warning: cells/test/t8.png: has other grey values.*uint8.*uint16.*1 more: cells/test/t9.png", first
    )
    assert main.main(["--data", "cells", *SMALL]) == 0
    assert "Warning: cells/test/t8.png" in capsys.readouterr().out
    assert predict.main(["cells/test", "--model", "runs/cells/model.keras", "--out", "masks"]) == 0
    assert re.search("Warning: cells/test/t8.png has other grey values.* as 2 images have", capsys.readouterr().err)


def test_a_picture_is_turned_as_it_is_seen(tmp_path):
    for i in range(6):
        image, numbers = draw_discs(i, 64, 48)
        exif = Image.Exif()
        exif[274] = 6
        turned = Image.fromarray(np.ascontiguousarray(np.rot90(to_bytes(image), 1)))
        write(tmp_path / f"train/image/s{i}.jpg", turned, quality=95, exif=exif)
        write(tmp_path / f"train/label/s{i}.png", numbers > 0)
    training, _ = take(check(tmp_path))
    assert np.abs(training.images[0][..., 0] - draw_discs(0, 64, 48)[0]).mean() < 0.02


# ---- channels, pages, series


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_any_number_of_channels_is_trained_on_and_others_are_refused(tmp_path, monkeypatch, capsys, channels):
    monkeypatch.chdir(tmp_path)

    def stack(image):
        bands = np.full((channels, *image.shape), 80, np.uint8)
        bands[-1] = to_bytes(image)
        return bands

    for i in range(6):
        image, numbers = draw_discs(i)
        options = {"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}}
        write(tmp_path / f"bands/train/image/s{i}.tif", stack(image), **options)
        write(tmp_path / f"bands/train/label/s{i}.png", numbers > 0)
    write(tmp_path / "bands/test/t.tif", stack(draw_discs(9)[0]), **options)
    assert main.main(["--data", "bands", *SMALL]) == 0
    assert networks.load_network(tmp_path / "runs/bands/model.keras")[0].input_shape[-1] == channels
    write(tmp_path / "grey.png", to_bytes(draw_discs(9)[0]))
    assert predict.main(["grey.png", "--model", "runs/bands/model.keras"]) == 2
    assert f"grey.png: expected {channels} channels, as in training, found 1" in capsys.readouterr().err


def test_a_fourth_band_is_no_alpha(tmp_path):
    for i in range(6):
        image, numbers = draw_discs(i)
        bands = np.dstack([np.full((64, 64, 3), 80, np.uint8), to_bytes(image)])
        write(tmp_path / f"train/image/s{i}.tif", bands, photometric="rgb", extrasamples=["unspecified"])
        write(tmp_path / f"train/label/s{i}.png", numbers > 0)
    training, _ = take(check(tmp_path))
    assert training.images[0].shape == (64, 64, 4)


def test_a_stack_of_labels_and_its_stack_of_images_are_so_many_sections(tmp_path):
    drawn = [draw_discs(i) for i in range(6)]
    write(tmp_path / "train/image/v.tif", np.stack([to_bytes(image) for image, _ in drawn]), imagej=True)
    write(tmp_path / "train/label/v.tif", np.stack([np.uint8(numbers > 0) for _, numbers in drawn]), imagej=True)
    training, held_out = take(check(tmp_path))
    assert (len(training.stems), held_out.stems) == (5, ["v page 6"])
    np.testing.assert_array_equal(training.labels[3], drawn[3][1] > 0)
    write(tmp_path / "train/label/v.tif", np.uint8(drawn[0][1] > 0))
    assert "has 1 pages where its image has 6" in find_problem(tmp_path)


def test_pages_that_are_a_series_each_get_a_mask_each(tmp_path):
    unet(width=2, depth=1).save(tmp_path / "model.keras")
    for page in range(5):
        (tmp_path / "new").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "new/a.tif", to_bytes(draw_discs(page)[0]), append=page > 0)
    assert predict.main([str(tmp_path / "new"), "--model", str(tmp_path / "model.keras")]) == 0
    assert tifffile.imread(tmp_path / "new/a_predict.tif").shape == (5, 64, 64)


def test_three_planes_are_no_grey_image(tmp_path, capsys):
    unet(width=2, depth=1).save(tmp_path / "model.keras")
    for count in (3, 4):
        write(tmp_path / f"new/z{count}.tif", np.stack([to_bytes(draw_discs(i)[0]) for i in range(count)]))
    code = predict.main([str(tmp_path / "new"), "--model", str(tmp_path / "model.keras")])
    error = capsys.readouterr().err
    for count in (3, 4):
        mask = tmp_path / f"new/z{count}_predict.tif"
        assert f"z{count}.tif: expected 1 channels, as in training, found {count}" in error or (
            tifffile.imread(mask).shape[0] == count
        )
    assert code == (2 if error else 0)


# ---- names, folders, runs


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("ISIC_{:04}.jpg", "ISIC_{:04}_segmentation.png"),
        ("t{:03}.png", "man_seg{:03}.png"),
        ("{}_training.png", "{}_manual1.gif"),
        ("case_{:03}_0000.png", "case_{:03}.png"),
        ("s{}.png", "s{}_predict.png"),
        ("S{}.PNG", "s{}.png"),
    ],
)
def test_labels_are_paired_by_what_their_names_share_and_the_rule_is_printed(tmp_path, capsys, image, label):
    for i in range(6):
        picture, numbers = draw_discs(i)
        write(tmp_path / "train/image" / image.format(i), Image.fromarray(to_bytes(picture)))
        write(tmp_path / "train/label" / label.format(i), Image.fromarray(np.uint8(255 * (numbers > 0))))
    assert data.main([str(tmp_path)]) == 0
    assert "train/label: labels are paired" in capsys.readouterr().out
    np.testing.assert_array_equal(take(check(tmp_path))[0].labels[0], draw_discs(0)[1] > 0)


def test_two_labels_of_each_image_are_refused(tmp_path):
    write_pairs(tmp_path)
    for i in range(6):
        for observer in (1, 2):
            write(tmp_path / f"train/label/s{i}_manual{observer}.png", draw_discs(i)[1] > 0)
        (tmp_path / f"train/label/s{i}.png").unlink()
    problem = find_problem(tmp_path)
    assert "_manual1" in problem
    assert "_manual2" in problem


def nest(folder):
    """Move the images and labels of a dataset into folders of two patients."""
    for part in ("train/image", "train/label", "test", "test/label"):
        for file in sorted((folder / part).glob("*.png")):
            place = folder / part / f"patient{int(file.stem[1:]) % 2}"
            place.mkdir(exist_ok=True)
            file.rename(place / file.name)


def test_folders_in_folders_are_read_and_masks_keep_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nest(write_pairs(tmp_path / "cells", tests=2))
    training, held_out = take(check(tmp_path / "cells"), group_by="folder")
    assert training.stems == ["patient0/s0", "patient0/s2", "patient0/s4"]
    assert held_out.stems == ["patient1/s1", "patient1/s3", "patient1/s5"]
    assert main.main(["--data", "cells", *SMALL, "--group-by", "folder"]) == 0
    assert (tmp_path / "cells/test/patient0/s6_predict.png").is_file()
    assert "test" in runs.read_summary(tmp_path / "runs/cells")["scores"]
    assert predict.main(["cells/test", "--model", "runs/cells/model.keras", "--out", "masks"]) == 0
    assert (tmp_path / "masks/patient1/s7_predict.png").is_file()
    assert not (tmp_path / "masks/label").exists()


def test_whole_groups_are_held_out():
    stems = [f"p{patient}_{slice_}" for patient in range(4) for slice_ in range(3)]
    training, held_out = splits.hold_out(stems, 0.2, "prefix")
    assert [stems[i] for i in held_out] == ["p3_0", "p3_1", "p3_2"]
    assert len(training) == 9
    with pytest.raises(ValueError, match="all images are of one group, 'p0', by --group-by prefix"):
        splits.hold_out(stems[:3], 0.2, "prefix")


def test_val_is_what_is_held_out(tmp_path):
    write_pairs(tmp_path)
    for part in ("image", "label"):
        (tmp_path / "val").mkdir(exist_ok=True)
        (tmp_path / "train" / part).rename(tmp_path / "val" / part)
    write_pairs(tmp_path, count=3)
    for i in range(3):
        for part in ("image", "label"):
            (tmp_path / f"val/{part}/s{i}.png").unlink()
    training, held_out = take(check(tmp_path))
    assert (training.stems, held_out.stems) == (["s0", "s1", "s2"], ["s3", "s4", "s5"])


def test_test_images_may_lie_in_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "cells", tests=2)
    (tmp_path / "cells/test/image").mkdir()
    for file in (tmp_path / "cells/test").glob("*.png"):
        file.rename(tmp_path / "cells/test/image" / file.name)
    assert main.main(["--data", "cells", *SMALL]) == 0
    assert (tmp_path / "cells/test/image/s6_predict.png").is_file()
    assert "test" in runs.read_summary(tmp_path / "runs/cells")["scores"]


def test_data_that_cannot_be_written_to_has_its_masks_in_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "cells", tests=1)
    find_obstacle = writing.find_obstacle

    def refuse(folder):
        return f"{folder}: cannot be written to" if "cells/test" in str(folder) else find_obstacle(folder)

    monkeypatch.setattr(writing, "find_obstacle", refuse)
    assert main.main(["--data", "cells", *SMALL]) == 0
    assert "their masks go to the folder of the run" in capsys.readouterr().out
    assert (tmp_path / "runs/cells/masks/s6_predict.png").is_file()
    assert main.main(["--data", "cells", *SMALL, "--out", "elsewhere"]) == 0
    assert (tmp_path / "elsewhere/s6_predict.png").is_file()
    assert list((tmp_path / "cells/test").glob("*_predict.png")) == []


def test_a_blank_image_in_both_train_and_test_is_no_leak(tmp_path):
    write_pairs(tmp_path, tests=1)
    for place in ("train/image/s0.png", "test/s6.png"):
        write(tmp_path / place, np.zeros((64, 64), np.uint8))
    check(tmp_path)


def test_the_crop_is_the_largest_that_fits(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "small", height=51, width=70)
    options = ["--data", "small", "--epochs", "1", "--steps-per-epoch", "2", "--width", "2", "--depth", "4"]
    assert main.main(options) == 0
    assert runs.read_summary(tmp_path / "runs/small")["arguments"]["crop"] == 48
    assert main.main([*options, "--crop", "51"]) == 2
    assert "--crop 51: not divisible by 2^4, as --depth needs; --crop 48 is" in capsys.readouterr().err
    assert main.main([*options, "--crop", "64"]) == 2
    assert "less than --crop 64, as in 6 of 6 images; --crop 48 fits" in capsys.readouterr().err
    assert main.main([*options, "--depth", "6"]) == 2
    assert "a --depth of 5 at most fits" in capsys.readouterr().err


def test_images_that_do_not_fit_are_decoded_when_they_are_needed(tmp_path, monkeypatch):
    write_pairs(tmp_path, count=9)
    few = take(check(tmp_path))
    monkeypatch.setattr(storage, "ROOM", 3 * 64 * 64)
    found = check(tmp_path)
    assert sum(facts.array is not None for facts in found.parts["train"].facts.values()) == 3
    many = take(found)
    assert isinstance(many[0].labels, storage.Lazy)
    for one, other in zip(few, many, strict=True):
        for name in ("images", "labels"):
            for expected, array in zip(getattr(one, name), getattr(other, name), strict=True):
                np.testing.assert_array_equal(expected, array)
    options = {"crop": 32, "batch_size": 2, "steps": 2}
    for one, other in zip(
        *(data.Crops(pairs.images, pairs.labels, **options)[0] for pairs in (few[0], many[0])), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    halves = [data.split(pairs, 0.5)[1] for pairs in (few[0], many[0])]
    assert halves[0].stems == halves[1].stems and halves[0].pixels == halves[1].pixels
    np.testing.assert_array_equal(halves[0].labels[1], halves[1].labels[1])


def test_two_runs_at_once_get_two_folders(tmp_path, monkeypatch, capsys):
    pytest.importorskip("fcntl", reason="folders cannot be locked here")
    monkeypatch.chdir(tmp_path)
    arguments = {"seed": 0, "resume": False}
    first = runs.open_run(tmp_path / "runs/cells", arguments)
    descriptor = runs.LOCKS.pop(first)  # as if another process had it
    second = runs.open_run(tmp_path / "runs/cells", arguments)
    assert second == tmp_path / "runs/cells.1"
    assert "is still being trained; this one is" in capsys.readouterr().out
    with pytest.raises(ValueError, match="is being trained by another process"):
        runs.open_run(tmp_path / "runs/cells", {"seed": 0, "resume": True})
    os.close(descriptor)
    runs.close_run(second, arguments)
    third = runs.open_run(tmp_path / "runs/cells", arguments)
    assert third == tmp_path / "runs/cells"
    assert (tmp_path / "runs/cells.2/run.json").is_file()
    runs.close_run(third, arguments)


def test_the_run_just_made_predicts_wherever_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "cells", tests=1)
    assert main.main(["--data", "cells", *SMALL, "--run", str(tmp_path / "elsewhere/mine")]) == 0
    capsys.readouterr()
    assert predict.main(["cells/test", "--out", "masks"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith(f"Network: {tmp_path}/elsewhere/mine/model.keras")


def test_a_network_averages_only_the_turns_that_it_was_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "cells", tests=1)
    calls = []
    predict_on_batch = keras.Model.predict_on_batch

    def count(self, batch):
        calls.append(len(batch))
        return predict_on_batch(self, batch)

    for turns, expected in (("none", 1), ("mirror", 2), ("all", 8)):
        assert main.main(["--data", "cells", *SMALL, "--epochs", "1", "--turns", turns]) == 0
        with monkeypatch.context() as patched:
            patched.setattr(keras.Model, "predict_on_batch", count)
            assert predict.main(["cells/test/s6.png", "--out", "masks"]) == 0
        assert len(calls) == expected
        calls.clear()


def test_files_that_are_left_out_are_named(tmp_path, capsys):
    unet(width=2, depth=1).save(tmp_path / "model.keras")
    write(tmp_path / "new/a.png", to_bytes(draw_discs(0)[0]))
    for name in ("Thumbs.db", ".DS_Store", "._a.png", "desktop.ini", "notes.txt", "scan.mha"):
        (tmp_path / "new" / name).write_bytes(b"x")
    assert predict.main([str(tmp_path / "new"), "--model", str(tmp_path / "model.keras")]) == 0
    assert "2 files are no images and were left out: notes.txt, scan.mha." in capsys.readouterr().err


def test_the_same_fault_of_many_files_is_one_sentence(tmp_path, capsys):
    write_pairs(tmp_path, count=40)
    for i in range(20, 40):
        (tmp_path / f"train/label/s{i}.png").unlink()
    assert data.main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "s20.png: has no label" in line
    assert "So it is with 19 more" in line
