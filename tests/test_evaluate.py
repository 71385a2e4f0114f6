import os
import re
import subprocess
import sys

import keras
import numpy as np
import tifffile
from helpers import REPOSITORY, SMALL, draw_discs, run_epochs, save, small_network
from PIL import Image

import evaluate
from segmentation.training import runs


def bits(*rows):
    return np.array([[character == "1" for character in row] for row in rows])


LABEL = bits("1100", "1100")
MASK = bits("1000", "1110")


def test_command_prints_a_row_an_image_and_the_mean(tmp_path, capsys):
    for stem, mask in (("2", LABEL), ("10", MASK)):
        save(LABEL, tmp_path / "label" / f"{stem}.png")
        save(mask, tmp_path / "out" / f"{stem}_predict.png")
    assert evaluate.main([str(tmp_path / "out"), str(tmp_path / "label")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["accuracy", "2", "10", "mean"]
    assert [float(line.split()[1]) for line in lines[1:]] == [1, 0.75, 0.875]


def test_command_names_what_is_missing(tmp_path, capsys):
    save(LABEL, tmp_path / "label" / "7.png")
    assert evaluate.main([str(tmp_path), str(tmp_path / "label")]) == 2
    assert "no mask 7_predict.png" in capsys.readouterr().err
    save(MASK[:1], tmp_path / "7.png")
    assert evaluate.main([str(tmp_path), str(tmp_path / "label")]) == 2
    assert "7.png: its size (1, 4)" in capsys.readouterr().err


def test_what_more_images_would_bring_is_told_and_a_stopped_command_goes_on(cells, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["more", str(cells), "--", *SMALL, "--learning-rate", "0.05", "--epochs", "1", "--steps-per-epoch", "10"]
    stopped = []

    def stop(recipe, options, *pairs):
        stopped.append(options.run.name)
        if len(stopped) == 3:
            raise KeyboardInterrupt
        return train_once(recipe, options, *pairs)

    train_once = evaluate.train_once
    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "train_once", stop)
        assert evaluate.main(command) == 130
    assert stopped == ["1", "2", "5"] and "Stopped." in capsys.readouterr().err
    written = (tmp_path / "runs/more/cells/1/history.csv").stat().st_mtime_ns
    assert evaluate.main(command) == 0
    assert (tmp_path / "runs/more/cells/1/history.csv").stat().st_mtime_ns == written
    printed = capsys.readouterr().out
    assert "With 10 images in place of 5, 0_iou would be 0." in printed
    assert "1 images" in printed and "5 images" in printed
    rows = (tmp_path / "runs/more/cells/more.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["images", "1", "2", "5"]
    assert (tmp_path / "runs/more/cells/more.png").is_file()
    # predict.py goes on taking the network that main.py has trained last.
    assert runs.find_latest("runs") is None
    assert evaluate.main([*command, "--width", "6"]) == 2
    assert "--width 6: the run in runs/more/cells/1 has 4" in capsys.readouterr().err
    assert evaluate.main(["more", str(cells), "--", "--folds", "2"]) == 2
    assert "--folds: is main.py's alone" in capsys.readouterr().err
    assert evaluate.main(["more", str(cells), "--out", "other", "--", "--data", "nowhere"]) == 2
    assert "--data: is main.py's alone" in capsys.readouterr().err
    assert evaluate.main(["more", "nowhere"]) == 2


def test_runs_are_compared_in_one_picture_and_one_table(tmp_path, capsys, pictures):
    for name, accuracy in (("a", 0.8), ("b", 0.9)):
        (tmp_path / name).mkdir()
        run_epochs(tmp_path / name, small_network(2), [], 2)
        keras.utils.set_random_seed(0)
        runs.close_run(tmp_path / name, {"seed": 0}, scores={"held out": {"accuracy": accuracy}})
    out = tmp_path / "comparison.png"
    assert evaluate.main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["accuracy"]
    assert printed[1].endswith("0.8000")
    assert printed[2].endswith("0.9000")
    with Image.open(out) as picture:
        assert picture.width > 800
    (tmp_path / "both").mkdir()
    runs.close_run(tmp_path / "both", {"seed": 0, "folds": 2, "fold": None}, scores={})
    for number, name in enumerate("ab", start=1):
        (tmp_path / name).rename(tmp_path / "both" / f"fold{number}")
    assert evaluate.main(["compare", str(tmp_path / "both"), "--out", str(out)]) == 0
    assert evaluate.main(["compare", str(tmp_path / "none")]) == 2
    assert "none: no history.csv" in capsys.readouterr().err


def test_scoring_needs_no_keras(tmp_path):
    for folder in ("masks", "labels"):
        save(LABEL, tmp_path / folder / "a.png")
    code = (
        "import sys, evaluate\n"
        "from segmentation.scores import isbi2012, pixels, tables\n"
        "assert evaluate.main(sys.argv[1:]) == 0\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "masks", tmp_path / "labels"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mean" in done.stdout


def test_masks_of_other_values_than_the_labels_are_not_scored(tmp_path, capsys):
    numbers = draw_discs(0)[1]
    save(np.uint8(numbers), tmp_path / "mask/a.png")
    save(numbers > 0, tmp_path / "label/a.png")
    command = [str(tmp_path / "mask"), str(tmp_path / "label")]
    assert evaluate.main(command) == 2
    assert "mask/a.png: masks hold 0, 1, 2, 3, labels 0, 255; write masks in the values" in capsys.readouterr().err
    save(np.uint8(numbers % 3), tmp_path / "label/a.png")
    save(np.uint8(numbers % 3 + 1), tmp_path / "mask/a.png")
    assert evaluate.main(command) == 0
    assert "masks hold 3, which no label does." in capsys.readouterr().out


def test_a_mask_of_one_of_the_labels_own_values_means_what_it_does_there(tmp_path, capsys):
    for stem, label in (
        ("a", np.uint8(LABEL) + 1),
        ("b", np.ones((2, 4), np.uint8)),
        ("c", np.full((2, 4), 2, np.uint8)),
    ):
        save(label, tmp_path / f"{stem}.png")
    assert evaluate.main([str(tmp_path), str(tmp_path)]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()][-1] == ["mean", "1.0000"]


def test_a_mask_of_one_value_means_what_it_does_in_other_masks(tmp_path, capsys):
    for stem, inside in (("a", LABEL), ("b", np.zeros_like(LABEL)), ("c", np.ones_like(LABEL))):
        save(inside, tmp_path / "label" / f"{stem}.png")
        save(np.uint8(1 + inside), tmp_path / "masks" / f"{stem}.png")
    command = [str(tmp_path / "masks"), str(tmp_path / "label")]
    assert evaluate.main(command) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()][-1] == ["mean", "1.0000"]
    save(np.ones((2, 4), np.uint8), tmp_path / "label" / "b.png")
    assert evaluate.main(command) == 2
    assert "b.png: holds 1 alone, where others hold 0 and 255" in capsys.readouterr().err


def test_masks_of_two_codings_are_each_read_by_their_own(tmp_path, capsys):
    labels = {"a": LABEL, "b": MASK, "c": np.ones_like(LABEL)}
    for codings in ([255, 255, 255], [255, 1, 255]):
        for (stem, inside), high in zip(labels.items(), codings, strict=True):
            save(np.uint8(inside * high), tmp_path / "label" / f"{stem}.png")
            save(np.uint8(inside * (1 if stem != "c" else 255)), tmp_path / "masks" / f"{stem}.png")
        assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "label")]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "mean_iou" not in " ".join(lines) and lines[-1].split()[:2] == ["mean", "1.0000"]
    save(np.uint8(LABEL) * 255, tmp_path / "masks" / "a.png")
    save(np.uint8(MASK) * 255, tmp_path / "masks" / "b.png")
    save(np.ones((2, 4), np.uint8), tmp_path / "masks" / "c.png")
    assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "label")]) == 2
    assert "masks/c.png: holds 1 alone, where others hold 0 and 255" in capsys.readouterr().err


