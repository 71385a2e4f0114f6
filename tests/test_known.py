"""Layouts as public data sets have them on disk, drawn anew with a few tiny images each."""

import textwrap

import numpy as np
import pytest
import tifffile
from drawing import (
    NUMBERS,
    PARTED,
    SIZE,
    WHITE,
    bring,
    convert_all,
    draw_drive,
    draw_nnunet,
    image,
    read_labels,
    read_said,
    write_text,
    write_tiff,
)
from helpers import REPOSITORY, save

import data
from segmentation.files import checks, dataset, labels, looking
from segmentation.sources import convert, known, layouts, recognise

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


def test_gold_labels_of_one_slice_belong_to_that_page(tmp_path):
    source = tmp_path / "source"
    write_tiff(source / "01/t000.tif", np.stack([image(i, 1) for i in range(5)]), photometric="minisblack")
    write_tiff(source / "01_GT/SEG/man_seg_000_003.tif", NUMBERS)
    convert.convert([source], tmp_path / "new")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "new/train/image/01/t000_003.tif"), image(3, 1))


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


def test_a_stem_that_leads_outside_is_refused(tmp_path, monkeypatch):
    save(image(0), tmp_path / "a.png")
    layout = layouts.Layout("bad", pairs=[layouts.Pair("train", "../a", tmp_path / "a.png", tmp_path / "a.png")])
    monkeypatch.setattr(recognise, "find_layout", lambda folder: layout)
    with pytest.raises(ValueError, match="outside of"):
        convert.convert([tmp_path / "source"], tmp_path / "new")


def test_classes_of_ones_own_in_the_layout_of_voc(tmp_path):
    source = tmp_path / "source"
    for i in range(3):
        save(image(i), source / "JPEGImages" / f"{i}.jpg")
        save(np.uint8(WHITE), source / "SegmentationClass" / f"{i}.png")
    write_text(source / "class_names.txt", "__ignore__\n_background_\nweed\n")
    found, _ = convert_all(source, tmp_path)
    assert found.classes.names == ("background", "weed")


def test_known_layouts_further_down_are_named(tmp_path):
    for name in ("Dataset001_A", "Dataset002_B"):
        draw_nnunet(tmp_path / "raw" / name)
    with pytest.raises(ValueError, match=r"in it .*Dataset001_A is laid out as nnU-Net's raw data"):
        recognise.find_layout(tmp_path)


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


def test_others_images_do_not_get_the_classes_of_voc_and_camvid(tmp_path):
    for i in range(3):
        save(image(i), tmp_path / f"VOCdevkit/VOC2007/JPEGImages/cell_{i:03}.jpg")
        save(WHITE, tmp_path / f"VOCdevkit/VOC2007/SegmentationClass/cell_{i:03}.png")
        for folder, content in (("train", image(i)), ("trainannot", WHITE)):
            save(content, tmp_path / "streets" / folder / f"cell_{i}.png")
    for source in (tmp_path / "VOCdevkit", tmp_path / "streets"):
        layout = recognise.find_layout(source)
        assert (layout.labels, "names it does not tell" in layout.name) == ({}, True)


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
