"""Labels of more than two values, from the files through training to masks and scores."""

import json

import numpy as np
import pytest
import tifffile
from helpers import SMALL
from PIL import Image

import evaluate
import main
import predict
from segmentation.files import checks, classes, dataset, labels, meanings
from segmentation.scores import tables

VALUES = np.array([0, 3, 7], np.uint8)
PALETTE = [0, 0, 0] * 3 + [200, 30, 30] * 4 + [30, 200, 30]


def draw(rng):
    """An image of three greys and its classes, in squares."""
    classes = np.kron(rng.integers(0, 3, (6, 5)), np.ones((8, 8), int)).astype(np.uint8)
    return np.uint8(20 + 100 * classes + rng.integers(0, 10, classes.shape)), classes


def save_indexed(path, classes):
    image = Image.fromarray(VALUES[classes])
    image.putpalette(PALETTE)
    image.save(path)


def save_grey(path, classes):
    Image.fromarray(VALUES[classes]).save(path)


def save_coloured(path, classes):
    Image.fromarray(np.reshape(PALETTE, (-1, 3)).astype(np.uint8)[VALUES[classes]]).save(path)


@pytest.fixture(params=[save_indexed, save_grey, save_coloured])
def squares(request, tmp_path):
    """Six training images and two test images, with labels in three classes."""
    rng = np.random.default_rng(0)
    for image_part, label_part, count in (("train/image", "train/label", 6), ("test", "test/label", 2)):
        for folder in (image_part, label_part):
            (tmp_path / "squares" / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image, classes = draw(rng)
            Image.fromarray(image).save(tmp_path / "squares" / image_part / f"{i}{image_part[:2]}.png")
            request.param(tmp_path / "squares" / label_part / f"{i}{image_part[:2]}.png", classes)
    return tmp_path / "squares"


def test_three_classes_from_files_to_scored_masks(squares, graphs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert checks.find_problems(dataset.survey(squares), 0.2, 32) == []
    options = ["--steps-per-epoch", "30", "--learning-rate", "0.02"]
    assert main.main(["--data", str(squares), *SMALL, *options]) == 0
    scores = json.loads((tmp_path / "runs" / "squares" / "run.json").read_text())["scores"]["test"]
    assert scores["accuracy"] > scores["constant"]
    assert scores["mean_iou"] == pytest.approx(
        np.mean([scores[name] for name in scores if name.endswith("_iou") and name != "mean_iou"])
    )
    assert len(scores) == 3 + 2 * 3
    with Image.open(squares / "test" / "0te_predict.png") as mask, Image.open(squares / "test/label/0te.png") as label:
        if label.mode == "P":
            assert mask.getpalette()[: len(PALETTE)] == PALETTE
            assert set(np.unique(mask)) <= set(VALUES.tolist())
        # In its own colours or greys the mask looks like the label.
        seen, meant = (np.asarray(picture.convert("RGB")) for picture in (mask, label))
        assert np.mean(np.all(seen == meant, axis=-1)) == pytest.approx(
            tables.score_folder(squares / "test", squares / "test/label", read_classes(squares))[0]["0te"]["accuracy"]
        )
    assert "mean_iou" in (tmp_path / "runs/squares/history.csv").read_text()
    network = ["--model", "runs/squares/model.keras", "--out", "again", "--probability"]
    assert predict.main([str(squares / "test"), *network]) == 0
    assert (tmp_path / "again/0te_predict.png").read_bytes() == (squares / "test/0te_predict.png").read_bytes()
    maps = tifffile.imread(tmp_path / "again/0te_probability.tif")
    assert maps.shape == (3, 48, 40)
    np.testing.assert_allclose(maps.sum(0), 1, atol=1e-5)
    capsys.readouterr()
    assert evaluate.main(["again", str(squares / "test/label")]) == 0
    assert "mean_iou" in capsys.readouterr().out


def find_classes(*files):
    """What the labels in files mean."""
    return meanings.find_classes({file: labels.survey(labels.read_label(file)) for file in files}).classes


def read_classes(folder):
    """What the labels of a dataset mean."""
    return dataset.survey(folder).classes


def test_classes_are_numbered_by_rising_values(tmp_path):
    save_grey(tmp_path / "a.png", np.array([[2, 0], [0, 2]]))
    save_grey(tmp_path / "b.png", np.array([[1, 0]]))
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    known = find_classes(*files)
    assert known.values == (0, 3, 7)
    first, second = (classes.classify(labels.read_label(file), known)[0] for file in files)
    assert first.tolist() == [[2, 0], [0, 2]]
    assert second.tolist() == [[1, 0]]


def test_a_mask_of_unknown_values_counts_as_wrong(tmp_path):
    for folder, numbers in (("masks", [[0, 1, 2, 2]]), ("labels", [[0, 1, 2, 0]])):
        (tmp_path / folder).mkdir()
        save_grey(tmp_path / folder / "a.png", np.array(numbers))
    Image.fromarray(np.uint8([[0, 3, 7, 9]])).save(tmp_path / "masks" / "a.png")
    known = find_classes(tmp_path / "labels" / "a.png")
    rows, _ = tables.score_folder(tmp_path / "masks", tmp_path / "labels", known)
    assert rows["a"]["accuracy"] == 3 / 4
    assert rows["a"]["0_iou"] == 1 / 2


def test_palettes_are_kept_and_colours_become_one(tmp_path):
    classes = np.array([[0, 1, 2]])
    save_indexed(tmp_path / "i.png", classes)
    save_grey(tmp_path / "g.png", classes)
    save_coloured(tmp_path / "c.png", classes)
    assert find_classes(tmp_path / "i.png").palette[: len(PALETTE)] == tuple(PALETTE)
    assert find_classes(tmp_path / "g.png").palette is None
    assert find_classes(tmp_path / "c.png").palette == (0, 0, 0, 30, 200, 30, 200, 30, 30)
