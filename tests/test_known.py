"""Layouts as public data sets have them on disk, drawn anew with a few tiny images each."""

import base64
import json
import textwrap

import numpy as np
import pytest
import tifffile
from helpers import REPOSITORY, save
from PIL import Image

import data
from segmentation.files import checks, classes, dataset, images, labels, looking
from segmentation.sources import contents, convert, known, layouts, recognise

SIZE = (32, 40)
GREY = (np.arange(SIZE[0] * SIZE[1]) % 251).reshape(SIZE).astype(np.uint8)
WHITE = np.zeros(SIZE, bool)
WHITE[8:20, 10:30] = True
NUMBERS = np.zeros(SIZE, np.uint16)
NUMBERS[4:12, 4:12], NUMBERS[4:12, 12:20], NUMBERS[20:30, 25:35] = 1, 2, 3  # the first two touch
PARTED = NUMBERS > 0
PARTED[4:12, 11] = False


def image(number, channels=3):
    """An image that no other number has."""
    grey = np.roll(GREY, number)
    return grey if channels == 1 else np.dstack([grey, grey // 2, grey // 3][:channels])


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text))


def write_tiff(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, **options)


def draw_drive(source):
    for i in (21, 22, 23):
        write_tiff(source / f"training/images/{i}_training.tif", image(i), photometric="rgb")
        save(WHITE, source / f"training/1st_manual/{i}_manual1.gif")
        save(~WHITE, source / f"training/mask/{i}_training_mask.gif")
    write_tiff(source / "test/images/01_test.tif", image(1), photometric="rgb")
    save(WHITE, source / "test/1st_manual/01_manual1.gif")
    save(~WHITE, source / "test/2nd_manual/01_manual2.gif")


def draw_chase(source):
    for name in ("01L", "01R", "02L"):
        save(image(len(name) + ord(name[1]) + ord(name[2])), source / f"Image_{name}.jpg")
        save(WHITE, source / f"Image_{name}_1stHO.png")
        save(~WHITE, source / f"Image_{name}_2ndHO.png")


def draw_carvana(source):
    for i in range(3):
        save(image(i), source / f"train/0cdf5b5d0ce1_{i:02}.jpg")
        save(WHITE, source / f"train_masks/0cdf5b5d0ce1_{i:02}_mask.gif")
    save(image(7), source / "test/0004d4463b50_01.jpg")


def draw_dsb2018(source):
    for i in range(3):
        save(np.dstack([image(i), np.full(SIZE, 255, np.uint8)]), source / f"stage1_train/id{i}/images/id{i}.png")
        for number in (1, 2, 3):
            save(number == NUMBERS, source / f"stage1_train/id{i}/masks/{number:08x}.png")
    save(np.dstack([image(9), np.full(SIZE, 255, np.uint8)]), source / "stage1_test/id9/images/id9.png")


def draw_kvasir(source):
    for i in range(3):
        save(image(i), source / f"images/cju0qkwl35piu0993l0dewei{i}.jpg")
        save(np.dstack([WHITE] * 3), source / f"masks/cju0qkwl35piu0993l0dewei{i}.jpg")
    write_text(source / "kavsir_bboxes.json", {})


def draw_isic(source):
    for i in range(3):
        save(image(i), source / f"ISIC2018_Task1-2_Training_Input/ISIC_000000{i}.jpg")
        save(WHITE, source / f"ISIC2018_Task1_Training_GroundTruth/ISIC_000000{i}_segmentation.png")
    save(image(8), source / "ISIC2018_Task1-2_Validation_Input/ISIC_0000008.jpg")
    save(WHITE, source / "ISIC2018_Task1_Validation_GroundTruth/ISIC_0000008_segmentation.png")
    save(image(9), source / "ISIC2018_Task1-2_Test_Input/ISIC_0000009.jpg")
    write_text(source / "ISIC2018_Task1-2_Training_Input/ATTRIBUTION.txt", "")


def draw_camvid(source):
    label = np.uint8(WHITE) + np.uint8(3)
    label[:4] = 11
    for i, part in enumerate(("train", "train", "train", "val", "test")):
        save(image(i), source / f"{part}/0001TP_{i:06}.png")
        save(label, source / f"{part}annot/0001TP_{i:06}.png")


def draw_voc(source):
    indices = np.uint8(WHITE) * np.uint8(15)
    indices[7, 10:30] = 255
    palette = np.zeros((256, 3), np.uint8)
    palette[15], palette[255] = (192, 128, 128), (224, 224, 192)
    for i in range(5):
        save(image(i), source / f"VOCdevkit/VOC2012/JPEGImages/2007_00000{i}.jpg")
        if i < 4:
            path = source / f"VOCdevkit/VOC2012/SegmentationClass/2007_00000{i}.png"
            picture = Image.fromarray(indices, "P")
            picture.putpalette(palette.tobytes())
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    lists = source / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    write_text(lists / "train.txt", "2007_000000\n2007_000001\n2007_000002\n")
    write_text(lists / "val.txt", "2007_000003\n")


def draw_cityscapes(source):
    label = np.where(WHITE, 26, 7).astype(np.uint8)
    label[:4] = 1  # the car's own hood
    for part, city, count in (("train", "aachen", 3), ("val", "ulm", 1), ("test", "bonn", 1)):
        for i in range(count):
            name = f"{part}/{city}/{city}_{i:06}_000019"
            save(image(i + 5 * len(city) + len(part)), source / f"leftImg8bit/{name}_leftImg8bit.png")
            save(label, source / f"gtFine/{name}_gtFine_labelIds.png")
            save(NUMBERS, source / f"gtFine/{name}_gtFine_instanceIds.png")


def draw_isbi(source):
    write_tiff(source / "train-volume.tif", np.stack([image(i, 1) for i in range(4)]), imagej=True)
    write_tiff(source / "train-labels.tif", np.stack([np.uint8(WHITE) * 255] * 4), imagej=True)
    write_tiff(source / "test-volume.tif", np.stack([image(i + 7, 1) for i in range(2)]), imagej=True)


def draw_snemi(source):
    write_tiff(source / "train-input.tif", np.stack([image(i, 1) for i in range(4)]), imagej=True)
    write_tiff(source / "train-labels.tif", np.stack([NUMBERS] * 4), imagej=True)


def draw_epfl(source):
    for name, first in (("training", 0), ("testing", 7)):
        write_tiff(source / f"{name}.tif", np.stack([image(i + first, 1) for i in range(3)]), imagej=True)
        write_tiff(source / f"{name}_groundtruth.tif", np.stack([np.uint8(WHITE) * 255] * 3), imagej=True)


