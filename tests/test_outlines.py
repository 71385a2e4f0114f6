"""Outlines as labels: LabelMe's and COCO's JSON."""

import base64
import json

import numpy as np
import pytest
from drawing import (
    SIZE,
    WHITE,
    bring,
    convert_all,
    count_parts,
    draw_coco,
    draw_folders,
    draw_labelme,
    image,
    outline,
    read_labels,
    read_said,
    write_text,
)
from helpers import save

import data
from segmentation.files import checks, dataset, images
from segmentation.sources import convert, recognise


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


def test_an_image_that_is_embedded_in_its_outlines(tmp_path):
    draw_labelme(tmp_path / "source")
    file = tmp_path / "source" / "field1.json"
    said = json.loads(file.read_text())
    said["imageData"] = base64.b64encode((tmp_path / "source" / "field1.jpg").read_bytes()).decode()
    write_text(file, said)
    (tmp_path / "source" / "field1.jpg").unlink()
    found, _ = convert_all(tmp_path / "source", tmp_path)
    assert list(found.parts["train"].pairs) == ["field0", "field1", "field2"]


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


def test_a_part_of_labelme_may_be_named_in_any_way(tmp_path):
    for place, i in (("train_images", 0), ("train_images", 1), ("test_images", 2)):
        save(image(i), tmp_path / place / f"{i}.png")
        shape = {"label": "cell", "points": [[5, 5], [30, 5], [5, 25]]}
        write_text(tmp_path / place / f"{i}.json", {"imagePath": f"{i}.png", "shapes": [shape]})
    assert count_parts(tmp_path) == (2, 0, 1)


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


def test_numbers_of_coco_may_be_floats_and_entries_may_repeat(tmp_path):
    entry = {"id": 1.0, "file_name": "1.png", "height": float(SIZE[0]), "width": float(SIZE[1])}
    shape = {"id": 1, "image_id": 1.0, "category_id": 1.0, "segmentation": [[5, 5, 30, 5, 5, 25]]}
    said = {"images": [entry, entry], "annotations": [shape], "categories": [{"id": 1, "name": 7}]}
    save(image(1), tmp_path / "1.png")
    write_text(tmp_path / "a.json", said)
    (pair,) = recognise.find_layout(tmp_path).pairs
    assert pair.label().max() == 255


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
