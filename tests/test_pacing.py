import keras
import numpy as np
import pytest
from helpers import SMALL, small_network

import data
import main
from segmentation.files import classes
from segmentation.training import pacing, runs

KNOWN = classes.Classes((0, 255), ("membrane", "cell"), pixels=(1, 3), parted=True)


def test_steps_fill_the_time_that_the_rest_leaves():
    pace = pacing.Pace(step=0.5, epoch=2.0, masked=1e-6, scored=3e-6, graphs=10.0)
    pixels = {"masked": 4 * 10**6, "scored": 10**6}
    # 120 s less 10 for graphs, 5 * 2 for epochs, 4 + 3 for the pixels and 4 for files: 89 s, of 2.5 s a step.
    assert pacing.choose_steps(120, pace, 5, **pixels) == 35
    # Two networks build two graphs, and share what is held out: 79 s, of 5 s.
    assert pacing.choose_steps(120, pace, 5, **pixels, count=2) == 15
    assert pacing.choose_steps(5, pace, 5, **pixels) == 1


def test_a_pace_is_measured_in_steps_epochs_and_pixels(graphs, monkeypatch):
    monkeypatch.setattr(pacing, "MEASURED", 0.1)
    image, label = np.random.default_rng(0).random((64, 64, 1), "float32"), np.zeros((64, 64), bool)
    network = small_network(1)
    network.compile("adam", "binary_crossentropy")
    before = network.get_weights()
    crops = data.Crops([image], [label], crop=32, batch_size=2, steps=10)
    pace = pacing.measure(network, crops, data.Sections([image] * 3, [label] * 3, 2), "none", KNOWN)
    assert 0 < pace.step < pace.graphs
    assert pace.epoch > pacing.PICTURES
    assert 0 < pace.masked < 1e-3 and pace.scored < 1e-3
    assert not np.array_equal(before[0], network.get_weights()[0])


@pytest.fixture
def train(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *options: main.main(["--data", str(cells), *SMALL, *options])


def test_minutes_choose_the_steps_of_a_run_that_is_else_the_same(train, tmp_path, monkeypatch, capsys):
    pace = pacing.Pace(step=10.0, epoch=0.0, masked=0.0, scored=0.0, graphs=0.0)
    with monkeypatch.context() as patched:
        patched.setattr(pacing, "measure", lambda *measured: pace)
        assert train("--run", "fitted", "--epochs", "1", "--minutes", "1") == 0
    steps = runs.read_arguments(tmp_path / "fitted")["steps_per_epoch"]
    assert steps in (4, 5)  # a minute less some seconds
    assert f"A step takes 10 s: --steps-per-epoch {steps} for --minutes 1." in capsys.readouterr().out
    assert train("--run", "given", "--epochs", "1", "--steps-per-epoch", str(steps)) == 0
    files = [tmp_path / run / "last.keras" for run in ("fitted", "given")]
    weights = [keras.saving.load_model(file, compile=False).get_weights() for file in files]
    for fitted, given in zip(*weights, strict=True):
        np.testing.assert_allclose(fitted, given, rtol=1e-5, atol=1e-7)
    monkeypatch.setattr(pacing, "measure", None)  # what is resumed has its steps
    assert main.main(["--run", "fitted", "--resume"]) == 0


def test_minutes_are_measured_and_refused_for_several_machines(train, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pacing, "MEASURED", 0.1)
    assert train("--epochs", "1", "--minutes", "0.1") == 0
    assert "A step takes 0." in capsys.readouterr().out
    assert train("--minutes", "1", "--folds", "2", "--scheduler", "tcp://127.0.0.1:1") == 2
    assert "--minutes: fits the steps to one device" in capsys.readouterr().err
