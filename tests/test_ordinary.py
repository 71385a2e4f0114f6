"""Images and labels as anybody has them: two folders, two kinds of files, a suffix."""

import numpy as np
import pytest
from drawing import NUMBERS, PARTED, SIZE, WHITE, convert_all, count_parts, image, read_labels, write_text, write_tiff
from helpers import save

import data
from segmentation.sources import contents, recognise


def test_masks_are_read_at_half_of_their_range_however_they_are_stored(tmp_path):
    rng = np.random.default_rng(0)
    stored = {
        "zero_and_one.png": np.uint8(WHITE),
        "blurred.png": np.where(WHITE, 248, 0).astype(np.uint8) + rng.integers(0, 8, SIZE, np.uint8),
        "deep.png": np.uint16(WHITE) * np.uint16(65535),
        "colour.png": np.dstack([np.uint8(WHITE) * np.uint8(255)] * 3),
    }
    for name, array in stored.items():
        save(array, tmp_path / name)
        np.testing.assert_array_equal(contents.read_white(tmp_path / name)[0] == 255, WHITE, err_msg=name)
    for name, array in {
        "black.png": np.zeros(SIZE, np.uint8),
        "nearly.jpg": rng.integers(0, 5, SIZE, np.uint8),
    }.items():
        save(array, tmp_path / name)
        assert not contents.read_white(tmp_path / name).any(), name


@pytest.mark.parametrize("names", [["masks", "labels"], ["gt", "ground truth", "groundtruth"]])
def test_two_folders_of_labels_are_refused(names, tmp_path):
    save(image(0), tmp_path / "images" / "a.png")
    for name in names:
        save(WHITE, tmp_path / name / "a.png")
    with pytest.raises(ValueError, match="may be meant both"):
        recognise.find_layout(tmp_path)


@pytest.mark.parametrize("labels_in", ["manual1", "1st_manual"])
def test_a_field_of_view_is_no_label(tmp_path, labels_in):
    source = tmp_path / "source"
    for i in (1, 2, 3):
        save(image(i), source / "images" / f"{i:02}_dr.jpg")
        save(WHITE, source / labels_in / f"{i:02}_{'manual1' if labels_in[0] == '1' else 'dr'}.png")
        save(~WHITE, source / "mask" / f"{i:02}_dr_mask.png")
    found, text = convert_all(source, tmp_path)
    np.testing.assert_array_equal(read_labels(found)["01_dr"][0], WHITE)
    assert "field of view" in text


def test_several_masks_of_one_image_are_joined(tmp_path):
    source = tmp_path / "source"
    for i in range(3):
        save(image(i), source / "benign" / f"benign ({i}).png")
        save(WHITE, source / "benign" / f"benign ({i})_mask.png")
    save(np.roll(WHITE, 10, axis=0), source / "benign" / "benign (1)_mask_1.png")
    found, text = convert_all(source, tmp_path)
    np.testing.assert_array_equal(read_labels(found)["benign (1)"][0], WHITE | np.roll(WHITE, 10, axis=0))
    assert "are joined" in text


def test_masks_that_are_blurred_or_classes_do_not_number_objects(tmp_path):
    blurred = np.where(WHITE, 250, 3).astype(np.uint8) + np.random.default_rng(0).integers(0, 5, SIZE).astype(np.uint8)
    several = np.zeros(SIZE, np.uint8)
    several[2:30:6, 2:38] = 1
    several[5:30:6, 2:38] = 2
    assert not contents.numbers_objects([])
    for name, label in (("blurred", blurred), ("classes", several)):
        for i in range(3):
            save(image(i), tmp_path / name / f"x{i}.png")
            save(label, tmp_path / name / f"x{i}_masks.png")
        layout = recognise.find_layout(tmp_path / name)
        assert layout.name == "images and labels in one folder"
        assert all(pair.label.name.endswith("_masks.png") for pair in layout.pairs)
    save(several, tmp_path / "classes/x0_masks_1.png")
    with pytest.raises(ValueError, match=r"x0_masks\.png and x0_masks_1\.png: are of one image, and labels hold more"):
        recognise.find_layout(tmp_path / "classes")


