import re

import keras
import numpy as np
import pytest
from conftest import save
from PIL import Image

import batches
import check


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
    return r"image/s3.png: expected an 8-bit grey image"


def break_many_values(train):
    save(np.arange(48 * 40, dtype=np.uint8).reshape(48, 40), train / "label" / "s3.png")
    return r"label/s3.png: holds 256 values"


def break_third_value(train):
    save(np.full((48, 40), 7, np.uint8), train / "label" / "s3.png")
    return r"train/label: the labels hold \[0, 7, 255\] between them"


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


def test_writable(tmp_path):
    assert check.writable(tmp_path / "new" / "folder") == []
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    assert "file: cannot be written to" in check.writable(tmp_path / "file" / "run")[0]


class Answer(keras.layers.Layer):
    """Answers every pixel with the image, or with one number."""

    def __init__(self, number=None):
        super().__init__()
        self.number = number

    def call(self, image):
        return image if self.number is None else 0 * image + self.number


@pytest.mark.parametrize(("answer", "accuracy", "said"), [(None, 0.9, 0), (None, 0.75, 1), (0.3, 0.9, 1)])
def test_a_network_that_learned_nothing_is_said_to_in_one_line(answer, accuracy, said, capsys):
    label = np.array([[True, True], [True, False]])
    network = keras.Sequential([keras.layers.Input((None, None, 1)), Answer(answer)])
    watch = check.Learning(batches.Sections([label[..., np.newaxis].astype("float32")], [label], 2))
    watch.set_model(network)
    watch.on_epoch_end(0, {"val_accuracy": accuracy})
    printed = capsys.readouterr().out
    assert printed.strip().count("\n") == 0
    assert printed.count(f"accuracy {accuracy:.4f}") == said
    watch.on_epoch_end(1, {"val_accuracy": accuracy})
    assert not capsys.readouterr().out