def draw_nnunet(source):
    for i in range(3):
        for channel in (0, 1):
            save(image(i + 9 * channel, 1), source / f"imagesTr/case_{i:03}_000{channel}.png")
        save(np.uint8(WHITE), source / f"labelsTr/case_{i:03}.png")
    for channel in (0, 1):
        save(image(5 + 9 * channel, 1), source / f"imagesTs/case_009_000{channel}.png")
    said = {"channel_names": {"0": "DAPI", "1": "actin"}, "labels": {"background": 0, "cell": 1}, "file_ending": ".png"}
    write_text(source / "dataset.json", said)


def draw_cellpose(source):
    for part, i in (("train", 0), ("train", 1), ("train", 2), ("test", 3)):
        write_tiff(source / f"{part}/{i:03}_img.tif", image(i, 1))
        write_tiff(source / f"{part}/{i:03}_masks.tif", NUMBERS)
    write_tiff(source / "train/000_flows.tif", np.zeros((3, *SIZE), np.float32), photometric="minisblack")


def draw_tracking(source):
    for i in range(4):
        write_tiff(source / f"01/t00{i}.tif", image(i, 1))
        if i < 3:
            write_tiff(source / f"01_ST/SEG/man_seg00{i}.tif", NUMBERS)
        write_tiff(source / f"01_GT/TRA/man_track00{i}.tif", NUMBERS)
        write_tiff(source / f"02/t00{i}.tif", image(i + 7, 1))
    write_tiff(source / "01_GT/SEG/man_seg000.tif", np.minimum(NUMBERS, 1))
    write_tiff(source / "02_GT/SEG/man_seg002.tif", NUMBERS)


def outline(top, left, bottom, right):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def draw_labelme(source):
    for i in range(3):
        save(image(i), source / f"field{i}.jpg")
        shapes = [
            {"label": "weed", "points": outline(8, 10, 20, 30), "shape_type": "polygon"},
            {"label": "crop", "points": [[2, 22], [9, 30]], "shape_type": "rectangle"},
            {"label": "crop", "points": [[2, 2], [9, 3]], "shape_type": "linestrip"},
        ]
        write_text(source / f"field{i}.json", {"shapes": shapes, "imagePath": f"..\\field{i}.jpg", "imageData": None})


def draw_coco(source):
    for i in range(3):
        write_tiff(source / f"images/A172/A172_{i}.tif", image(i, 1))
    write_tiff(source / "images/A172/A172_3.tif", image(8, 1))
    flat = [number for point in outline(8, 10, 20, 30) for number in point]
    said = {
        "images": [{"id": i, "file_name": f"A172_{i}.tif", "height": SIZE[0], "width": SIZE[1]} for i in range(3)],
        "annotations": [
            {"image_id": 0, "category_id": 4, "segmentation": [flat]},
            {"image_id": 2, "category_id": 4, "segmentation": [flat]},
            {"image_id": 2, "category_id": 4, "iscrowd": 1, "segmentation": {"size": SIZE, "counts": [0, 64, 1216]}},
        ],
        "categories": [{"id": 4, "name": "cell"}, {"id": 0, "name": "never drawn"}],
    }
    write_text(source / "livecell_coco_train.json", said)
    said = {**said, "images": [{"id": 0, "file_name": "A172_3.tif", "height": SIZE[0], "width": SIZE[1]}]}
    write_text(source / "annotations/instances_val2017.json", said)
    write_text(source / "annotations/captions_val2017.json", {"images": [], "annotations": []})
    (source / "livecell_coco_train.json").rename(source / "annotations" / "instances_train2017.json")


def draw_lgg(source):
    for i, patient in enumerate(("TCGA_CS_4941_19960909", "TCGA_DU_5849_19950405")):
        for page in (1, 2):
            write_tiff(source / f"kaggle_3m/{patient}/{patient}_{page}.tif", image(page + 7 * i), photometric="rgb")
            write_tiff(source / f"kaggle_3m/{patient}/{patient}_{page}_mask.tif", np.uint8(WHITE) * 255)
    write_text(source / "kaggle_3m/data.csv", "")


def draw_folders(source):
    for i in range(4):
        save(image(i), source / f"imgs/{i}.jpg")
        save(WHITE, source / f"Masks/{i}_mask.gif")


def draw_parts(source):
    for i, part in enumerate(("training", "training", "valid", "test")):
        save(image(i), source / f"{part}/images/{i}.png")
        save(WHITE, source / f"{part}/labels/{i}.png")


def draw_own(source):
    for i, part in enumerate(("train/image", "train/image", "val/image", "test")):
        save(image(i), source / part / f"{i}.png")
        save(WHITE, source / part.replace("image", "") / "label" / f"{i}.png")
    write_text(source / "dataset.json", {"labels": {"soil": 0, "root": 255}})


TWO = {"background": 0}
WHITE_STEMS = {
    "drive": (["21_training", "22_training", "23_training"], ["01_test"], TWO | {"vessel": 255}, "field of view"),
    "chase": (["Image_01L", "Image_01R", "Image_02L"], [], TWO | {"vessel": 255}, "second observer"),
    "carvana": ([f"0cdf5b5d0ce1_0{i}" for i in range(3)], [], TWO | {"car": 255}, '"_mask"'),
    "kvasir": ([f"cju0qkwl35piu0993l0dewei{i}" for i in range(3)], [], TWO | {"polyp": 255}, "JPEG"),
    "isic": ([f"ISIC_000000{i}" for i in range(3)], [], TWO | {"lesion": 255}, '"_segmentation"'),
    "isbi": (["train-volume"], [], {"membrane": 0, "cell": 255}, "a page of a stack"),
    "epfl": (["training"], ["testing"], TWO | {"mitochondrion": 255}, "a page of a stack"),
    "lgg": (
        [f"TCGA_{name}/TCGA_{name}_{page}" for name in ("CS_4941_19960909", "DU_5849_19950405") for page in (1, 2)],
        [],
        TWO | {"abnormality": 255},
        "--group-by folder",
    ),
    "folders": (["0", "1", "2", "3"], [], {}, '"_mask"'),
    "parts": (["0", "1"], ["3"], {}, "one of labels"),
    "own": (["0", "1"], ["3"], {"soil": 0, "root": 255}, "this repository"),
}
NUMBERED_STEMS = {
    "dsb2018": (["id0", "id1", "id2"], [], TWO | {"nucleus": 255}, "parts those that touch"),
    "snemi": (["train-input"], [], {"membrane": 0, "cell": 255}, "number objects"),
    "cellpose": (["000", "001", "002"], ["003"], TWO | {"cell": 255}, "made by Cellpose"),
    "tracking": (["01/t000", "01/t001", "01/t002", "02/t002"], [], TWO | {"cell": 255}, "gold labels of 02_GT"),
}