def test_a_mask_an_object_beside_a_folder_of_images_is_joined(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"images/c{i}.png")
        for number in range(1, i + 2):
            save(number == NUMBERS, tmp_path / f"masks/c{i}_{number}.png")
    layout = recognise.find_layout(tmp_path)
    np.testing.assert_array_equal(layout.pairs[2].label()[0] > 0, PARTED)
    assert "The objects of an image are one label" in " ".join(layout.rules)


def test_parts_of_our_layout_that_are_named_otherwise_are_read(tmp_path):
    for place, masks, count in (("train/image", "train/label", 3), ("valid/images", "valid/masks", 1)):
        for i in range(count):
            save(image(i + 10 * count), tmp_path / place / f"{i}.png")
            save(WHITE, tmp_path / masks / f"{i}.png")
    save(image(7), tmp_path / "test/images/a.png")
    save(WHITE, tmp_path / "test/masks/a.png")
    layout = recognise.find_layout(tmp_path)
    assert [(pair.part, pair.label is not None) for pair in layout.pairs] == [
        *[("train", True)] * 3,
        ("val", True),
        ("test", True),
    ]


def test_what_is_missing_between_two_folders_is_said(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"images/a{i}.png")
    write_text(tmp_path / "labels/a0.txt", "0 0.5 0.5 0.1 0.1")
    assert "there is no image in labels (.png, " in recognise.advise(tmp_path)
    for name in ("dog", "owl", "tree"):
        save(WHITE, tmp_path / f"masks/{name}.png")
    assert "no label in masks, such as dog, has the name of an image, such as a0" in recognise.advise(tmp_path)
    save(WHITE, tmp_path / "labels/c.png")
    assert "labels and masks may be meant both; rename or remove one" in recognise.advise(tmp_path)


def test_masks_of_two_observers_are_no_objects(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"images/x{i}.png")
        for observer in (1, 2):
            save(np.roll(WHITE, observer, axis=1), tmp_path / f"masks/x{i}_{observer}.png")
    with pytest.raises(ValueError, match="two labels fit each image"):
        recognise.find_layout(tmp_path)


def test_a_second_kind_of_labels_is_no_left_over(tmp_path):
    for i in range(6):
        save(image(i), tmp_path / f"images/p{i}.png")
        for kind in ("vessel", "lesion")[: 1 + i % 2]:
            save(np.roll(WHITE, i, axis=1), tmp_path / f"masks/p{i}_{kind}.png")
    with pytest.raises(ValueError, match=r"p1_lesion.png: fits p1.png, as p1_vessel.png does; keep one kind of labels"):
        recognise.find_layout(tmp_path)


def test_other_folders_in_our_layout_are_not_taken_for_it(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"train/image/{i}.png")
        save(image(i + 20), tmp_path / f"train/raw/{i}.png")
        save(WHITE, tmp_path / f"train/label/{i}.png")
    save(image(7), tmp_path / "test/c.png")
    save(image(8), tmp_path / "test/raw/d.png")
    stems = [pair.stem for pair in recognise.find_layout(tmp_path).pairs]
    assert stems == ["0", "1", "2", "c", "raw/d"]


def test_numbers_of_objects_in_npy_are_read_and_cellposes_own_are_not(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"x{i}.png")
        np.save(tmp_path / f"x{i}_seg.npy", np.uint8(WHITE))
    assert len(recognise.find_layout(tmp_path).pairs) == 3
    np.save(tmp_path / "x1_seg.npy", {"masks": NUMBERS}, allow_pickle=True)
    with pytest.raises(ValueError, match=r"x1_seg\.npy: is Cellpose's own file"):
        recognise.find_layout(tmp_path)


