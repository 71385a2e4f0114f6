import json
import os
import re
import shutil

import numpy as np
import pytest
import tifffile
from helpers import draw_section, save, write_bomb
from PIL import Image

import data
from segmentation.files import checks, dataset, description, inventory, splits


def problems(cells, fraction=0.2, crop=32):
    return checks.find_problems(dataset.survey(cells), fraction, crop)


def test_a_good_dataset_has_no_problems(cells):
    assert problems(cells) == []


def test_a_missing_folder(cells):
    assert "nowhere: no such folder" in problems(cells / "nowhere")[0]
    assert len(problems(cells / "test")) == 2  # train/image and train/label


def break_orphan_image(train):
    (train / "label" / "s3.png").unlink()
    return r"image/s3.png: has no label"


def break_orphan_label(train):
    (train / "image" / "s3.png").unlink()
    return r"label/s3.png: has no image"


def break_size(train):
    save(np.eye(20, dtype=bool), train / "label" / "s3.png")
    return r"label/s3.png: its size \(20, 20\) is not that of its image, \(48, 40\)"


def break_empty_file(train):
    (train / "image" / "s3.png").write_bytes(b"")
    return r"image/s3.png: cannot be read"


def break_colour(train):
    Image.new("RGB", (40, 48), (9, 0, 0)).save(train / "image" / "s3.png")
    return r"image/s3.png: is in colour, .*s1.png is grey; save all images"


def break_text_file(train):
    (train / "image" / "s3.png").write_text("These are no pixels.")
    return r"image/s3.png: cannot be read as an image"


def break_truncated_file(train):
    file = train / "label" / "s3.png"
    file.write_bytes(file.read_bytes()[:70])
    return r"label/s3.png: cannot be read as an image"


def break_bomb(train):
    write_bomb(train / "image" / "s3.png")
    return r"image/s3.png: cannot be read .*pixels are more than"


def replace_with_tiff(file, array):
    file.unlink()
    tifffile.imwrite(file.with_suffix(".tif"), array)


def break_nan(train):
    replace_with_tiff(train / "image" / "s3.png", np.full((48, 40), np.nan, "float32"))
    return r"image/s3.tif: holds values that are no finite numbers"


def break_infinite(train):
    replace_with_tiff(train / "image" / "s3.png", np.full((48, 40), np.inf, "float32"))
    return r"image/s3.tif: holds values that are no finite numbers"


def break_stack(train):
    replace_with_tiff(train / "image" / "s3.png", np.zeros((7, 48, 40), "uint8"))
    return r"label/s3.png: has 1 pages where its image has 7; a stack needs a label a page"


def break_fractions(train):
    replace_with_tiff(train / "label" / "s3.png", np.full((48, 40), 0.5, "float32"))
    return r"label/s3.tif: its values are no whole numbers"


def break_label_that_is_the_image(train):
    shutil.copy(train / "image" / "s3.png", train / "label" / "s3.png")
    return r"label/s3.png: is the image itself"


def break_duplicate_in_test(train):
    shutil.copy(train / "image" / "s3.png", train.parent / "test" / "c.png")
    return r"test/c.png: is the training image .*s3.png again"


def break_jpeg_label(train):
    file = train / "label" / "s3.png"
    with Image.open(file) as label:
        label.save(file.with_suffix(".jpg"), quality=50)
    file.unlink()
    return r"label/s3.jpg: holds \d+ values.*JPEG has changed its values; save it anew as PNG"


def break_two_of_one_stem(train):
    shutil.copy(train / "image" / "s3.png", train / "image" / "s3.bmp")
    return r"image/s3.(png|bmp): has the same stem as .*s3.(bmp|png)"


def break_symlink_loop(train):
    (train / "image" / "s3.png").unlink()
    (train / "image" / "s3.png").symlink_to("s3.png")
    return r"image/s3.png: cannot be read as an image"


def break_permissions(train):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (train / "image" / "s3.png").chmod(0)
    return r"image/s3.png: cannot be read as an image"


def break_many_values(train):
    save(np.arange(48 * 40, dtype=np.uint8).reshape(48, 40), train / "label" / "s3.png")
    return r"label/s3.png: holds 256 values"