def bring(name, tmp_path):
    """Draw a layout and bring it into ours: the new folder, and what was printed."""
    source, out = tmp_path / name, tmp_path / "new"
    globals()[f"draw_{name}"](source)
    before = {file: file.read_bytes() for file in source.rglob("*") if file.is_file()}
    text = convert.convert([source], out)
    assert {file: file.read_bytes() for file in source.rglob("*") if file.is_file()} == before
    return out, text


def read_labels(found, part="train"):
    """The labels of a part as numbers, by the stem of the image; those of two classes as bool."""
    part = found.parts[part]
    read = {stem: labels.read_label(part.labels[label]) for stem, label in part.pairs.items()}
    if len(found.classes.values) > 2 or found.classes.ignore is not None:
        return {stem: label.numbers for stem, label in read.items()}
    return {stem: classes.classify(label, found.classes) for stem, label in read.items()}


def read_said(out):
    file = out / "dataset.json"
    return json.loads(file.read_text())["labels"] if file.is_file() else {}


@pytest.mark.parametrize("name", [*WHITE_STEMS, *NUMBERED_STEMS])
def test_a_layout_of_two_classes_is_recognised_and_brought_into_ours(name, tmp_path):
    stems, tested, said, rule = (WHITE_STEMS | NUMBERED_STEMS)[name]
    out, text = bring(name, tmp_path)
    found = dataset.survey(out)
    assert not checks.find_problems(found), name
    assert not found.warnings
    expected = WHITE if name in WHITE_STEMS else PARTED
    trained = read_labels(found)
    assert list(trained) == stems
    for numbers in [*trained.values(), *read_labels(found, "test").values()]:
        for page in numbers:
            np.testing.assert_array_equal(page, expected)
    assert list(read_labels(found, "test")) == tested
    assert read_said(out) == said
    assert rule in text
    assert text in (out / "README.txt").read_text()


def test_test_images_without_labels_are_taken(tmp_path):
    out, text = bring("carvana", tmp_path)
    assert (out / "test" / "0004d4463b50_01.jpg").is_file()
    assert not (out / "test" / "label").exists()
    assert "test: images 1, of which labelled 0" in text


def test_the_validation_set_of_isic_is_held_out(tmp_path):
    out, _ = bring("isic", tmp_path)
    assert [file.name for file in (out / "val" / "label").iterdir()] == ["ISIC_0000008.png"]


def test_camvid_has_its_classes_and_its_void(tmp_path):
    found = dataset.survey(bring("camvid", tmp_path)[0])
    assert not checks.find_problems(found)
    assert (found.classes.ignore, len(found.classes.values), found.classes.names[3]) == (11, 11, "road")
    assert len(found.parts["val"].pairs) == len(found.parts["test"].pairs) == 1


def test_voc_keeps_its_palette_its_lists_and_its_void(tmp_path):
    out, text = bring("voc", tmp_path)
    found = dataset.survey(out)
    assert not checks.find_problems(found)
    assert (found.classes.ignore, found.classes.names[15]) == (255, "person")
    assert list(found.parts["val"].pairs) == ["2007_000003"]
    assert labels.read_palette(out / "train/label/2007_000000.png")[45:48] == [192, 128, 128]
    assert "2007_000004.jpg is in none of the lists" in text


def test_cityscapes_has_nineteen_classes_and_sub_folders_by_city(tmp_path):
    out, text = bring("cityscapes", tmp_path)
    found = dataset.survey(out)
    assert not checks.find_problems(found)
    label = read_labels(found)["aachen/aachen_000000_000019"][0]
    assert (label[0, 0], label[5, 0], label[10, 15]) == (255, 0, 13)
    assert found.classes.names[13] == "car" and found.classes.ignore == 255
    assert not found.parts["test"].pairs and "labels are not public" in text


def test_channels_of_nnunet_are_joined_and_named(tmp_path):
    out, text = bring("nnunet", tmp_path)
    found = dataset.survey(out)
    assert not checks.find_problems(found) and not found.warnings
    assert found.description.channels == ("DAPI", "actin")
    part = found.parts["train"]
    pages = looking.read_image(part.images["case_001"], part.facts[part.images["case_001"]])
    np.testing.assert_array_equal(pages, np.stack([image(1, 1), image(10, 1)], axis=-1)[np.newaxis])
    assert list(found.parts["test"].images) == ["case_009"]
    assert "_0000, _0001 of a case are the channels" in text


def test_overlapping_regions_of_nnunet_become_classes():
    rules = []
    named = known._name_regions({"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}, rules, "dataset.json")
    assert named == {"background": 0, "whole": 1, "whole+core": 2, "ignore": 3}
    assert "Regions overlap" in rules[0]


def test_frames_without_labels_are_named(tmp_path):
    _, text = bring("tracking", tmp_path)
    assert "silver labels of 01_ST" in text
    assert "t003.tif has no label and is left out." in text


def test_outlines_of_labelme(tmp_path):
    out, text = bring("labelme", tmp_path)
    found = dataset.survey(out)
    assert not checks.find_problems(found)
    assert read_said(out) == {"background": 0, "crop": 1, "weed": 2}
    label = read_labels(found)["field1"][0]
    np.testing.assert_array_equal(label == 2, WHITE)
    assert np.argwhere(label == 1).min(axis=0).tolist() == [22, 2] and np.count_nonzero(label == 1) == 56
    assert "field0.json: a linestrip has no area and is left out, like " in text


def test_outlines_of_coco(tmp_path):
    out, text = bring("coco", tmp_path)
    found = dataset.survey(out)
    assert read_said(out) == {"background": 0, "cell": 255, "ignore": 128}
    trained = read_labels(found)
    assert list(trained) == ["A172_0", "A172_1", "A172_2"]
    np.testing.assert_array_equal(trained["A172_0"][0], np.uint8(WHITE) * 255)
    assert not trained["A172_1"].any()
    crowd = np.zeros(SIZE, bool)
    crowd[:, :2] = True
    np.testing.assert_array_equal(trained["A172_2"][0] == 128, crowd)
    assert list(found.parts["val"].images) == ["A172_3"]
    assert "Crowds become 128" in text


def test_gold_labels_of_one_slice_belong_to_that_page(tmp_path):
    source = tmp_path / "source"
    write_tiff(source / "01/t000.tif", np.stack([image(i, 1) for i in range(5)]), photometric="minisblack")
    write_tiff(source / "01_GT/SEG/man_seg_000_003.tif", NUMBERS)
    convert.convert([source], tmp_path / "new")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "new/train/image/01/t000_003.tif"), image(3, 1))


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


