import json
from collections import Counter

import keras
import numpy as np
import pytest
from helpers import SMALL, save
from PIL import Image

import main
import model
from segmentation import devices
from segmentation.files import images
from segmentation.prediction import networks
from segmentation.training import callbacks, runs


@pytest.fixture
def train(cells, tmp_path, monkeypatch):
    """Run main.py in an empty folder on the drawn dataset."""
    monkeypatch.chdir(tmp_path)

    def run(*options):
        return main.main(["--data", str(cells), *SMALL, *options])

    return run


def test_a_run_leaves_masks_scores_and_pictures(train, cells, graphs, tmp_path, capsys, pictures):
    assert train() == 0
    for name in ("a", "b"):
        with Image.open(cells / "test" / f"{name}_predict.png") as mask:
            assert mask.size == (53, 37)
            assert mask.mode == "L"
            assert set(np.unique(mask)) <= {0, 255}
    run = tmp_path / "runs" / "cells"
    names = {"model.keras", "last.keras", "history.csv", "run.json", "scores.csv", "curves.png", "overlay.png"}
    names |= {"held_out.json", "report.html"}
    assert {file.name for file in run.iterdir()} == names
    rows = runs.read_history(run / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {"accuracy", "val_accuracy", "val_loss", "seconds"} <= rows[0].keys()
    summary = json.loads((run / "run.json").read_text())
    assert summary["arguments"]["crop"] == 32
    assert summary["versions"]["keras"] == keras.__version__
    assert any(kind in summary["device"].lower() for kind in ("cpu", "gpu", "cuda"))
    assert summary["scores"].keys() == {"held out", "test"}
    assert networks.load_network(run / "model.keras")[1].border in (0.5, 1)
    printed = capsys.readouterr().out
    assert "held out: s12" in printed
    assert f"{summary['scores']['test']['accuracy']:.4f}" in printed
    assert f"{summary['scores']['test']['constant']:.4f}" in printed
    assert printed.endswith("Look at runs/cells/report.html.\n")


def stop_after(epoch):
    """A Checkpoint that presses Ctrl-C in the middle of the epoch after this one."""

    class Interrupted(callbacks.Checkpoint):
        def on_train_batch_begin(self, batch, logs=None):
            if len(self.rows) == epoch and batch == 1:
                raise KeyboardInterrupt

    return Interrupted


def test_ctrl_c_and_resume_end_like_an_undisturbed_run(train, graphs, tmp_path, monkeypatch, capsys):
    options = ["--loss", "dice", "--class-weights", "--centred", "0.5"]
    assert train("--run", "whole", *options) == 0
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "Checkpoint", stop_after(1))
        assert train("--run", "broken", *options) == 130
    printed = capsys.readouterr().err
    assert "Stopped. 1 epochs are kept in broken; --resume" in printed
    assert printed.endswith("Look at broken/report.html.\n")
    keras.saving.load_model(tmp_path / "broken" / "model.keras")
    assert len(runs.read_history(tmp_path / "broken" / "history.csv")) == 1
    assert train("--run", "broken", "--resume") == 0
    for name in ("model.keras", "last.keras"):
        whole, broken = (keras.saving.load_model(tmp_path / run / name, compile=False) for run in ("whole", "broken"))
        for expected, found in zip(whole.get_weights(), broken.get_weights(), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    histories = [runs.read_history(tmp_path / run / "history.csv") for run in ("whole", "broken")]
    assert [row["loss"] for row in histories[1]] == pytest.approx([row["loss"] for row in histories[0]], rel=1e-5)


def test_ctrl_c_before_the_first_epoch_leaves_no_model(train, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(callbacks, "Checkpoint", stop_after(0))
    assert train() == 130
    assert "No epoch had finished" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "runs" / "cells").iterdir()] == ["run.json"]


def test_an_earlier_run_is_moved_aside(train, tmp_path, capsys):
    for name in ("runs/cells", "runs/cells.1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").write_text("{}")
    assert train("--epochs", "1") == 0
    assert "runs/cells is now runs/cells.2" in capsys.readouterr().out
    assert (tmp_path / "runs" / "cells.2" / "run.json").read_text() == "{}"


def test_resume_refuses_other_arguments(train, tmp_path, capsys):
    assert train("--resume") == 2
    assert "no finished epoch to resume from" in capsys.readouterr().err
    assert train("--epochs", "1") == 0
    assert train("--resume", "--epochs", "1", "--width", "8") == 2
    assert "--width 8: the run in runs/cells has 4" in capsys.readouterr().err