def break_one_value(train):
    for file in (train / "label").iterdir():
        save(np.full((48, 40), 255, np.uint8), file)
    return r"train/label: all labels hold the one value 255"


def break_crop(train):
    for part in ("image", "label"):
        save(np.eye(30, dtype=bool), train / part / "s3.png")
    return r"image/s3.png: its 30x30 pixels are less than --crop 32"


def break_count(train):
    for part in ("image", "label"):
        for name in ("s2", "s3", "s4", "s10", "s12"):
            (train / part / f"{name}.png").unlink()
    return r"train/image: one image cannot be split"


@pytest.mark.parametrize("breaking", [f for name, f in sorted(globals().items()) if name.startswith("break_")])
def test_each_fault_is_one_sentence_with_its_file(cells, breaking):
    expected = breaking(cells / "train")
    found = problems(cells)
    assert len(found) == 1
    assert re.search(expected, found[0])


def test_all_faults_are_reported_at_once(cells):
    break_orphan_image(cells / "train")
    (cells / "train" / "label" / "s1.png").write_text("no image")
    (cells / "test" / "a.png").write_text("no image")
    assert len(problems(cells, crop=64)) == 3, "two files cannot be read for the same reason"


def test_unlabelled_test_images_are_checked(cells):
    for file in (cells / "test" / "label").iterdir():
        file.unlink()
    (cells / "test" / "label").rmdir()
    assert problems(cells) == []
    (cells / "test" / "b.png").write_bytes(b"\x89PNG")
    assert "test/b.png: cannot be read" in problems(cells)[0]


def test_test_images_need_no_label_each(cells):
    (cells / "test" / "label" / "a.png").unlink()
    assert problems(cells) == []


def test_names_with_spaces_and_other_letters_and_foreign_files_are_no_problem(cells):
    for part in ("image", "label"):
        (cells / "train" / part / "s3.png").rename(cells / "train" / part / "Zelle 3, größer, 細胞.png")
        (cells / "train" / part / ".hidden.png").touch()
        (cells / "train" / part / "notes.txt").touch()
        (cells / "train" / part / "loop").symlink_to(cells)
    assert problems(cells) == []
    described = inventory.describe(dataset.survey(cells))
    assert "train/image: 6 files; 6 of 48x40; 6 uint8 grey; 1 other file is ignored (notes.txt)." in described


def test_a_stack_may_be_predicted_but_not_trained_on(cells):
    shutil.rmtree(cells / "test" / "label")
    tifffile.imwrite(cells / "test" / "c.tif", np.zeros((7, 48, 40), "uint8"))
    assert problems(cells) == []


def test_colours_are_named(cells):
    label = np.asarray(Image.open(cells / "train" / "label" / "s3.png"))
    for file in (cells / "train" / "label").iterdir():
        save(np.stack([label, label, 0 * label], -1), file)
    assert "#ffff00" in inventory.describe(dataset.survey(cells))


def test_each_side_of_a_pair_may_have_its_own_format(cells):
    for file in (cells / "train" / "image").iterdir():
        replace_with_tiff(file, np.asarray(Image.open(file)).astype(np.uint16) * 257)
    assert problems(cells) == []