def test_an_unknown_layout_is_described_and_the_one_wanted_is_drawn(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / "a" / f"{i}.png")
        save(WHITE, tmp_path / "b" / f"{i}.png")
    with pytest.raises(ValueError) as error:
        recognise.find_layout(tmp_path)
    for words in ("6 files .png", "folders a, b", "cannot be told from their names", "DIR/train/label/a.png"):
        assert words in str(error.value)
    with pytest.raises(ValueError, match="there is no image in it"):
        recognise.find_layout((tmp_path / "empty").mkdir() or tmp_path / "empty")


def test_the_check_names_the_layout_and_the_command(tmp_path, capsys):
    draw_drive(tmp_path / "DRIVE")
    assert data.main([str(tmp_path / "DRIVE")]) == 2
    told = capsys.readouterr().err
    assert "DRIVE (vessels of the retina)" in told and f"python data.py {tmp_path / 'DRIVE'} --to DIR" in told


def test_the_layout_of_ones_own_in_the_documents_works(tmp_path, monkeypatch):
    page = (REPOSITORY / "docs" / "images.md").read_text()
    lines = page[page.index("    def find_cracks") :].partition("\n\n")[0].splitlines()
    assert len(lines) <= 10
    exec(textwrap.dedent("\n".join(lines)), known.__dict__)
    monkeypatch.setattr(known, "LAYOUTS", (*known.LAYOUTS, known.__dict__.pop("find_cracks")))
    for i in (12, 13):
        save(image(i), tmp_path / "source" / "photos" / f"{i}.jpg")
        save(np.uint8(WHITE), tmp_path / "source" / "truth" / f"{i}_crack.bmp")
    assert convert.convert([tmp_path / "source"], tmp_path / "new").startswith(f"{tmp_path / 'source'}: Cracks.")
    assert not checks.find_problems(dataset.survey(tmp_path / "new"))


# ---- what a tester of these layouts found, each drawn anew


def draw_touching(path):
    write_tiff(path, NUMBERS)


def convert_all(source, tmp_path):
    out = tmp_path / "new"
    text = convert.convert([source], out)
    found = dataset.survey(out)
    assert not checks.find_problems(found, fraction=0.5)
    return found, text


@pytest.mark.parametrize("path", ["/data/1.png", "../../up/1.png", "..\\..\\x\\1.png", "http://host/1.png"])
def test_no_path_of_a_json_leads_outside_the_new_folder(tmp_path, path):
    source = tmp_path / "source"
    draw_coco(source)
    file = source / "annotations" / "instances_train2017.json"
    said = json.loads(file.read_text())
    save(image(9, 1), source / "images" / "1.png")
    said["images"][1]["file_name"] = path
    write_text(file, said)
    before = set(tmp_path.rglob("*"))
    convert.convert([source], tmp_path / "new")
    made = set(tmp_path.rglob("*")) - before
    assert all((tmp_path / "new") in (one, *one.parents) for one in made)
    assert (tmp_path / "new/train/image/1.png").is_file()


def test_a_stem_that_leads_outside_is_refused(tmp_path, monkeypatch):
    save(image(0), tmp_path / "a.png")
    layout = layouts.Layout("bad", pairs=[layouts.Pair("train", "../a", tmp_path / "a.png", tmp_path / "a.png")])
    monkeypatch.setattr(recognise, "find_layout", lambda folder: layout)
    with pytest.raises(ValueError, match="outside of"):
        convert.convert([tmp_path / "source"], tmp_path / "new")


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


def test_classes_of_ones_own_in_the_layout_of_voc(tmp_path):
    source = tmp_path / "source"
    for i in range(3):
        save(image(i), source / "JPEGImages" / f"{i}.jpg")
        save(np.uint8(WHITE), source / "SegmentationClass" / f"{i}.png")
    write_text(source / "class_names.txt", "__ignore__\n_background_\nweed\n")
    found, _ = convert_all(source, tmp_path)
    assert found.classes.names == ("background", "weed")


def test_categories_of_coco_are_told_by_their_names(tmp_path):
    source, flat = tmp_path / "source", [number for point in outline(8, 10, 20, 30) for number in point]
    for part, categories in (("train", ("cat", "dog")), ("val", ("dog", "cat"))):
        save(image(len(part)), source / part / f"{part}.png")
        save(image(len(part) + 9), source / part / f"{part}2.png")
        write_text(
            source / f"{part}.json",
            {
                "images": [
                    {"id": i, "file_name": f"{part}{end}.png", "height": SIZE[0], "width": SIZE[1]}
                    for i, end in enumerate(("", "2"))
                ],
                "annotations": [{"image_id": i, "category_id": 1 + i, "segmentation": [flat]} for i in (0, 1)],
                "categories": [{"id": 1 + i, "name": name} for i, name in enumerate(categories)],
            },
        )
    found, _ = convert_all(source, tmp_path)
    assert found.classes.names == ("background", "cat", "dog")
    assert (read_labels(found)["train"].max(), read_labels(found, "val")["val"].max()) == (1, 2)


def test_suffixes_in_folders_of_parts(tmp_path):
    source = tmp_path / "source"
    for i, part in enumerate(("train_sorted", "train_sorted", "test_sorted")):
        write_tiff(source / part / f"{i}.tif", image(i, 1))
        draw_touching(source / part / f"{i}_masks.tif")
    found, _ = convert_all(source, tmp_path)
    assert [list(found.parts[part].pairs) for part in ("train", "test")] == [["0", "1"], ["2"]]
    np.testing.assert_array_equal(read_labels(found)["0"][0], PARTED)


def test_several_masks_of_one_image_are_joined(tmp_path):
    source = tmp_path / "source"
    for i in range(3):
        save(image(i), source / "benign" / f"benign ({i}).png")
        save(WHITE, source / "benign" / f"benign ({i})_mask.png")
    save(np.roll(WHITE, 10, axis=0), source / "benign" / "benign (1)_mask_1.png")
    found, text = convert_all(source, tmp_path)
    np.testing.assert_array_equal(read_labels(found)["benign (1)"][0], WHITE | np.roll(WHITE, 10, axis=0))
    assert "are joined" in text


def test_folders_named_after_part_and_kind(tmp_path):
    source = tmp_path / "source"
    for i, part in enumerate(("train", "train", "val", "test")):
        save(image(i), source / f"{part}_img" / f"{i}.png")
        save(WHITE, source / f"{part}_lab" / f"{i}.png")
    found, _ = convert_all(source, tmp_path)
    assert [len(found.parts[part].pairs) for part in ("train", "val", "test")] == [2, 1, 1]


