"""What the values of labels mean where their owner does not say so; test_cases.py has whole datasets."""

import json

import numpy as np
import pytest
import tifffile
from helpers import draw_discs, to_bytes, write
from scipy import ndimage

from segmentation.files import dataset, images


def write_labels(folder, *codings, count=8):
    """A dataset whose labels are coded in turn: each coding is the values of outside, discs and rings around them."""
    for i in range(count):
        image, numbers = draw_discs(i)
        ring = ndimage.binary_dilation(numbers > 0, iterations=3) & (numbers == 0)
        coding = np.array(codings[i % len(codings)])
        label = coding[np.where(ring, len(coding) - 1, numbers > 0)] if len(coding) > 2 else coding[(numbers > 0) * 1]
        write(folder / f"train/image/{i}.png", to_bytes(image))
        write(folder / f"train/label/{i}.png", label.astype(np.uint8))
    return folder


@pytest.mark.parametrize(
    ("codings", "text"),
    [
        ([(0, 1), (0, 254)], "of which the higher differs by file (1 and 254); name the values in dataset.json"),
        ([(0, 1), (1, 2)], "no label holds more than two values, which are not the same (0 and 1, 1 and 2)"),
        ([(0, 255), (16, 235)], "no label holds more than two values, which are not the same (0 and 255, 16 and 235)"),
        ([(0, 1, 2), (1, 2, 3)], "some labels hold 0, 1, 2 and others 1, 2, 3, as if they were counted otherwise"),
        ([(0, 1, 2), (0, 127, 254)], "some labels hold 0, 1, 2 and others 0, 127, 254, as if"),
        ([(0, i) for i in range(1, 9)], "(1, 2, 3 and 4), as if each label had one object, numbered by file"),
        ([(0, 255)] * 7 + [(128, 128)], "7.png: holds 128 alone, where others hold 0 and 255: whether that is a class"),
    ],
)
def test_labels_that_are_coded_otherwise_from_file_to_file_are_refused(tmp_path, codings, text):
    found = dataset.survey(write_labels(tmp_path, *codings))
    assert text in " ".join(found.problems)
    names = {f"class {value}": value for value in {value for coding in codings for value in coding}}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
    assert not dataset.survey(tmp_path).problems


def test_classes_of_which_each_label_holds_one_are_learned_with_a_warning(tmp_path):
    found = dataset.survey(write_labels(tmp_path, (0, 1), (0, 2)))
    assert not found.problems
    assert "differs by file (1 and 2): they are learned as classes" in " ".join(found.warnings)
    assert found.classes.values == (0, 1, 2)


def test_white_alone_is_asked_about_where_others_write_another_white(tmp_path):
    (problem,) = dataset.survey(write_labels(tmp_path, *[(0, 1)] * 7, (255, 255))).problems
    assert "7.png: holds 255 alone, where others hold 0 and 1: whether it is white everywhere" in problem
    write_labels(tmp_path, *[(0, 1)] * 6, (0, 255), (255, 255))
    assert not dataset.survey(tmp_path).problems
    write_labels(tmp_path, (0, 128))
    write(tmp_path / "test/a.png", to_bytes(draw_discs(9)[0]))
    write(tmp_path / "test/label/a.png", np.ones((64, 64), np.uint8))
    (problem,) = dataset.survey(tmp_path).problems
    assert "test/label/a.png: holds 1 alone, where others hold 0 and 128" in problem


def test_labels_that_were_stretched_one_by_one_are_found(tmp_path):
    text = "as if each had been stretched to 255 by itself, so that one value is not one class"
    found = dataset.survey(write_labels(tmp_path, (0, 127, 255), (0, 255)))
    assert not found.problems and f"some labels hold 0, 127 and 255, others 0 and 255: {text}" in found.warnings[0]
    for i in range(0, 8, 2):
        label = images.read_array(tmp_path / f"train/label/{i}.png").copy()
        label[label == 127] = 85
        label[:20, :20] = 170
        write(tmp_path / f"train/label/{i}.png", label)
        write(tmp_path / f"train/label/{i + 1}.png", np.where(label == 255, 127, label // 85 % 2 * 255).astype("uint8"))
    (problem,) = dataset.survey(tmp_path).problems
    assert f"some labels hold 0, 85, 170 and 255, others 0, 127 and 255: {text}; save them" in problem


def test_labels_that_are_all_the_same_are_warned_of(tmp_path):
    write_labels(tmp_path, (0, 255))
    same = images.read_array(tmp_path / "train/label/0.png")
    for i in range(1, 8):
        assert not any("are the same" in text for text in dataset.survey(tmp_path).warnings)
        write(tmp_path / f"train/label/{i}.png", same)
    assert "all 8 labels are the same, though their images differ" in " ".join(dataset.survey(tmp_path).warnings)


def test_void_that_is_named_a_class_is_warned_of(tmp_path):
    write_labels(tmp_path, (0, 1, 255))
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"unlabelled": 0, "disc": 1, "Void": 255}}))
    (warning,) = dataset.survey(tmp_path).warnings
    assert warning.endswith("dataset.json: Void is learned as a class; call it ignore if such pixels are not labelled.")