def test_images_that_are_not_read_are_named(tmp_path):
    for part in ("train", "test", "extra"):
        save(image(0), tmp_path / f"images/{part}/{part}.png")
        save(WHITE, tmp_path / f"labels/{part}/{part}.png")
    layout = recognise.find_layout(tmp_path)
    assert layout.rules == [f"{tmp_path / 'images/extra/extra.png'} is not read and is left out, like extra/extra.png."]


def test_labels_of_equal_names_beside_those_with_a_suffix_are_paired_too(tmp_path):
    for i in range(5):
        save(image(i), tmp_path / f"images/CHNCXR_{i}.png")
        save(WHITE, tmp_path / f"masks/CHNCXR_{i}_mask.png")
    save(image(6), tmp_path / "images/MCUCXR_6.png")
    save(WHITE, tmp_path / "masks/MCUCXR_6.png")
    assert count_parts(tmp_path) == (6, 0, 0)


def test_a_photo_and_a_mask_of_one_name_are_a_pair_but_two_photos_are_none(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"Imgs/{i}.jpg")
        save(WHITE, tmp_path / f"Imgs/{i}.png")
    assert recognise.find_layout(tmp_path).rules == ["Images are .jpg, their labels .png."]
    assert count_parts(tmp_path) == (3, 0, 0)
    for i in range(3):
        save(image(i), tmp_path / f"Imgs/{i}.png")
    with pytest.raises(ValueError, match="has the same stem as"):
        recognise.find_layout(tmp_path)


def test_the_same_masks_of_every_image_are_asked_about(tmp_path):
    for i in range(4):
        save(image(i), tmp_path / f"images/p{i}.png")
        for number in (1, 2):
            save(number == NUMBERS, tmp_path / f"masks/p{i}_{number}.png")
    with pytest.raises(ValueError, match=r"masks: each image has masks _1, _2; if these are classes"):
        recognise.find_layout(tmp_path)
    save(NUMBERS == 3, tmp_path / "masks/p3_3.png")
    assert recognise.find_layout(tmp_path).labels == {"background": 0, "object": 255}


@pytest.mark.parametrize(
    ("name", "fix"),
    [("a.geojson", "export masks or COCO's JSON"), ("a.mat", "save images and labels"), ("a.csv", "draw")],
)
def test_labels_in_files_of_another_kind_are_pointed_to(name, fix, tmp_path):
    save(image(0), tmp_path / "photos" / "a.png")
    write_text(tmp_path / "truth" / name, "text")
    with pytest.raises(ValueError, match=f"{name[1:]} are not read: .*{fix}"):
        recognise.find_layout(tmp_path)


def test_two_kinds_of_labels_and_a_field_of_view_are_told(tmp_path):
    for i in range(4):
        label = np.roll(WHITE, 3 * i, axis=1)
        save(image(i), tmp_path / f"two/{i}.tif")
        for suffix in ("mask", "seg"):
            save(label, tmp_path / f"two/{i}_{suffix}.png")
        save(image(i), tmp_path / f"view/images/{i}.png")
        save(np.pad(np.ones((30, 38), bool), 1), tmp_path / f"view/masks/{i}.png")
        save(label, tmp_path / f"view/vessels/{i}.png")
    with pytest.raises(ValueError, match=r"0_mask\.png and 0_seg\.png: either may be the label of 0\.tif; move one"):
        recognise.find_layout(tmp_path / "two")
    with pytest.raises(ValueError, match=r"masks: holds nearly the same.*call that labels,.*if masks is right, move"):
        recognise.find_layout(tmp_path / "view")