def test_json_that_is_none_stops_nothing(tmp_path):
    draw_folders(tmp_path / "source")
    write_text(tmp_path / "source" / "._dataset.json", "\0")
    write_text(tmp_path / "source" / "log.json", "{}\n{}")
    write_text(tmp_path / "source" / "panoptic.json", {"images": [], "annotations": None, "categories": []})
    assert recognise.find_layout(tmp_path / "source").name == "a folder of images and one of labels"


@pytest.mark.parametrize("change", [{"height": None}, {"file_name": None}])
def test_incomplete_coco_is_refused_by_name(tmp_path, change):
    draw_coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    said = json.loads(file.read_text())
    said["images"][0] |= change
    write_text(file, said)
    with pytest.raises(ValueError, match=rf"instances_train2017\.json: one of its images has no {next(iter(change))}"):
        recognise.find_layout(tmp_path)


def test_known_layouts_further_down_are_named(tmp_path):
    for name in ("Dataset001_A", "Dataset002_B"):
        draw_nnunet(tmp_path / "raw" / name)
    with pytest.raises(ValueError, match=r"in it .*Dataset001_A is laid out as nnU-Net's raw data"):
        recognise.find_layout(tmp_path)


def test_a_layout_without_anything_to_train_on_is_refused(tmp_path):
    draw_cityscapes(tmp_path)
    for file in (tmp_path / "gtFine").rglob("*labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "color")))
    with pytest.raises(ValueError, match=r"could be Cityscapes .* no image to train on with a label"):
        recognise.find_layout(tmp_path)


def test_an_image_that_is_embedded_in_its_outlines(tmp_path):
    draw_labelme(tmp_path / "source")
    file = tmp_path / "source" / "field1.json"
    said = json.loads(file.read_text())
    said["imageData"] = base64.b64encode((tmp_path / "source" / "field1.jpg").read_bytes()).decode()
    write_text(file, said)
    (tmp_path / "source" / "field1.jpg").unlink()
    found, _ = convert_all(tmp_path / "source", tmp_path)
    assert list(found.parts["train"].pairs) == ["field0", "field1", "field2"]


# ---- layouts that are nearly known, or broken


def write_coco(folder, **changes):
    """COCO's JSON of three images with a triangle and a box each, with changes to all of its annotations."""
    shape = {"segmentation": [[5, 5, 30, 5, 5, 25]], "iscrowd": 0} | changes
    said = {"categories": [{"id": 1, "name": "cat"}], "images": [], "annotations": []}
    for i in range(3):
        save(image(i), folder / f"images/{i}.jpg")
        said["images"].append({"id": i, "file_name": f"{i}.jpg", "height": SIZE[0], "width": SIZE[1]})
        said["annotations"].append({"id": i, "image_id": i, "category_id": 1, "bbox": [5, 5, 25, 20]} | shape)
    write_text(folder / "a.json", said)
    return said


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"segmentation": []}, "none of its 3 annotations has an outline"),
        ({"segmentation": None}, "none of its 3 annotations has an outline"),
        ({"segmentation": [[]]}, "none of its 3 annotations has an outline"),
        ({"segmentation": [5, 5, 30, 5, 5, 25]}, "annotation 0 has an outline that is no list of lists of x and y"),
        ({"image_id": 77}, "none of its 3 annotations has an image that is listed"),
        ({"segmentation": [[0.1, 0.1, 0.8, 0.1, 0.1, 0.9]]}, "its outlines go from 0 to 0.9, which are no pixels"),
        ({"segmentation": [[105, 5, 130, 5, 105, 25]]}, "outlines of 3 objects lie outside of their images"),
    ],
)
def test_objects_of_coco_that_cannot_be_drawn_are_refused(tmp_path, changes, text):
    write_coco(tmp_path, **changes)
    with pytest.raises(ValueError, match=text):
        recognise.find_layout(tmp_path)


def test_images_of_coco_with_boxes_alone_and_annotations_of_none_are_left_out_by_name(tmp_path):
    said = write_coco(tmp_path)
    said["annotations"].append(said["annotations"][0] | {"id": 7, "segmentation": []})
    said["annotations"].append(said["annotations"][0] | {"id": 8, "image_id": 9})
    said["annotations"][1]["image_id"] = "1"  # as some write it
    write_text(tmp_path / "a.json", said)
    layout = recognise.find_layout(tmp_path)
    assert [pair.stem for pair in layout.pairs] == ["1", "2"]
    assert layout.pairs[0].label().max() == 255
    rules = " ".join(layout.rules)
    assert "a.json: 0.jpg has an object with a box and no outline and is left out." in rules
    assert "a.json: annotation 8 is of no image that is listed and is left out." in rules
    del said["categories"][0]["name"]
    write_text(tmp_path / "a.json", said)
    with pytest.raises(ValueError, match=r"a\.json: one of its categories has no name"):
        recognise.find_layout(tmp_path)


def test_outlines_of_labelme_that_were_drawn_on_another_size_are_refused(tmp_path):
    save(image(0), tmp_path / "a.png")
    said = {"imagePath": "a.png", "imageHeight": 64, "imageWidth": 80}
    shape = {"label": "cell", "points": [[5, 5], [30, 5], [5, 25]]}
    write_text(tmp_path / "a.json", said | {"shapes": [shape]})
    with pytest.raises(ValueError, match=r"a\.png: has 32x40 pixels, its outlines were drawn on 64x80"):
        recognise.find_layout(tmp_path).pairs[0].label()
    for broken in ({"label": None}, {"points": None}):
        write_text(tmp_path / "a.json", said | {"shapes": [{k: v for k, v in (shape | broken).items() if v}]})
        with pytest.raises(ValueError, match=r"a\.json: one of its shapes has no label, or no points"):
            recognise.find_layout(tmp_path)


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


def test_a_layout_like_vocs_has_the_names_of_voc_only_where_it_is_so(tmp_path):
    for i in range(4):
        save(image(i), tmp_path / f"set/JPEGImages/a{i}.jpg")
        save(np.uint8(WHITE) * 3, tmp_path / f"set/SegmentationClass/a{i}.png")
    write_text(tmp_path / "set/ImageSets/trn.txt", "a0.jpg\na1.jpg\na2.jpg\n")
    write_text(tmp_path / "set/ImageSets/val.txt", "JPEGImages/a3\n")
    layout = recognise.find_layout(tmp_path / "set")
    assert (layout.name, layout.labels) == ("Pascal VOC's layout, with classes whose names it does not tell", {})
    assert [(pair.part, pair.stem) for pair in layout.pairs] == [*(("train", f"a{i}") for i in range(3)), ("val", "a3")]
    write_text(tmp_path / "set/labelmap.txt", "background\ncell\n")
    with pytest.raises(ValueError, match="expected lines such as cell:255,0,0::, found 'background'"):
        recognise.find_layout(tmp_path / "set")