def test_command_line_says_what_is_there_and_what_is_wrong(cells, capsys):
    assert data.main([str(cells)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"train/label: 6 files; 6 of 48x40; 0: \d+\.\d%, 255: \d+\.\d%", printed)
    assert "No problems found" in printed
    before = sorted(cells.rglob("*"))
    break_orphan_image(cells / "train")
    assert data.main([str(cells)]) == 2
    assert "s3.png: has no label" in capsys.readouterr().err
    assert len(sorted(cells.rglob("*"))) == len(before) - 1
    assert data.main([str(cells / "nowhere")]) == 2
    assert capsys.readouterr().err.count("no such folder") == 1


def add_class(folder, stem):
    """Give a third value, 7, to a corner of a label."""
    file = folder / f"{stem}.png"
    label = np.asarray(Image.open(file)).copy()
    label[:9, :9] = 7
    save(label, file)


def test_more_values_are_classes(cells):
    add_class(cells / "train" / "label", "s3")
    assert problems(cells) == []


def test_a_class_that_is_only_held_out(cells):
    add_class(cells / "train" / "label", "s12")
    (problem,) = problems(cells)
    assert "train/label: what is trained on holds no pixel of 7" in problem


def test_a_class_that_is_only_in_the_test_labels(cells):
    add_class(cells / "train" / "label", "s3")
    save(np.full((37, 53), 9, np.uint8), cells / "test" / "label" / "a.png")
    (problem,) = problems(cells)
    assert re.search(r"test/label/a.png: holds 9, which no label of .*train/label holds", problem)


def test_labels_among_the_test_images_are_no_test_images(cells):
    shutil.copytree(cells / "test/label", cells / "test/truth")
    (problem,) = dataset.survey(cells).problems
    text = f"has the names of the images in {cells}/test; move labels to {cells}/test/label, or this away."
    assert problem == f"{cells}/test/truth: {text}"
    shutil.rmtree(cells / "test/truth")
    for name in ("a", "b"):  # which are images, not labels, of the same names
        save(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8), cells / f"test/later/{name}.png")
    assert not dataset.survey(cells).problems
    shutil.copy(cells / "test/label/a.png", cells / "test/a_mask.png")
    (problem,) = dataset.survey(cells).problems
    assert problem.startswith(
        f"{cells}/test/a_mask.png: seems to be a label, as 1 of the test images do; move labels to"
    )


def test_images_that_are_named_like_what_is_written_are_named(cells):
    for part in ("image", "label"):
        (cells / "train" / part / "s3.png").rename(cells / "train" / part / "s3_probability.png")
    file, text = cells / "train/image/s3_probability.png", "is left out: such are the names that predict.py gives"
    note = next(note for note in dataset.survey(cells).notes if text in note)
    assert note == f"{file}: {text}; rename it. So it is with 1 more: {cells / 'train/label/s3_probability.png'}."


def test_a_blank_image_whose_label_is_not_is_named(cells):
    images, labels = cells / "train/image", cells / "train/label"
    save(np.zeros((48, 40), np.uint8), images / "s3.png")
    assert dataset.survey(cells).warnings == (f"{images}/s3.png: is blank, but its label {labels}/s3.png is not.",)


def test_an_image_of_another_range_than_all_others_is_named(tmp_path):
    for i in range(20):
        image, label = draw_section(np.random.default_rng(i))
        (tmp_path / "train/image").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / f"train/image/{i}.tif", image / np.float32(255 if i != 7 else 1))
        save(label, tmp_path / f"train/label/{i}.png")
    (warning,) = dataset.survey(tmp_path).warnings
    assert warning.startswith(f"{tmp_path}/train/image/7.tif: spans 8 times as many grey values as is usual here")


def test_a_label_on_its_side_is_said_to_lie_so(cells):
    file = cells / "train/label/s1.png"
    Image.open(file).transpose(Image.Transpose.ROTATE_90).save(file)
    assert "image, (48, 40); it lies on its side: turn it as its image is shown." in dataset.survey(cells).problems[0]


def test_split_holds_out_the_last_block():
    assert splits.hold_out([str(i) for i in range(30)], 0.2) == (list(range(24)), list(range(24, 30)))
    assert splits.hold_out(["a", "b", "c", "d"], 0.01) == ([0, 1, 2], [3])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            {"labels": {"a": 0, "b": 255}, "ignore": 1},
            '"ignore" is not read there; write {"labels": {..., "ignore": 1}}',
        ),
        ({"labels": {"a": 0, "b": 255}, "ignore_index": 1}, '"ignore_index" is not read there'),
        ({"lables": {"a": 0, "b": 255}}, '"lables" is not read; is "labels" meant?'),
        ({"channel_name": {"0": "red"}}, '"channel_name" is not read; is "channel_names" meant?'),
    ],
)
def test_what_is_meant_for_dataset_json_and_not_read_is_said(said, text, tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps(said))
    with pytest.raises(ValueError) as error:
        description.read_description(tmp_path)
    assert text in str(error.value)
    (tmp_path / "dataset.json").write_text(json.dumps({"numTraining": 3, "file_ending": ".png", "name": "x"}))
    assert description.read_description(tmp_path).values == {}