def test_names_of_labels_as_other_programs_give_them(tmp_path):
    names = {"plants": ("{}_rgb", "{}_label"), "napari": ("{}", "{}-labels"), "heads": ("{}_HC", "{}_HC_Annotation")}
    names |= {"ilastik": ("{}", "{}_Simple Segmentation"), "ome": ("{}.ome", "{}_masks.ome")}
    for kind, (one, other) in names.items():
        for i in range(3):
            save(image(i), tmp_path / kind / f"{one.format(f's{i}')}.tif")
            save(WHITE, tmp_path / kind / f"{other.format(f's{i}')}.tif")
        pairs = recognise.find_layout(tmp_path / kind).pairs
        assert [(pair.image.name, pair.label.name) for pair in pairs] == [
            (f"{one.format(f's{i}')}.tif", f"{other.format(f's{i}')}.tif") for i in range(3)
        ]
    for i in range(3):
        save(image(i), tmp_path / f"blood/{i}.bmp")
        save(WHITE, tmp_path / f"blood/{i}.png")
    layout = recognise.find_layout(tmp_path / "blood")
    assert [(pair.image.suffix, pair.label.suffix) for pair in layout.pairs] == [(".bmp", ".png")] * 3


def test_a_file_in_place_of_a_folder_is_said_to_be_one(tmp_path, capsys):
    write_text(tmp_path / "set.zip", "PK")
    assert data.main([str(tmp_path / "set.zip")]) == 2
    assert "set.zip: is a file; name the folder that images and labels are in, unpacked" in capsys.readouterr().err
    save(image(0), tmp_path / "own/train/image/0.png")
    save(WHITE, tmp_path / "own/train/masks/0.png")
    assert data.main([str(tmp_path / "own")]) == 2
    assert "own/train/masks: is not read as labels; rename it to" in capsys.readouterr().err


def test_what_is_alike_for_other_reasons_is_no_field_of_view(tmp_path):
    for i in range(8):
        classes = np.full(SIZE, 1 + i % 3, np.uint8)
        classes[0] = 0  # void, as the lowest value
        classes[5:9] = 7
        moving = np.pad(np.ones((24, 30), bool), ((i, 8 - i), (5, 5)))
        for kind, label in (("classes", classes), ("video", moving)):
            save(image(i), tmp_path / kind / f"images/{i}.png")
            save(label, tmp_path / kind / f"masks/{i}.png")
            save(image(i), tmp_path / kind / f"overlays/{i}.png")
    for kind in ("classes", "video"):
        assert len(recognise.find_layout(tmp_path / kind).pairs) == 8


def test_numbers_from_another_start_are_refused_and_rarer_names_found(tmp_path):
    for i in range(4):
        save(image(i), tmp_path / f"shifted/images/img_{i}.png")
        save(WHITE, tmp_path / f"shifted/masks/mask_{i + 1}.png")
        save(image(i), tmp_path / f"rare/images_png/{i}.png")
        save(WHITE, tmp_path / f"rare/masks_png/{i}.png")
        save(image(i), tmp_path / f"both/images/{i}.png")
        save(image(i), tmp_path / f"both/frames/{i}.png")
        save(WHITE, tmp_path / f"both/masks/{i}.png")
    with pytest.raises(ValueError, match=r"img_0\.png and mask_4\.png: images and labels are numbered otherwise"):
        recognise.find_layout(tmp_path / "shifted")
    assert len(recognise.find_layout(tmp_path / "rare").pairs) == 4
    assert "both/images" in str(recognise.find_layout(tmp_path / "both").pairs[0].image)


def test_floats_and_bands_beside_labels_of_one_name(tmp_path):
    for i in range(3):
        write_tiff(tmp_path / f"float/{i}.tif", image(i, 1).astype("float32") / 256)
        write_tiff(
            tmp_path / f"bands/{i}.tif", np.stack([image(i, 1)] * 5), photometric="minisblack", planarconfig="separate"
        )
        for kind in ("float", "bands"):
            save(WHITE, tmp_path / kind / f"{i}.png")
    for kind in ("float", "bands"):
        pairs = recognise.find_layout(tmp_path / kind).pairs
        assert [(pair.image.suffix, pair.label.suffix) for pair in pairs] == [(".tif", ".png")] * 3