def test_pets_are_what_is_looked_for(tmp_path):
    trimap = np.where(WHITE, 1, 2).astype(np.uint8)
    trimap[7] = 3
    for i in range(3):
        save(image(i), tmp_path / f"images/pet_{i}.jpg")
        save(trimap, tmp_path / f"annotations/trimaps/pet_{i}.png")
    layout = recognise.find_layout(tmp_path)
    assert layout.labels == {"background": 0, "pet": 1, "ignore": 255}
    label = layout.pairs[0].label()[0]
    assert (label[10, 15], label[0, 0], label[7, 0]) == (1, 0, 255)


def test_cases_of_nnunet_that_end_in_four_digits_are_no_channels(tmp_path):
    write_text(tmp_path / "dataset.json", {"labels": {"background": "0", "cell": "1"}})
    for i in range(3):
        save(image(i, 1), tmp_path / f"imagesTr/amos_{i:04}.png")
        save(np.uint8(WHITE), tmp_path / f"labelsTr/amos_{i:04}.png")
        save(image(i + 5, 1), tmp_path / f"imagesTs/amos_{i + 20:04}.png")
    save(image(9, 1), tmp_path / "imagesVa/amos_0050.png")
    layout = recognise.find_layout(tmp_path)
    assert len([pair for pair in layout.pairs if pair.part == "test"]) == 3
    assert layout.labels == {"background": "0", "cell": "1"}
    assert f"{tmp_path}/imagesVa is not known and is left out." in layout.rules
    write_text(tmp_path / "dataset.json", {"labels": ["background", "cell"]})
    with pytest.raises(ValueError, match=r"dataset\.json: expected \"labels\": "):
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


def count_parts(source):
    """How many pairs of each part a folder has, in order: tuple."""
    found = [pair.part for pair in recognise.find_layout(source).pairs]
    return tuple(found.count(part) for part in ("train", "val", "test"))


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


def test_a_part_of_labelme_may_be_named_in_any_way(tmp_path):
    for place, i in (("train_images", 0), ("train_images", 1), ("test_images", 2)):
        save(image(i), tmp_path / place / f"{i}.png")
        shape = {"label": "cell", "points": [[5, 5], [30, 5], [5, 25]]}
        write_text(tmp_path / place / f"{i}.json", {"imagePath": f"{i}.png", "shapes": [shape]})
    assert count_parts(tmp_path) == (2, 0, 1)


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


def test_others_images_do_not_get_the_classes_of_voc_and_camvid(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"VOCdevkit/VOC2007/JPEGImages/cell_{i:03}.jpg")
        save(WHITE, tmp_path / f"VOCdevkit/VOC2007/SegmentationClass/cell_{i:03}.png")
        for folder, content in (("train", image(i)), ("trainannot", WHITE)):
            save(content, tmp_path / "streets" / folder / f"cell_{i}.png")
    for source in (tmp_path / "VOCdevkit", tmp_path / "streets"):
        layout = recognise.find_layout(source)
        assert (layout.labels, "names it does not tell" in layout.name) == ({}, True)


def test_images_that_are_not_read_are_named(tmp_path):
    for part in ("train", "test", "extra"):
        save(image(0), tmp_path / f"images/{part}/{part}.png")
        save(WHITE, tmp_path / f"labels/{part}/{part}.png")
    layout = recognise.find_layout(tmp_path)
    assert layout.rules == [f"{tmp_path / 'images/extra/extra.png'} is not read and is left out, like extra/extra.png."]


def test_a_table_names_classes_and_what_is_void(tmp_path, capsys):
    colours = {"Sky": (128, 128, 128), "Road": (128, 64, 128), "Void": (0, 0, 0)}
    label = np.zeros((*SIZE, 3), np.uint8)
    label[:20], label[20:30] = colours["Sky"], colours["Road"]
    for i in range(3):
        save(image(i), tmp_path / f"source/images/{i}.png")
        save(label, tmp_path / f"source/masks/{i}_L.png")
    table = "".join(f"{name}, {', '.join(map(str, colour))}\n" for name, colour in colours.items())
    write_text(tmp_path / "source/class_dict.csv", "name, r, g, b\n" + table)
    layout = recognise.find_layout(tmp_path / "source")
    assert layout.labels == {"Sky": "#808080", "Road": "#804080", "ignore": "#000000"}
    assert data.main([str(tmp_path / "source"), "--to", str(tmp_path / "ours")]) == 0
    assert data.main([str(tmp_path / "ours")]) == 0
    assert "Road: " in capsys.readouterr().out
    write_text(tmp_path / "source/class_dict.csv", "name,r,g,b\nSky,128,128,128\nVoid,0,0,0\n")  # not all
    layout = recognise.find_layout(tmp_path / "source")
    assert layout.labels == {} and "class_dict.csv is not read" in " ".join(layout.rules)


def test_a_table_of_colours_fits_labels_in_grey(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"{i}_sat.jpg")
        save(np.dstack([WHITE * np.uint8(255)] * 3) if i else WHITE, tmp_path / f"{i}_mask.png")
    write_text(tmp_path / "class_dict.csv", "name,r,g,b\nroad,255,255,255\nbackground,0,0,0\n")
    assert recognise.find_layout(tmp_path).labels == {"road": 255, "background": 0}
    write_text(tmp_path / "class_dict.csv", "name,r,g,b\nroad,255,255,x\n")
    assert recognise.find_layout(tmp_path).labels == {}


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


def test_what_lies_beside_a_test_image_is_no_test_image(tmp_path):
    for part in ("train", "test"):
        save(image(1), tmp_path / part / "a.png")
        save(WHITE, tmp_path / part / "a_mask.png")
        save(image(2), tmp_path / part / "a_overlay.png")
    layout = recognise.find_layout(tmp_path)
    assert [(pair.part, pair.image.name) for pair in layout.pairs] == [("test", "a.png"), ("train", "a.png")]
    assert "a_overlay.png has the name of an image and more" in " ".join(layout.rules)


def test_the_same_masks_of_every_image_are_asked_about(tmp_path):
    for i in range(4):
        save(image(i), tmp_path / f"images/p{i}.png")
        for number in (1, 2):
            save(number == NUMBERS, tmp_path / f"masks/p{i}_{number}.png")
    with pytest.raises(ValueError, match=r"masks: each image has masks _1, _2; if these are classes"):
        recognise.find_layout(tmp_path)
    save(NUMBERS == 3, tmp_path / "masks/p3_3.png")
    assert recognise.find_layout(tmp_path).labels == {"background": 0, "object": 255}


