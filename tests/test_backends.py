"""The same files on every backend."""

import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tifffile
from helpers import REPOSITORY, SMALL, draw_section, save, small_network

from segmentation.files import images, scaling
from segmentation.prediction import masks, networks


@pytest.fixture(params=sorted({"tensorflow", "jax", "torch"} - {keras.backend.backend()}))
def backend(request):
    """Each backend but the one that the other tests run on."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; its default wheel brings gigabytes for a GPU")
    return request.param


def run(backend, folder, script, *options):
    """Run a script of the repository on a backend, from a folder."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / script), *map(str, options)],
        cwd=folder,
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_main_runs_on_every_backend(backend, cells, tmp_path):
    run(backend, tmp_path, "main.py", "--data", cells, "--run", tmp_path / "run", *SMALL)
    summary = json.loads((tmp_path / "run" / "run.json").read_text())
    assert backend in summary["device"]
    assert backend in summary["versions"]
    assert 0 < summary["scores"]["test"]["accuracy"] <= 1
    assert (cells / "test" / "a_predict.png").is_file()


def test_a_saved_network_answers_alike_on_every_backend(backend, tmp_path):
    network = small_network(3)
    networks.save_network(network, tmp_path / "model.keras", networks.Settings(border=1.0))
    save(draw_section(np.random.default_rng(0), 70, 90)[0], tmp_path / "a.png")
    options = ["--model", tmp_path / "model.keras", "--probability", "--no-flips"]
    run(backend, tmp_path, "predict.py", tmp_path / "a.png", *options)
    expected = masks.predict(network, scaling.scale(images.read_array(tmp_path / "a.png")), turns="none")
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(tifffile.imread(tmp_path / "a_probability.tif"), expected, atol=1e-4)