def test_labels_a_number_off_are_refused_also_where_some_are_missing(tmp_path):
    for i in range(6):
        save(image(i), tmp_path / f"folders/images/img_{i}.png")
        save(image(i), tmp_path / f"flat/{i}.png")
        if i != 3:
            save(WHITE, tmp_path / f"folders/masks/mask_{i + 1}.png")
        save(WHITE, tmp_path / f"flat/{i + 1}_mask.png")
    for name in ("folders", "flat"):
        with pytest.raises(ValueError, match="images and labels are numbered otherwise"):
            recognise.find_layout(tmp_path / name)


@pytest.mark.parametrize("name", ["{i}", "{i:03}_mask", "a{n}_mask_{i}", "a{n}_{i}"])
def test_a_folder_of_masks_is_of_the_image_that_it_is_called_by(name, tmp_path):
    for n in range(4):
        save(image(n), tmp_path / f"source/images/a{n}.png")
        for i in range(1, 4 - n % 2):
            save(i == NUMBERS, tmp_path / f"source/masks/a{n}/{name.format(n=n, i=i)}.png")
    found, text = convert_all(tmp_path / "source", tmp_path)
    for n in range(4):
        there = NUMBERS != 3 if n % 2 else True
        np.testing.assert_array_equal(read_labels(found)[f"a{n}"][0], PARTED & there)
    assert "The objects of an image are one label" in text


def test_a_mask_with_a_number_is_of_the_image_with_that_number(tmp_path):
    for stem, mask in (("A1", WHITE), ("A1_1", ~WHITE), ("A2", WHITE)):
        save(image(len(stem)), tmp_path / f"{stem}.png")
        save(mask, tmp_path / f"{stem[:2]}_mask{stem[2:]}.png")
    layout = recognise.find_layout(tmp_path)
    pairs = {pair.image.name: pair.label.name for pair in layout.pairs}
    assert pairs == {"A1.png": "A1_mask.png", "A1_1.png": "A1_mask_1.png", "A2.png": "A2_mask.png"}


def test_several_masks_of_each_image_are_objects_only_where_they_are_not_as_many(tmp_path):
    for n in range(4):
        for place in ("objects", "classes"):
            save(image(n), tmp_path / place / f"a{n}.png")
            for i in range(1, 4 - (place == "objects") * (n % 2)):
                save(i == NUMBERS, tmp_path / place / f"a{n}_mask_{i}.png")
    found, text = convert_all(tmp_path / "objects", tmp_path)
    np.testing.assert_array_equal(read_labels(found)["a1"][0], PARTED & (NUMBERS < 3))
    assert "a border one pixel wide parts those that touch" in text
    with pytest.raises(ValueError, match="each image has masks _mask_1, _mask_2, _mask_3; if these are classes"):
        recognise.find_layout(tmp_path / "classes")
    save(np.uint8(WHITE) + 2 * np.uint8(NUMBERS == 3), tmp_path / "objects/a3_mask_2.png")
    with pytest.raises(ValueError, match="labels hold more than two values; keep one of them"):
        recognise.find_layout(tmp_path / "objects")


def test_the_same_values_in_every_image_are_classes_and_no_numbers(tmp_path):
    for n in range(4):
        for place in ("organs", "cells"):
            save(image(n), tmp_path / place / f"a{n}.png")
            most = 3 - n % 3 if place == "cells" else 3
            save(np.where(most >= NUMBERS, NUMBERS, 0), tmp_path / place / f"a{n}_masks.png")
    assert recognise.find_layout(tmp_path / "cells").name == "Cellpose's data"
    organs = recognise.find_layout(tmp_path / "organs")
    assert (organs.labels, all(pair.label.suffix == ".png" for pair in organs.pairs)) == ({}, True)


