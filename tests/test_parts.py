"""What is trained on, held out and tested: by folders, words of names, and lists."""

import numpy as np
import pytest
from drawing import (
    NUMBERS,
    PARTED,
    WHITE,
    convert_all,
    count_parts,
    draw_cityscapes,
    draw_voc,
    image,
    read_labels,
    write_text,
    write_tiff,
)
from helpers import save

import data
from segmentation.sources import recognise


def draw_touching(path):
    write_tiff(path, NUMBERS)


@pytest.mark.parametrize("place", ["images", "train/images"])
def test_loose_test_images_do_not_hide_what_is_trained_on(tmp_path, place):
    source = tmp_path / "source"
    for i in range(3):
        save(image(i), source / place / f"{i}.png")
        save(WHITE, source / place.replace("images", "masks") / f"{i}.png")
    save(image(8), source / "test" / "8.png")
    found, _ = convert_all(source, tmp_path)
    assert len(found.parts["train"].pairs) == 3
    assert (list(found.parts["test"].images) == ["8"]) == (place == "images" or bool(found.parts["test"].images))


def test_suffixes_in_folders_of_parts(tmp_path):
    source = tmp_path / "source"
    for i, part in enumerate(("train_sorted", "train_sorted", "test_sorted")):
        write_tiff(source / part / f"{i}.tif", image(i, 1))
        draw_touching(source / part / f"{i}_masks.tif")
    found, _ = convert_all(source, tmp_path)
    assert [list(found.parts[part].pairs) for part in ("train", "test")] == [["0", "1"], ["2"]]
    np.testing.assert_array_equal(read_labels(found)["0"][0], PARTED)


def test_folders_named_after_part_and_kind(tmp_path):
    source = tmp_path / "source"
    for i, part in enumerate(("train", "train", "val", "test")):
        save(image(i), source / f"{part}_img" / f"{i}.png")
        save(WHITE, source / f"{part}_lab" / f"{i}.png")
    found, _ = convert_all(source, tmp_path)
    assert [len(found.parts[part].pairs) for part in ("train", "val", "test")] == [2, 1, 1]


