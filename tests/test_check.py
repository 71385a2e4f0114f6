import os
import re
import shutil

import numpy as np
import pytest
import tifffile
from conftest import save
from PIL import Image
from test_formats import write_bomb

import check
import data


def problems(dataset, fraction=0.2, crop=32):
    return check.dataset(dataset, fraction, crop)


def test_a_good_dataset_has_no_problems(dataset):
    assert problems(dataset) == []


def test_a_missing_folder(dataset):
    assert "nowhere: no such folder" in problems(dataset / "nowhere")[0]
    assert len(problems(dataset / "test")) == 2  # train/image and train/label


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
    Image.new("RGB", (40, 48)).save(train / "image" / "s3.png")
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


def break_range(train):
    replace_with_tiff(train / "image" / "s3.png", np.full((48, 40), 4095, "float32"))
    return r"image/s3.tif: floats have to lie between 0 and 1, found 4095 to 4095"


def break_sign(train):
    replace_with_tiff(train / "image" / "s3.png", np.full((48, 40), 4095, "int16"))
    return r"image/s3.tif: expected 8 or 16 bits without sign, or floats, found int16"


def break_stack(train):
    replace_with_tiff(train / "image" / "s3.png", np.zeros((7, 48, 40), "uint8"))
    return r"image/s3.tif: a stack of 7 images"


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
    return r"label/s3.jpg: holds \d+ values.*JPEG changes values; save labels as PNG"


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
    return r"train/image: 1 images cannot be split"


@pytest.mark.parametrize("breaking", [f for name, f in sorted(globals().items()) if name.startswith("break_")])
def test_each_fault_is_one_sentence_with_its_file(dataset, breaking):
    expected = breaking(dataset / "train")
    found = problems(dataset)
    assert len(found) == 1
    assert re.search(expected, found[0])


def test_all_faults_are_reported_at_once(dataset):
    break_orphan_image(dataset / "train")
    (dataset / "train" / "label" / "s1.png").write_text("no image")
    (dataset / "test" / "a.png").write_text("no image")
    assert len(problems(dataset, crop=64)) == 4


def test_unlabelled_test_images_are_checked(dataset):
    for file in (dataset / "test" / "label").iterdir():
        file.unlink()
    (dataset / "test" / "label").rmdir()
    assert problems(dataset) == []
    (dataset / "test" / "b.png").write_bytes(b"\x89PNG")
    assert "test/b.png: cannot be read" in problems(dataset)[0]


def test_test_images_need_no_label_each(dataset):
    (dataset / "test" / "label" / "a.png").unlink()
    assert problems(dataset) == []


def test_names_with_spaces_and_other_letters_and_foreign_files_are_no_problem(dataset):
    for part in ("image", "label"):
        (dataset / "train" / part / "s3.png").rename(dataset / "train" / part / "Zelle 3, größer, 細胞.png")
        (dataset / "train" / part / ".hidden.png").touch()
        (dataset / "train" / part / "notes.txt").touch()
        (dataset / "train" / part / "loop").symlink_to(dataset)
    assert problems(dataset) == []
    assert "train/image: 6 files; 6 of 48x40; 6 uint8 grey; 2 other files are ignored." in check.describe(
        dataset, check.survey(dataset)[0]
    )


def test_a_stack_may_be_predicted_but_not_trained_on(dataset):
    shutil.rmtree(dataset / "test" / "label")
    tifffile.imwrite(dataset / "test" / "c.tif", np.zeros((7, 48, 40), "uint8"))
    assert problems(dataset) == []


def test_colours_are_named(dataset):
    label = np.asarray(Image.open(dataset / "train" / "label" / "s3.png"))
    for file in (dataset / "train" / "label").iterdir():
        save(np.stack([label, label, 0 * label], -1), file)
    assert "#ffff00" in check.describe(dataset, check.survey(dataset)[0])


def test_each_side_of_a_pair_may_have_its_own_format(dataset):
    for file in (dataset / "train" / "image").iterdir():
        replace_with_tiff(file, np.asarray(Image.open(file)).astype(np.uint16) * 257)
    assert problems(dataset) == []


def test_command_line_says_what_is_there_and_what_is_wrong(dataset, capsys):
    assert data.main([str(dataset)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"train/label: 6 files; 6 of 48x40; 0: \d+\.\d%, 255: \d+\.\d%", printed)
    assert "No problems found" in printed
    before = sorted(dataset.rglob("*"))
    break_orphan_image(dataset / "train")
    assert data.main([str(dataset)]) == 2
    assert "s3.png: has no label" in capsys.readouterr().err
    assert len(sorted(dataset.rglob("*"))) == len(before) - 1
    assert data.main([str(dataset / "nowhere")]) == 2
    assert capsys.readouterr().err.count("no such folder") == 1


def add_class(folder, stem):
    """Give a third value, 7, to a corner of a label."""
    file = folder / f"{stem}.png"
    label = np.asarray(Image.open(file)).copy()
    label[:9, :9] = 7
    save(label, file)


def test_more_values_are_classes(dataset):
    add_class(dataset / "train" / "label", "s3")
    assert problems(dataset) == []


def test_a_class_that_is_only_held_out(dataset):
    add_class(dataset / "train" / "label", "s12")
    (problem,) = problems(dataset)
    assert "train/label: values 7 are only in the sections that are held out" in problem


def test_a_class_that_is_only_in_the_test_labels(dataset):
    add_class(dataset / "train" / "label", "s3")
    save(np.full((37, 53), 9, np.uint8), dataset / "test" / "label" / "a.png")
    (problem,) = problems(dataset)
    assert re.search(r"test/label/a.png: holds 9, which no label of .*train/label holds", problem)