def test_a_pixel_of_another_value_is_no_class(tmp_path):
    write_labels(tmp_path, (0, 255))
    file = tmp_path / "train/label/4.png"
    label = images.read_array(file).copy()
    label[3, 3] = 77
    write(file, label)
    (problem,) = dataset.survey(tmp_path).problems
    assert problem.startswith(f"{file}: holds 77 in 1 pixels, where all others hold 0 and 255; write one of these")


def test_void_is_asked_about_also_if_few_labels_have_it(tmp_path):
    write_labels(tmp_path, (0, 1, 255), *[(0, 1)] * 3)
    assert "is value 255, a thin ring around everything, one that stands" in " ".join(dataset.survey(tmp_path).problems)


def blur(folder, values=(0, 255), first=0):
    """Blur the labels of a dataset, but for the first ones, as JPEG does, between two values."""
    for file in sorted((folder / "train/label").iterdir())[first:]:
        inside = images.read_array(file) > 127
        noise = np.random.default_rng(0).integers(0, 8, inside.shape)
        low, high = values
        write(file, np.uint8(np.where(inside, high - noise, low + noise)))


def test_blurred_masks_are_not_read_at_half_of_another_range(tmp_path):
    blur(write_labels(tmp_path, (0, 255)))
    assert "read as white above 127.5" in " ".join(dataset.survey(tmp_path).notes)
    assert "numbers no objects; leave out --objects" in " ".join(dataset.survey(tmp_path, objects=True).problems)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "vessel": 1}}))
    text = "a mask of 0 and 255 that JPEG or smoothing has blurred, as 8 labels are, where dataset.json names 0 and 1"
    assert text in " ".join(dataset.survey(tmp_path).problems)
    (tmp_path / "dataset.json").unlink()
    write(tmp_path / "train/label/3.png", np.uint8(images.read_array(tmp_path / "train/label/3.png") > 127))
    assert "where others hold 0 and 1; save all labels alike" in " ".join(dataset.survey(tmp_path).problems)


def test_blurred_masks_of_which_some_are_weaker_are_read(tmp_path):
    blur(write_labels(tmp_path, (0, 255)))
    blur(tmp_path, (0, 200), first=6)
    found = dataset.survey(tmp_path)
    assert not found.problems and "read as white above 127.5" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("trained", "tested", "fine"),
    [
        ((0, 255), (0, 1), True),
        ((0, 255), (0, 255), True),
        ((0, 1), (0, 65535), True),
        ((1, 2), (0, 1), False),
        ((0, 255), (255, 100), False),
        ((0, 1), (2, 2), False),
    ],
)
def test_labels_of_test_images_are_read_by_their_own_two_values_only_where_these_are_a_masks(
    tmp_path, trained, tested, fine
):
    write_labels(tmp_path, trained)
    image, numbers = draw_discs(20)
    write(tmp_path / "test/a.png", to_bytes(image))
    write(tmp_path / "test/label/a.png", np.array(tested, np.uint16)[(numbers > 0) * 1])
    found = dataset.survey(tmp_path)
    assert bool(found.problems) != fine
    if not fine:
        assert "which no label of" in found.problems[0]


def test_two_values_of_which_one_is_negative_are_refused(tmp_path):
    write_labels(tmp_path, (0, 1))
    for file in list((tmp_path / "train/label").iterdir()):
        tifffile.imwrite(file.with_suffix(".tif"), -images.read_array(file).astype(np.int8))
        file.unlink()
    assert "the labels hold -1, which no mask can" in " ".join(dataset.survey(tmp_path).problems)


def test_tiles_of_two_classes_each_are_learned_with_a_warning(tmp_path):
    found = dataset.survey(write_labels(tmp_path, (0, 1), (1, 2), (0, 2), (2, 3)))
    assert not found.problems
    assert "which are not the same (0 and 1, 1 and 2, 0 and 2): they are learned" in " ".join(found.warnings)
    assert found.classes.values == (0, 1, 2, 3)