def test_a_layout_without_anything_to_train_on_is_refused(tmp_path):
    draw_cityscapes(tmp_path)
    for file in (tmp_path / "gtFine").rglob("*labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "color")))
    with pytest.raises(ValueError, match=r"could be Cityscapes .* no image to train on with a label"):
        recognise.find_layout(tmp_path)


def test_copies_and_lists_and_others_are_named(tmp_path):
    for place in ("kaggle_3m", "lgg-mri-segmentation/kaggle_3m"):
        for i in range(3):
            save(image(i), tmp_path / "lgg" / place / f"TCGA_A/TCGA_A_{i}.png")
            save(WHITE, tmp_path / "lgg" / place / f"TCGA_A/TCGA_A_{i}_mask.png")
    layout = recognise.find_layout(tmp_path / "lgg")
    assert len(layout.pairs) == 3 and "TCGA_A_1_mask.png and 2 more." in " ".join(layout.rules)
    for i in range(3):
        save(image(i), tmp_path / f"own/images/{i}.png")
        save(WHITE, tmp_path / f"own/masks/{i}.png")
    write_text(tmp_path / "own/train.txt", "0\n1\n")
    assert f"{tmp_path}/own/train.txt is not read and is left out." in recognise.find_layout(tmp_path / "own").rules


def draw_pairs(source, image_name, label_name):
    """Four pairs to train on, two held out and one to be tested, in folders that are called by {part}."""
    for part, numbers in {"train": range(4), "val": (4, 5), "test": (6,)}.items():
        for i in numbers:
            save(image(i), source / image_name.format(part=part, i=i))
            save(WHITE, source / label_name.format(part=part, i=i))


@pytest.mark.parametrize(
    ("image_name", "label_name"),
    [
        ("images/{part}2017/{i}.jpg", "annotations/{part}2017/{i}.png"),
        ("images/10k/{part}/{i}.jpg", "labels/sem_seg/masks/{part}/{i}.png"),
        ("images/{part}_set/{i}.png", "masks/{part}_set/{i}.png"),
        ("images/kidney/{part}/{i}.png", "masks/kidney/{part}/{i}.png"),
        ("kidney/{part}/{i}.png", "kidney/{part}/{i}_mask.png"),
        ("{part}_images/{i}.png", "{part}_images/{i}_mask.png"),
        ("{part}/{i}.jpg", "{part}/{i}.png"),
        ("case/{part}2017/{i}.png", "case/{part}2017/{i}_mask.png"),
    ],
)
def test_a_part_may_be_named_anywhere_in_a_path(image_name, label_name, tmp_path):
    draw_pairs(tmp_path, image_name, label_name)
    assert count_parts(tmp_path) == (4, 2, 1)
    layout = recognise.find_layout(tmp_path)
    assert all("val" not in pair.stem and pair.label for pair in layout.pairs)


def test_lists_of_voc_are_read_whatever_their_case_and_with_spaces(tmp_path):
    for i in range(4):
        save(image(i), tmp_path / f"JPEGImages/my image {i}.jpg")
        save(WHITE, tmp_path / f"SegmentationClass/my image {i}.png")
    lists = tmp_path / "ImageSets" / "Segmentation"
    write_text(lists / "Train.txt", "\ufeffmy image 0\r\nmy image 1\n")
    write_text(lists / "Validation.txt", "my image 2\n")
    write_text(lists / "Test.txt", "another\n\n")
    write_text(tmp_path / "labelmap.txt", "\ufeff# label:color_rgb\ncell:255,0,0::\n")
    assert "my image 3.jpg is in none of the lists" in " ".join(recognise.find_layout(tmp_path).rules)
    write_text(lists / "Test.txt", "my image 3\n")
    assert count_parts(tmp_path) == (2, 1, 1)
    (tmp_path / "labelmap.txt").write_bytes("größe:255,0,0::\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"labelmap\.txt: is no text in UTF-8; save it so\."):
        recognise.find_layout(tmp_path)


def test_what_lies_beside_a_test_image_is_no_test_image(tmp_path):
    for part in ("train", "test"):
        save(image(1), tmp_path / part / "a.png")
        save(WHITE, tmp_path / part / "a_mask.png")
        save(image(2), tmp_path / part / "a_overlay.png")
    layout = recognise.find_layout(tmp_path)
    assert [(pair.part, pair.image.name) for pair in layout.pairs] == [("test", "a.png"), ("train", "a.png")]
    assert "a_overlay.png has the name of an image and more" in " ".join(layout.rules)


def test_advice_is_a_command_and_does_not_name_what_is_to_be_tested(tmp_path, capsys):
    for part in ("test", "train"):
        for kind, content in (("images", image(1)), ("masks", WHITE)):
            save(content, tmp_path / "my set" / part / "a" / kind / "1.png")
            save(content, tmp_path / "my set" / part / "b" / kind / "1.png")
    assert data.main([str(tmp_path / "my set")]) == 2
    assert f"'{tmp_path / 'my set/train/a'}' is laid out as" in capsys.readouterr().err
    tested = tmp_path / "my set" / "test"
    for folder in ("a", "b"):
        (tested / folder).rename(tested.parent / f"{folder} test")
    assert data.main([str(tmp_path / "my set" / "a test")]) == 2
    assert f"`python data.py '{tmp_path / 'my set/a test'}' --to DIR`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "label_name"),
    [
        (["images/a", "images/b", "images/test_1"], "masks/{}"),  # a name is no part
        (["train/images/a", "train/images/test_b"], "train/masks/{}"),
        (["images/p1/rest/a", "images/p1/test/a", "images/p2/rest/a"], "masks/{}"),  # sessions of a patient
        (["car/1", "train/1", "bus/1"], "{}_mask"),  # vehicles
    ],
)
def test_what_only_sounds_like_a_part_is_trained_on(names, label_name, tmp_path):
    for i, name in enumerate(names):
        save(image(i), tmp_path / f"{name}.png")
        below = name.split("images/")[-1]
        save(WHITE, tmp_path / f"{label_name.format(below)}.png")
    assert count_parts(tmp_path) == (len(names), 0, 0)


def test_where_names_would_be_the_same_without_their_folder_they_keep_it(tmp_path):
    for name in ("train2017/1", "train2019/1", "test2019/1"):
        save(image(1), tmp_path / f"{name}.png")
        save(WHITE, tmp_path / f"{name}_mask.png")
    found = [(pair.part, pair.stem) for pair in recognise.find_layout(tmp_path).pairs]
    assert found == [("test", "test2019/1"), ("train", "train2017/1"), ("train", "train2019/1")]


def test_labels_of_test_images_elsewhere_are_no_test_images(tmp_path):
    save(image(1), tmp_path / "train" / "a.png")
    save(WHITE, tmp_path / "train" / "a_mask.png")
    save(image(2), tmp_path / "test" / "c.png")
    save(WHITE, tmp_path / "test_labels" / "c_mask.png")
    layout = recognise.find_layout(tmp_path)
    assert [(pair.part, pair.stem) for pair in layout.pairs] == [("test", "c"), ("train", "a")]
    assert "c_mask.png has no image and is left out" in " ".join(layout.rules)


def test_lists_tell_parts(tmp_path):
    for i in range(5):
        save(image(i), tmp_path / f"images/a_{i}.png")
        save(WHITE, tmp_path / f"masks/a_{i}.png")
    write_text(tmp_path / "lists/training.txt", "images/a_0.png\nimages/a_1.png\n")
    write_text(tmp_path / "lists/val.txt", "a_2\n")
    write_text(tmp_path / "lists/test.txt", "a_3.png masks/a_3.png\na_4\n")
    layout = recognise.find_layout(tmp_path)
    assert [pair.part for pair in layout.pairs] == ["train", "train", "val", "test", "test"]
    assert "What is in train, val and test is told by test.txt, training.txt, val.txt." in layout.rules
    write_text(tmp_path / "lists/test.txt", "a_3\n")  # which leaves one open
    layout = recognise.find_layout(tmp_path)
    assert [pair.part for pair in layout.pairs] == ["train", "train", "val", "test"]
    assert layout.rules[0] == f"{tmp_path / 'images/a_4.png'} is in none of the lists and is left out."
    write_text(tmp_path / "lists/test.txt", "a_0\n")  # which is trained on
    layout = recognise.find_layout(tmp_path)
    assert {pair.part for pair in layout.pairs} == {"train"}
    assert layout.rules == [
        f"{tmp_path / 'lists/test.txt'} is not read and is left out, like lists/training.txt, lists/val.txt."
    ]


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ({"{}.csv": "image,mask\na b {i}.png,m {i}.png\n"}, "train train val test"),
        ({"{}_ids.txt": "a b {i}\n"}, "train train val test"),
        ({"ImageSets/Segmentation/{}_list.txt": "images/a b {i}.png masks/a b {i}.png\n"}, "train train val test"),
        (
            {"split.csv": "file,part\na b 0.png,train\na b 1.png,train\na b 2.png,val\na b 3.png,test\n"},
            "train train val test",
        ),
        (
            {"split.json": {"train": ["a b 0.png", "a b 1.png"], "val": ["a b 2.png"], "test": ["a b 3.png"]}},
            "train train val test",
        ),
        ({"test.txt": "a b 3\n"}, "train train train test"),  # the rest is to be trained on
        ({"trainval.txt": "a b 0\na b 1\na b 2\n", "test.txt": "a b 3\n"}, "train train train test"),
        ({"train.csv": "a b 0\na b 1\n"}, "train train train train"),  # perhaps of what has an object
        ({"notes.csv": "file,seen\na b 0.png,yes\na b 3.png,no\n"}, "train train train train"),
    ],
)
def test_lists_of_many_forms_tell_parts(files, parts, tmp_path):
    for i in range(4):
        save(image(i), tmp_path / f"images/a b {i}.png")
        save(WHITE, tmp_path / f"masks/a b {i}.png")
    for name, content in files.items():
        for part, numbers in {"train": (0, 1), "val": (2,), "test": (3,)}.items():
            lines = "".join(content.format(i=i) for i in numbers) if "{}" in name else content
            write_text(tmp_path / name.format(part), lines)
    assert [pair.part for pair in recognise.find_layout(tmp_path).pairs] == parts.split()