def test_labels_of_labelme_that_may_number_objects_are_pointed_to(tmp_path):
    corners = [[5, 5], [12, 5], [5, 12]]
    shapes = [{"label": f"cell {n}", "points": [[x + 9 * n, y] for x, y in corners]} for n in range(3)]
    for i in range(2):
        save(image(i), tmp_path / f"{i}.png")
        write_text(tmp_path / f"{i}.json", {"imagePath": f"{i}.png", "shapes": shapes})
    layout = recognise.find_layout(tmp_path)
    assert layout.labels == {"background": 0, "cell 0": 1, "cell 1": 2, "cell 2": 3}
    assert "Labels such as cell 0 are read as classes; if they number objects" in " ".join(layout.rules)


@pytest.mark.parametrize(
    "said",
    [
        {"imagePath": None},
        {"shapes": [{"label": 1, "points": [[5, 5], [30, 5], [5, 25]]}]},
        {"shapes": [{"label": "cell", "points": [["a", 5], [30, 5]]}]},
        {"shapes": [{"label": "cell", "points": [[5, 5], [9, 9]], "shape_type": "mask", "mask": None}]},
    ],
)
def test_odd_entries_of_labelme_are_refused_by_the_name_of_their_file(said, tmp_path):
    save(image(0), tmp_path / "a.png")
    write_text(tmp_path / "a.json", {"imagePath": "a.png", "shapes": []} | said)
    with pytest.raises(ValueError, match=r"a\.json: one of its shapes has no label, or no points"):
        recognise.find_layout(tmp_path)


@pytest.mark.parametrize(
    ("name", "entry", "text"),
    [
        ("images", {"height": "32"}, "has the height '32'"),
        ("images", {"file_name": 5}, "has the file_name 5"),
        ("categories", {"name": ["cell"]}, r"has the name \['cell'\]"),
        ("annotations", {"segmentation": {"counts": [1, 2]}}, "run lengths without size"),
        ("images", {"id": 2}, "two of its images have one id"),
    ],
)
def test_odd_entries_of_coco_are_refused_by_the_name_of_their_file(name, entry, text, tmp_path):
    shape = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[5, 5, 30, 5, 5, 25]]}
    said = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]} for i in (1, 2)],
        "annotations": [shape],
        "categories": [{"id": 1, "name": "cell"}],
    }
    for i in (1, 2):
        save(image(i), tmp_path / f"{i}.png")
    said[name][0] |= entry
    write_text(tmp_path / "a.json", said)
    with pytest.raises(ValueError, match=rf"a\.json: .*{text}"):
        recognise.find_layout(tmp_path)


def test_a_part_of_coco_is_told_by_the_last_step_of_its_path(tmp_path):
    for i, part in enumerate(("train", "test"), start=1):
        save(image(i), tmp_path / f"training_data/{i}.png")
        said = {
            "images": [{"id": 1, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[5, 5, 30, 5, 5, 25]]}],
            "categories": [{"id": 1, "name": "cell"}],
        }
        write_text(tmp_path / f"training_data/annotations/{part}.json", said)
    assert count_parts(tmp_path) == (1, 0, 1)


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


def test_modalities_of_the_decathlon_are_channels(tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    volume = np.arange(8 * 9 * 3 * 2, dtype=np.int16).reshape(8, 9, 3, 2)  # x, y, z and the modality
    for i in range(2):
        for folder, array in (("imagesTr", volume + i), ("labelsTr", np.uint8(volume[..., 0] > 100))):
            (tmp_path / folder).mkdir(exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / folder / f"BRATS_{i:03}.nii.gz")
    write_text(tmp_path / "dataset.json", {"modality": {"0": "FLAIR", "1": "T1w"}, "labels": {"0": "a", "1": "b"}})
    layout = recognise.find_layout(tmp_path)
    pages = layout.pairs[0].image()
    assert pages.shape == (3, 9, 8, 2)
    assert np.array_equal(pages, volume.transpose(2, 1, 0, 3))
    assert "train: the fourth axis of a NIfTI, 2 long, is that of the channels." in layout.rules
    write_text(tmp_path / "dataset.json", {"modality": "CT", "labels": {"0": "a", "1": "b"}})
    assert recognise.find_layout(tmp_path).channels == {"0": "CT"}


@pytest.mark.parametrize(
    ("name", "fix"),
    [("a.geojson", "export masks or COCO's JSON"), ("a.mat", "save images and labels"), ("a.csv", "draw")],
)
def test_labels_in_files_of_another_kind_are_pointed_to(name, fix, tmp_path):
    save(image(0), tmp_path / "photos" / "a.png")
    write_text(tmp_path / "truth" / name, "text")
    with pytest.raises(ValueError, match=f"{name[1:]} are not read: .*{fix}"):
        recognise.find_layout(tmp_path)


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


def test_numbers_of_coco_may_be_floats_and_entries_may_repeat(tmp_path):
    entry = {"id": 1.0, "file_name": "1.png", "height": float(SIZE[0]), "width": float(SIZE[1])}
    shape = {"id": 1, "image_id": 1.0, "category_id": 1.0, "segmentation": [[5, 5, 30, 5, 5, 25]]}
    said = {"images": [entry, entry], "annotations": [shape], "categories": [{"id": 1, "name": 7}]}
    save(image(1), tmp_path / "1.png")
    write_text(tmp_path / "a.json", said)
    (pair,) = recognise.find_layout(tmp_path).pairs
    assert pair.label().max() == 255


@pytest.mark.parametrize(
    ("table", "labels_of_it"),
    [
        ("0,background\n1,cell\n255,ignore\n", {"background": 0, "cell": 1, "ignore": 255}),
        ("0,unlabeled\n1,cell\n255,void\n", {"unlabeled": 0, "cell": 1, "ignore": 255}),
        ("0,unknown\n1,cell\n255,b\n", {"unknown": 0, "cell": 1, "b": 255}),
        ("0,a\n1,a\n255,b\n", {}),
        ("0,a\n1,\n255,b\n", {}),
        ("0,a\n0,c\n1,d\n255,b\n", {}),
    ],
)
def test_a_table_of_values_is_taken_only_if_it_is_whole(table, labels_of_it, tmp_path):
    label = np.zeros(SIZE, np.uint8)
    label[8:20], label[25:] = 1, 255
    for i in range(3):
        save(image(i), tmp_path / f"{i}.jpg")
        save(label, tmp_path / f"{i}_mask.png")
    write_text(tmp_path / "_classes.csv", "Pixel Value, Class\n" + table)
    layout = recognise.find_layout(tmp_path)
    assert layout.labels == labels_of_it
    assert bool(labels_of_it) != ("_classes.csv is not read" in " ".join(layout.rules))


def test_a_fourth_axis_that_is_none_is_refused(tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / folder).mkdir()
        volume = np.arange(8 * 9 * 4, dtype=np.int16).reshape(8, 9, 4) % 2
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / folder / "a_000.nii.gz")
    write_text(tmp_path / "dataset.json", {"modality": {"0": "FLAIR", "1": "T1w"}, "labels": {"0": "a", "1": "b"}})
    with pytest.raises(ValueError, match="names 2 channels, which its fourth axis does not hold"):
        recognise.find_layout(tmp_path).pairs[0].image()