def test_a_mask_that_is_smoothed_or_nearly_white_is_one_of_two_values(tmp_path):
    smooth = np.uint8(255 * np.clip(np.add.outer(np.arange(32), np.zeros(40)) / 8 - 1, 0, 1))
    for name, mask in (("smooth", smooth), ("nearly", np.where(WHITE, 254, 0) + np.uint8(NUMBERS == 3) * 255)):
        save(np.uint8(mask), tmp_path / f"{name}.png")
        np.testing.assert_array_equal(contents.read_white(tmp_path / f"{name}.png")[0] > 0, np.uint8(mask) > 127)


def test_a_dataset_json_beside_folders_of_others_is_heeded(tmp_path):
    for n in range(3):
        save(image(n), tmp_path / f"source/images/{n}.png")
        save(np.uint8(WHITE) + 2 * np.uint8(NUMBERS == 3), tmp_path / f"source/masks/{n}.png")
    write_text(tmp_path / "source/dataset.json", {"labels": {"ground": 0, "cell": 1, "ignore": 2}})
    found, text = convert_all(tmp_path / "source", tmp_path)
    assert (found.classes.names, found.classes.ignore) == (("ground", "cell"), 2)
    assert "Classes are named by" in text


def test_a_field_of_view_beside_labels_in_one_folder_is_asked_about(tmp_path):
    for n in range(4):
        save(image(n), tmp_path / f"r{n}.png")
        save(np.roll(~WHITE, n), tmp_path / f"r{n}_mask.png")
        save(WHITE, tmp_path / f"r{n}_vessels.png")
    with pytest.raises(ValueError, match=r"r0_mask\.png: either r0_vessels\.png or this may be the label"):
        recognise.find_layout(tmp_path)
    for n in range(4):
        (tmp_path / f"r{n}_vessels.png").rename(tmp_path / f"r{n}_outlines.png")
    assert len(recognise.find_layout(tmp_path).pairs) == 4


@pytest.mark.parametrize(
    ("image_name", "label_name"),
    [
        ("{i}/image.png", "{i}/mask.png"),
        ("images_train/{i}.png", "masks_train/{i}.png"),
        ("{i}_orig.png", "{i}_mask.png"),
        ("{i}.png", "{i}.mask.png"),
        ("{i}.png", "{i} label.png"),
    ],
)
def test_more_ways_to_name_images_and_labels(image_name, label_name, tmp_path):
    for i in range(3):
        save(image(i), tmp_path / image_name.format(i=f"a{i}"))
        save(WHITE, tmp_path / label_name.format(i=f"a{i}"))
    assert [pair.stem for pair in recognise.find_layout(tmp_path).pairs] == ["a0", "a1", "a2"]


def test_thin_masks_that_are_smoothed_have_two_values_and_one_stray_pixel_makes_no_third(tmp_path):
    thin = np.zeros(SIZE, np.uint8)
    for row, value in ((10, 255), (9, 90), (11, 160), (12, 60), (8, 40)):
        thin[row, 5:30] = value
    stray = np.uint8(WHITE) * np.uint8(255)
    stray[25, 25] = 128
    for name, mask in (("thin", thin), ("stray", stray)):
        save(mask, tmp_path / f"{name}.png")
        np.testing.assert_array_equal(contents.read_white(tmp_path / f"{name}.png")[0] > 0, mask > 127)


def test_a_dataset_json_of_another_program_is_named_and_stops_nothing(tmp_path):
    for said in ({"labels": {"c0.png": "masks/c0.png"}}, {"labels": {"cat": 1, "dog": 2}}, {"labels": {}}):
        for i in range(3):
            save(image(i), tmp_path / f"images/{i}.png")
            save(WHITE, tmp_path / f"masks/{i}.png")
        write_text(tmp_path / "dataset.json", said)
        layout = recognise.find_layout(tmp_path)
        assert layout.labels == {} and "dataset.json does not name what labels hold" in " ".join(layout.rules)