def test_lists_do_not_overrule_folders_or_leave_nothing_to_train_on(tmp_path):
    for i in range(4):
        for place in ("parted/train", "whole"):
            save(image(i), tmp_path / place / f"images/{i}.png")
            save(WHITE, tmp_path / place / f"masks/{i}.png")
    write_text(tmp_path / "parted/test.txt", "0\n1\n")
    write_text(tmp_path / "parted/train.txt", "2\n3\n")
    write_text(tmp_path / "whole/val.txt", "0\n1\n2\n3\n")
    for place in ("parted", "whole"):
        assert {pair.part for pair in recognise.find_layout(tmp_path / place).pairs} == {"train"}


def test_test_images_have_folders_of_their_own_beside_those_to_train_on(tmp_path):
    for places in ("{}", "test_{}", "trainval/{}"):
        for kind, content in (("images", image(0)), ("masks", WHITE)):
            save(content, tmp_path / ("b" if "val" in places else "a") / places.format(kind) / "0.png")
            save(content, tmp_path / "b/TEST" / kind / "1.png")
    for name in ("a", "b"):
        assert count_parts(tmp_path / name) == (1, 0, 1)


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("training_1 training_2 testing_3", "train train test"),
        ("Train-1 Train-2 Test-3", "train train test"),
        ("train1 train2 valid3 test4", "train train val test"),
        ("1_train 2_train 3_test", "train train test"),
        ("TrainDataset/1 TrainDataset/2 TestDataset/3", "train train test"),
        ("train/1 train/2 test_1/3 eval/4 holdout/5", "train train test val test"),
        ("train/1 train/2 my_test/3 unseen_test/4", "train train test test"),
        ("trainers/1 tests_of_strength/2 contest/3", "train train train"),
    ],
)
def test_words_for_parts(names, parts, tmp_path):
    for i, name in enumerate(names.split()):
        save(image(i), tmp_path / f"images/{name}.png")
        save(WHITE, tmp_path / f"masks/{name}.png")
    found = {pair.image: pair.part for pair in recognise.find_layout(tmp_path).pairs}
    assert [found[tmp_path / f"images/{name}.png"] for name in names.split()] == parts.split()


