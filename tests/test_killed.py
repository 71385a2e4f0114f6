"""What is left when the process is killed, or when there is no more space."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from helpers import REPOSITORY, SMALL, draw_section, load_script, save, small_network

from segmentation.prediction import networks

killed = load_script("benchmarks/killed.py")


def test_killed_runs_leave_whole_files_and_are_finished_by_a_rerun(tmp_path):
    killed.draw_dataset(tmp_path / "data", tests=8)
    _, broken = killed.try_training(tmp_path, np.random.default_rng(0), 14)
    assert broken == []


def test_killed_runs_are_counted(monkeypatch, capsys):
    monkeypatch.setattr(killed, "finish", lambda command: 1.0)
    monkeypatch.setattr(killed, "try_training", lambda *trial: (True, [("model.keras", "cut")]))
    monkeypatch.setattr(killed, "try_prediction", lambda *trial: (False, []))
    assert killed.main(["--trials", "2"]) == 2  # as many
    printed = capsys.readouterr().out
    assert "prediction: 0 of 2 killed in the midst, 0 with broken files" in printed
    assert "training: 2 of 2 killed in the midst, 2 with broken files" in printed


def test_a_broken_file_is_found(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "b.json").write_text("{")
    save(np.zeros((4, 4), np.uint8), tmp_path / "c.png")
    assert {file.name for file, _ in killed.find_broken(tmp_path)} == {"a.png", "b.json"}


def run_with_space(limit, *command):
    """Run a script that can write no file of more than so many bytes; returns the exit code and what it said."""

    def set_limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=set_limit,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size")
def test_without_space_training_ends_with_a_sentence_and_nothing_half_written(cells, tmp_path):
    code, error = run_with_space(20_000, "main.py", "--data", cells, "--run", tmp_path / "run", *SMALL)
    assert code == 2
    assert "model.keras: File too large" in error.splitlines()[-1]
    assert "Traceback" not in error
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["run.json"]
    assert killed.find_broken(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size")
def test_without_space_prediction_ends_with_a_sentence_and_nothing_half_written(tmp_path):
    networks.save_network(small_network(2), tmp_path / "model.keras", networks.Settings(border=1.0))
    for i in range(2):
        save(draw_section(np.random.default_rng(i), 300, 300)[0], tmp_path / f"{i}.png")
    command = ["predict.py", tmp_path, "--model", tmp_path / "model.keras", "--out", tmp_path / "out", "--probability"]
    code, error = run_with_space(130_000, *command)
    assert code == 2
    assert "File too large" in error.splitlines()[-1]
    assert str(tmp_path / "out") in error.splitlines()[-1]
    assert "Traceback" not in error
    assert killed.find_broken(tmp_path / "out") == []
    assert not list((tmp_path / "out").glob(".*"))
