"""Datasets of others as they lie on disk, drawn small, and what `data.py` makes of them."""

import json

import numpy as np
import tifffile
from helpers import save
from PIL import Image

from segmentation.files import checks, classes, dataset, labels
from segmentation.sources import convert, recognise

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


def convert_all(source, tmp_path):
    out = tmp_path / "new"
    text = convert.convert([source], out)
    found = dataset.survey(out)
    assert not checks.find_problems(found, fraction=0.5)
    return found, text


def count_parts(source):
    """How many pairs of each part a folder has, in order: tuple."""
    found = [pair.part for pair in recognise.find_layout(source).pairs]
    return tuple(found.count(part) for part in ("train", "val", "test"))