@pytest.mark.parametrize(
    ("names", "files", "parts"),
    [
        ("1 2 3 4", {"test.csv": "class,iou\n1,0.5\n2,0.5\n"}, "train train train train"),  # scores of classes
        ("1 2 3 4", {"test_ids.txt": "There are 3 observers and 2 classes\n"}, "train train train train"),
        ("1 2 3 4", {"a.csv": "id,age,split\n1,3,train\n2,1,train\n3,4,test\n4,2,test\n"}, "train train test test"),
        ("1 2 3 4", {"train.txt": "/home/a/1.png\n/home/a/2.png\n", "test.txt": "b/3\nb/4\n"}, "train train test test"),
        ("1 2 3 4", {"config.json": {"train": ["1"], "eval": ["2"]}}, "train train train train"),  # others are in none
        (
            "1 2 3 4",
            {"train_val.txt": "1\n2\n3\n", "train.txt": "1\n2\n", "val.txt": "3\n", "test.txt": "4\n"},
            "train train val test",
        ),
        ("1 2 3 4", {"evaluation/notes.md": "x", "test.txt": "4\n"}, "train train train test"),
        ("test_1/a test_2/a control/a", {}, "train train train"),  # patients
        ("Eval/a Base/a", {}, "train train"),
        ("steam_train model_train eye_test car", {}, "train train train train"),
        ("train/a train/b trainval/c", {}, "train train train"),
    ],
)
def test_what_is_no_part_is_trained_on(names, files, parts, tmp_path):
    for i, name in enumerate(names.split()):
        save(image(i), tmp_path / f"images/{name}.png")
        save(WHITE, tmp_path / f"masks/{name}.png")
    for name, content in files.items():
        write_text(tmp_path / name, content)
    found = {pair.image: pair.part for pair in recognise.find_layout(tmp_path).pairs}
    assert [found[tmp_path / f"images/{name}.png"] for name in names.split()] == parts.split()


def test_vocs_list_of_all_that_is_labelled_does_not_hide_what_is_held_out(tmp_path):
    draw_voc(tmp_path)
    lists = next(tmp_path.rglob("ImageSets/Segmentation"))
    before = count_parts(tmp_path)
    write_text(lists / "trainval.txt", "".join((lists / f"{part}.txt").read_text() for part in ("train", "val")))
    assert count_parts(tmp_path) == before and before[1]