def test_masks_that_number_objects_are_scored_as_labels_that_do(tmp_path, capsys):
    for i in range(2):
        numbers = draw_discs(i, count=12, radii=(4, 7))[1].astype(np.uint16)
        for folder in ("label", "masks"):
            tifffile.imwrite(tmp_path / f"{folder}{i}.tif", numbers)
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / f"{folder}{i}.tif").rename(tmp_path / folder / f"{i}.tif")
    (tmp_path / "masks" / "7.tif").write_bytes((tmp_path / "masks" / "0.tif").read_bytes())
    assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "label"), "--objects"]) == 0
    out = capsys.readouterr().out
    assert "SEG 1.0000" in out and "IoU 0.9       1.0000  1.0000  1.0000       1.0000" in out
    assert "7.tif: without a label, not scored." in out
    border = np.where(numbers > 0, 1, 0) + (np.roll(numbers, 1, 0) != numbers)  # which is no object
    tifffile.imwrite(tmp_path / "masks" / "1.tif", np.uint8(border))
    assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "label"), "--objects"]) == 2
    assert "1.tif: holds 2 more values than the two of a mask" in capsys.readouterr().err
    (tmp_path / "masks" / "1.tif").unlink()
    assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "label"), "--objects"]) == 2
    assert "no mask such as 0.tif for the label" in capsys.readouterr().err