def test_what_is_painted_is_marked_as_crowds_and_read_as_objects(tmp_path):
    said = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "worm"}, {"id": 2, "name": "egg"}]}
    for i in range(3):
        save(image(i), tmp_path / f"set/{i}.png")
        said["images"].append({"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]})
        runs = [0, 32, 32 * 39]  # its first column, painted
        painted = {"segmentation": {"counts": runs, "size": list(SIZE)}, "iscrowd": 1, "category_id": 1}
        outlined = {"segmentation": [[20, 10, 30, 10, 30, 20, 20, 20]], "iscrowd": 0, "category_id": 2}
        said["annotations"] += [{"image_id": i, "id": 2 * i + k, **one} for k, one in enumerate((painted, outlined))]
    said["annotations"].append({"image_id": 0, "id": 99, **painted, "category_id": 2})
    write_text(tmp_path / "set/annotations.json", said)
    out = tmp_path / "out"
    rules = " ".join(recognise.find_layout(tmp_path / "set").rules)
    assert "worm: most are marked as crowds, as programs mark what is painted; they are read as objects." in rules
    assert "Crowds become 255, which is not labelled: 1 of 7." in rules
    assert data.main([str(tmp_path / "set"), "--to", str(out)]) == 0
    label = images.read_array(out / "train/label/1.png")
    assert (
        (label[:, 0] == 1).all()
        and label[15, 25] == 2
        and read_said(out)
        == {
            "background": 0,
            "worm": 1,
            "egg": 2,
            "ignore": 255,
        }
    )


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


@pytest.mark.parametrize(
    "values", [(0, 127, 254), (0, 1, 2), ((0, 0, 0), (255, 0, 0), (0, 0, 255))], ids=["greys", "numbers", "colours"]
)
def test_layouts_of_two_classes_refuse_a_third(values, tmp_path):
    draw_drive(tmp_path / "source")
    place = tmp_path / "source/training/1st_manual"
    save(np.array(values, np.uint8)[np.uint8(WHITE) + 2 * np.uint8(NUMBERS == 3)], place / "22_manual1.png")
    (place / "22_manual1.gif").unlink()
    with pytest.raises(ValueError, match=r"22_manual1\.png: holds .*, where a mask of two values is expected"):
        convert.convert([tmp_path / "source"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mask_that_is_smoothed_or_nearly_white_is_one_of_two_values(tmp_path):
    smooth = np.uint8(255 * np.clip(np.add.outer(np.arange(32), np.zeros(40)) / 8 - 1, 0, 1))
    for name, mask in (("smooth", smooth), ("nearly", np.where(WHITE, 254, 0) + np.uint8(NUMBERS == 3) * 255)):
        save(np.uint8(mask), tmp_path / f"{name}.png")
        np.testing.assert_array_equal(contents.read_white(tmp_path / f"{name}.png")[0] > 0, np.uint8(mask) > 127)


def test_own_images_do_not_get_the_classes_of_a_layout_that_they_borrow(tmp_path):
    for n in range(4):
        numbers = np.array([0, 7, 8], np.uint8)[np.uint8(WHITE) + 2 * np.uint8(NUMBERS == 3)]
        save(image(n), tmp_path / f"cvat/leftImg8bit/train/a{n}_leftImg8bit.png")
        save(numbers, tmp_path / f"cvat/gtFine/train/a{n}_gtFine_labelIds.png")
        save(image(n), tmp_path / f"voc/JPEGImages/2024_{n:06}.jpg")
        save(WHITE, tmp_path / f"voc/SegmentationClass/2024_{n:06}.png")
        save(image(n), tmp_path / f"tissue/TCGA_{n}.png")
        save(WHITE, tmp_path / f"tissue/TCGA_{n}_mask.png")
        save(image(n), tmp_path / f"organs/case{n}/images/case{n}.png")
        for i, organ in enumerate(("liver", "kidney"), start=1):
            save(i == NUMBERS, tmp_path / f"organs/case{n}/masks/{organ}.png")
    for name in ("cvat", "voc", "tissue"):
        assert recognise.find_layout(tmp_path / name).labels == {}
    with pytest.raises(ValueError, match="each image has masks kidney, liver; if these are classes"):
        recognise.find_layout(tmp_path / "organs")


def test_a_dataset_json_beside_folders_of_others_is_heeded(tmp_path):
    for n in range(3):
        save(image(n), tmp_path / f"source/images/{n}.png")
        save(np.uint8(WHITE) + 2 * np.uint8(NUMBERS == 3), tmp_path / f"source/masks/{n}.png")
    write_text(tmp_path / "source/dataset.json", {"labels": {"ground": 0, "cell": 1, "ignore": 2}})
    found, text = convert_all(tmp_path / "source", tmp_path)
    assert (found.classes.names, found.classes.ignore) == (("ground", "cell"), 2)
    assert "Classes are named by" in text


def test_images_of_coco_of_one_name_belong_to_the_folder_of_their_part(tmp_path):
    def describe(names, file):
        shape = {"category_id": 1, "segmentation": [[5, 5, 30, 5, 5, 25]], "iscrowd": 0}
        said = {"categories": [{"id": 1, "name": "cat"}]}
        said["images"] = [{"id": i, "file_name": name, "height": 32, "width": 40} for i, name in enumerate(names)]
        said["annotations"] = [{"id": i, "image_id": i} | shape for i in range(len(names))]
        write_text(file, said)

    for part, count in (("train", 3), ("val", 2)):
        describe([f"{i}.png" for i in range(count)], tmp_path / f"two/{part}.json")
        for i in range(count):
            save(image(i), tmp_path / f"two/src/{part}/{i}.png")
    layout = recognise.find_layout(tmp_path / "two")
    found = [(pair.part, pair.image.parent.name) for pair in layout.pairs]
    assert found == [("train", "train")] * 3 + [("val", "val")] * 2
    names = ["train/0.png", "train/1.png", "test/2.png"]
    describe(names, tmp_path / "one/a.json")
    for i, name in enumerate(names):
        save(image(i), tmp_path / "one/images" / name)
    layout = recognise.find_layout(tmp_path / "one")
    assert [(pair.part, pair.stem) for pair in layout.pairs] == [("train", "0"), ("train", "1"), ("test", "2")]


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