def test_small_spots_in_few_labels_are_no_strokes(tmp_path):
    for i in range(10):
        image, label = draw_discs(i)[0], np.zeros((64, 64), np.uint8)
        label[10:15, 10:15] = 1
        if i < 3:
            label[40:45, 40:45] = 2
        write(tmp_path / f"train/image/{i}.png", to_bytes(image))
        write(tmp_path / f"train/label/{i}.png", label)
    assert not dataset.survey(tmp_path).problems


def test_sharp_numbers_near_the_ends_of_their_range_are_no_blur(tmp_path):
    for i in range(4):
        image, numbers = draw_discs(i)
        label = np.array([0, 1, 2, 19, 20, 21] if i == 1 else range(6), np.uint8)[np.minimum(numbers, 5)]
        write(tmp_path / f"train/image/{i}.png", to_bytes(image))
        write(tmp_path / f"train/label/{i}.png", label)
    assert not dataset.survey(tmp_path, objects=True).problems


def test_a_blurred_label_of_a_test_image_is_said_to_be_so(tmp_path):
    write_labels(tmp_path, (0, 1))
    image, numbers = draw_discs(20)
    write(tmp_path / "test/a.png", to_bytes(image))
    write(tmp_path / "test/label/a.png", np.uint8((numbers > 0) * 248) + np.uint8(np.indices((64, 64)).sum(0) % 8))
    (problem,) = dataset.survey(tmp_path).problems
    assert "test/label/a.png: is a mask that JPEG or smoothing has blurred, of another range than" in problem


def test_a_label_of_ones_alone_beside_others_of_255_is_asked_about(tmp_path):
    write_labels(tmp_path, (0, 255))
    file = tmp_path / "train/label/4.png"
    write(file, np.ones((64, 64), np.uint8))
    (problem,) = dataset.survey(tmp_path).problems
    assert problem.startswith(f"{file}: holds 1 alone, where others hold 0 and 255: whether it is white everywhere")
    write_labels(tmp_path, (0, 255), (0, 1))  # which say what 1 is
    write(file, np.ones((64, 64), np.uint8))
    assert not dataset.survey(tmp_path).problems


def test_labels_of_black_and_white_exchanged_are_warned_of(tmp_path):
    write_labels(tmp_path, (0, 255), (255, 0))
    (warning,) = dataset.survey(tmp_path).warnings
    assert (
        "in 4 labels, such as" in warning
        and "as if some were drawn black on white and others white on black" in warning
    )
    for i in (1, 3, 5, 7):  # some of the one class alone, as land and water have them
        write(tmp_path / f"train/label/{i}.png", np.full((64, 64), 255, np.uint8))
    assert not dataset.survey(tmp_path).warnings


def test_classes_in_colours_of_two_painters_are_warned_of(tmp_path):
    table = {0: np.uint8([(0, 0, 0), (255, 0, 0), (0, 0, 255)]), 1: np.uint8([(0, 0, 0), (237, 28, 36), (63, 72, 204)])}
    write_labels(tmp_path, (0, 1, 2))
    for i in range(8):
        file = tmp_path / f"train/label/{i}.png"
        write(file, table[i % 2][images.read_array(file)])
    (warning,) = dataset.survey(tmp_path).warnings
    assert "some labels hold #0000ff and #ff0000, others #ed1c24 and #3f48cc, and none both" in warning


def test_labels_of_a_small_range_of_which_few_are_resized_are_found(tmp_path):
    images_folder, labels_folder = tmp_path / "train/image", tmp_path / "train/label"
    for i in range(6):
        label = np.zeros(draw_discs(i)[1].shape, np.uint8)
        label[4:20, 4:40], label[26:44, 4:20], label[26:44, 26:44] = 10, 20, 30
        write(images_folder / f"{i}.png", to_bytes(draw_discs(i)[0]))
        resized = ndimage.zoom(label[::2, ::2].astype(float), 2, order=1)
        write(labels_folder / f"{i}.png", np.uint8(resized) if i == 3 else label)
    (problem,) = dataset.survey(tmp_path).problems
    assert "3.png: holds" in problem and "as seams alone, where others hold 0, 10, 20 and 30" in problem


def test_rare_thin_classes_of_few_labels_are_classes(tmp_path):
    for i in range(6):
        label = np.zeros(draw_discs(i)[1].shape, np.uint8)
        label[4:20, 4:20], label[4:20, 24:40], label[26:44, 4:20], label[48:60, 4:20] = 1, 1, 9, 9
        if i == 3:
            label[30, 26:44], label[36, 26:44], label[42, 26:44] = 3, 4, 5
        write(tmp_path / f"train/image/{i}.png", to_bytes(draw_discs(i)[0]))
        write(tmp_path / f"train/label/{i}.png", label)
    assert dataset.survey(tmp_path).classes.values == (0, 1, 3, 4, 5, 9)