def test_specks_of_masks_are_named_and_may_be_left_out(tmp_path, capsys):
    label = draw_discs(0, count=12, radii=(4, 7))[1] > 0
    mask = label.copy()
    mask[0, 0] = mask[0, 2] = mask[-1, -1] = True
    save(label, tmp_path / "label" / "a.png")
    save(mask, tmp_path / "masks" / "a.png")
    command = [str(tmp_path / "masks"), str(tmp_path / "label")]
    assert evaluate.main(command) == 0
    out = capsys.readouterr().out
    specks = re.search(r"(\d) objects .* of fewer than (\d+) pixels: --smallest \2 does not count them", out)
    count = int(specks[1])
    assert 0 < count <= 3 and not re.search("IoU 0.5 +1.0000 +1.0000 +1.0000", out)
    assert evaluate.main([*command, "--smallest", specks[2]]) == 0
    out = capsys.readouterr().out
    assert re.search("IoU 0.5 +1.0000 +1.0000 +1.0000", out) and "--smallest" not in out


def draw_maps(folder, *, strip=0.0):
    """Masks, maps and labels of many objects, in which a strip of 14 columns is not labelled, 128; their folders."""
    for i in range(2):
        inside = draw_discs(i, count=12, radii=(4, 7))[1] > 0
        label = np.where(inside, 255, 0).astype(np.uint8)
        label[:, :14] = 128
        save(label, folder / "label" / f"{i}.png")
        save(inside, folder / "masks" / f"{i}_predict.png")
        probability = np.where(inside, 0.8, 0.1).astype("float32")
        probability[:, :14] = strip
        tifffile.imwrite(folder / "masks" / f"{i}_probability.tif", probability)
    return [str(folder / name) for name in ("masks", "label")]


def test_maps_count_nowhere_where_nothing_is_labelled(tmp_path, capsys):
    printed = []
    for strip in (0.0, 1.0):
        assert evaluate.main([*draw_maps(tmp_path, strip=strip), "--ignore", "128"]) == 0
        printed.append(capsys.readouterr().out.splitlines()[-1])
    assert printed[0] == printed[1]
    assert printed[0].endswith("pixel error 0.0000")


def test_maps_that_do_not_fit_or_are_of_another_prediction_are_named(tmp_path, capsys):
    places = draw_maps(tmp_path)
    file = tmp_path / "masks" / "1_probability.tif"
    os.utime(file, (1, 1))
    assert evaluate.main([*places, "--ignore", "128"]) == 0
    assert (
        f"{file} is older than its mask, and perhaps of another network: maps are not scored."
        in capsys.readouterr().out
    )
    tifffile.imwrite(file, np.zeros((60, 64), "float32"))
    assert evaluate.main([*places, "--ignore", "128"]) == 2
    assert f"{file}: its shape (1, 60, 64) is not that of" in capsys.readouterr().err


def read_accuracies(capsys):
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return [float(line[1]) for line in lines if line[:1] and line[0] in ("1", "2")]


def test_a_mask_of_one_value_is_read_by_what_all_masks_hold(tmp_path, capsys):
    for coded, (low, high), labelled in (("ones", (1, 2), (0, 1)), ("twos", (0, 1), (1, 2))):
        for stem, mask in (("1", LABEL), ("2", np.zeros_like(LABEL) if low else ~np.zeros_like(LABEL))):
            save(np.where(LABEL, *reversed(labelled)).astype(np.uint8), tmp_path / coded / f"label/{stem}.png")
            save(np.where(mask, high, low).astype(np.uint8), tmp_path / coded / f"out/{stem}.png")
        assert evaluate.main([str(tmp_path / coded / "out"), str(tmp_path / coded / "label")]) == 0
        assert read_accuracies(capsys) == [1, 0.5]


def test_what_was_guessed_of_masks_is_printed_and_nearly_white_is_white(tmp_path, capsys):
    for stem, white in (("1", 254), ("2", 255)):
        save(LABEL, tmp_path / f"label/{stem}.png")
        save(np.uint8(LABEL) * np.uint8(white), tmp_path / f"out/{stem}.png")
        (tmp_path / "bits").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / f"bits/{stem}.tif", MASK)
    assert evaluate.main([str(tmp_path / "out"), str(tmp_path / "label")]) == 0
    assert read_accuracies(capsys) == [1, 1]
    assert evaluate.main([str(tmp_path / "bits"), str(tmp_path / "label")]) == 0
    assert "1.tif: its bits are WhiteIsZero: 0 is read as white" in capsys.readouterr().out