def test_a_training_starts_from_the_weights_that_are_named(train, tmp_path):
    assert train("--run", "first", "--epochs", "1") == 0
    assert train("--run", "second", "--weights", "first/model.keras", "--learning-rate", "1e-9", "--epochs", "1") == 0
    first, second = (networks.load_network(tmp_path / run / "model.keras")[0] for run in ("first", "second"))
    for expected, found in zip(first.trainable_weights, second.trainable_weights, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    (tmp_path / "first" / "model.keras").unlink()
    assert train("--run", "second", "--resume", "--epochs", "1") == 0


def test_weights_that_do_not_fit_are_refused(train, tmp_path, capsys):
    (tmp_path / "text.keras").write_text("no network")
    model.unet(width=8, depth=2).save(tmp_path / "wide.keras")
    for name, expected in (
        ("none", "no such file"),
        ("text", "cannot be loaded"),
        ("wide", "is a network of another --model, --width or --depth"),
    ):
        assert train("--weights", f"{name}.keras") == 2
        error = capsys.readouterr().err
        assert f"--weights {name}.keras: {expected}" in error
        assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_every_problem_is_reported_before_training_and_nothing_is_written(train, cells, tmp_path, capsys):
    (cells / "train" / "label" / "s3.png").unlink()
    save(np.eye(20, dtype=bool), cells / "train" / "image" / "s4.png")
    assert train("--crop", "30", "--depth", "2") == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4
    for expected in ("s3.png: has no label", "s4.png: its size", "less than --crop 30", "not divisible by 2^2"):
        assert any(expected in error for error in errors)
    assert not (tmp_path / "runs").exists()


def test_an_unwritable_output_is_reported_before_training(train, tmp_path, capsys):
    (tmp_path / "runs").touch()
    assert train() == 2
    assert "runs: cannot be written to" in capsys.readouterr().err


def test_a_full_disk_is_one_sentence(train, monkeypatch, capsys):
    def full(network, path, settings=None):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(networks, "save_network", full)
    assert train() == 2
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--epochs=0", "--crop=0", "--learning-rate=0", "--validation-fraction=0", "--seed=-1"]
)
def test_numbers_out_of_range_are_refused(train, option, capsys):
    with pytest.raises(SystemExit) as stopped:
        train(option)
    assert stopped.value.code == 2
    assert f"found {option.split('=')[1]}" in capsys.readouterr().err


def test_too_little_memory_is_one_sentence(train, monkeypatch, capsys):
    class Full(callbacks.Checkpoint):
        def on_train_batch_begin(self, batch, logs=None):
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(callbacks, "Checkpoint", Full)
    assert train() == 2
    assert "out of memory. Start again with a smaller --batch-size" in capsys.readouterr().err


def test_the_papers_options_train_too(train):
    borders = "--border-weight", "10", "--border-sigma", "3"
    assert train("--elastic", "3", *borders, "--no-turns", "--no-grey", "--epochs", "1") == 0


def test_mixed_precision_trains_in_bfloat16_and_predicts_in_float32_on_a_processor(train, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "has_bfloat16", lambda: False)
    assert train("--mixed-precision", "--epochs", "1") == 0
    trained, kept = (keras.saving.load_model(tmp_path / "runs/cells" / name) for name in ("last.keras", "model.keras"))
    found = [network.get_layer("down1_conv1").compute_dtype for network in (trained, kept)]
    assert found == ["bfloat16", "float32"]
    assert trained.get_layer("down1_conv1").variable_dtype == trained.output.dtype == "float32"
    image = np.random.default_rng(0).random((1, 64, 64, 1), "float32")
    np.testing.assert_allclose(kept.predict_on_batch(image), trained.predict_on_batch(image), atol=0.02)
    for made_for_it, computed in (False, "float32"), (True, "bfloat16"):
        monkeypatch.setattr(devices, "has_bfloat16", lambda made_for_it=made_for_it: made_for_it)
        assert train("--epochs", "1") == 0
        trained = keras.saving.load_model(tmp_path / "runs/cells/last.keras")
        assert trained.get_layer("down1_conv1").compute_dtype == computed


def test_any_function_of_the_model_file_can_be_trained(train, tmp_path, monkeypatch):
    def flat(input_shape=(None, None, 1), classes=1, width=64, depth=4, dropout=0.5):
        inputs = keras.layers.Input(input_shape)
        return keras.Model(inputs, keras.layers.Conv2D(classes, 3, padding="same", activation="sigmoid")(inputs))

    monkeypatch.setattr(main, "find_architectures", lambda: ["flat", "unet"])
    monkeypatch.setattr(model, "flat", flat, raising=False)
    assert train("--model", "flat") == 0
    assert len(keras.saving.load_model(tmp_path / "runs" / "cells" / "model.keras").layers) == 2


def test_every_architecture_of_the_model_file_is_found(tmp_path):
    assert main.find_architectures() == ["unet"]
    file = tmp_path / "model.py"
    file.write_text("import math\n\ndef unet():\n    pass\n\ndef _help():\n    pass\n\ndef wide():\n    pass\n")
    assert main.find_architectures(file) == ["unet", "wide"]


def test_each_training_file_is_decoded_once(train, cells, monkeypatch):
    read, decoded = images.read_raster, Counter()

    def count(file):
        decoded[file] += 1
        return read(file)

    monkeypatch.setattr(images, "read_raster", count)
    assert train("--epochs", "1") == 0
    trained = [*(cells / "train" / "image").iterdir(), *(cells / "train" / "label").iterdir()]
    assert [decoded[file] for file in trained] == [1] * 12
