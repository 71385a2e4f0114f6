import subprocess
import sys

import keras
import numpy as np
from helpers import REPOSITORY, run_epochs, save, small_network
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
