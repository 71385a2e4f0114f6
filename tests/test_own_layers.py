"""A layer of one's own, registered in model.py, is known to every command that loads a network."""

import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
from helpers import REPOSITORY, SMALL, draw_dataset, free_port, serve_app

OWN = '''

@keras.saving.register_keras_serializable(package="own")
class Halve(layers.Layer):
    """Half of what comes in."""

    def call(self, x):
        return x / 2


def halving(input_shape=(None, None, 1), classes=1, width=64, depth=4, dropout=0.5):
    inputs = layers.Input(input_shape)
    outputs = layers.Conv2D(classes, 3, padding="same", activation="sigmoid")(Halve()(inputs))
    return keras.Model(inputs, outputs)
'''


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the repository whose model.py has a layer of its own, and a network trained with it in runs/cells."""
    folder = tmp_path_factory.mktemp("own") / "clone"
    left_out = (".*", "runs", "data", "img", "benchmarks", "tests", "*.ipynb", "__pycache__")
    shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(*left_out))
    shutil.copy(REPOSITORY / "data.py", folder)  # "data" is the folder of that name
    with (folder / "model.py").open("a") as file:
        file.write(OWN)
    draw_dataset(folder / "data" / "cells")
    run(folder, "main.py", "--data", "data/cells", "--model", "halving", *SMALL)
    return folder


def run(folder, *command):
    done = subprocess.run([sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


MODEL = "runs/cells/model.keras"


def test_predict_knows_the_layer(clone):
    assert "2 masks written" in run(clone, "predict.py", "data/cells/test", "--model", MODEL, "--out", "masks")


def test_the_page_knows_the_layer(clone):
    pytest.importorskip("gradio", reason="Gradio is not installed")
    with serve_app("--model", MODEL, folder=clone) as address, urllib.request.urlopen(address) as answer:
        assert b"gradio" in answer.read()


def test_the_export_knows_the_layer(clone):
    pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed")
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    run(clone, "-m", "segmentation.export", MODEL, "--image", "data/cells/test/a.png", "--out", "package.zip")
    assert (clone / "package.zip").is_file()


@contextmanager
def cluster(folder):
    """A scheduler and a worker, started in a folder as the README says: the scheduler's address."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = ["dask", "worker", address, "--no-dashboard", "--nthreads", "1"]
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": dict(os.environ)}
    started = [subprocess.Popen([sys.executable, "-m", *command], **options) for command in (scheduler, worker)]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def test_a_dask_worker_knows_the_layer(clone):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    pytest.importorskip("distributed", reason="dask is not installed")
    volume = np.random.default_rng(0).integers(0, 255, (2, 40, 40)).astype(np.uint8)
    zarr.create_array(clone / "volume.zarr", data=volume)
    with cluster(clone) as address:
        command = ["predict.py", "volume.zarr", "--out", "masks.zarr", "--model", MODEL, "--scheduler", address]
        assert "2 chunks written" in run(clone, *command)
