"""What pytest gives to several tests."""

import hashlib
import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `devices.start` does, which is too late for tests
# JAX compiles for most of the time of a small training: not as well here, and what one process has compiled only once.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import keras
import numpy as np
import pytest
from helpers import draw_dataset, prepare, to_tiff
from matplotlib.figure import Figure
from PIL import Image

from benchmarks import original

if keras.backend.backend() == "tensorflow":
    import tensorflow

    # Building graphs would take most of the time of a small training. Commands in processes of their own have them, and
    # so have the tests that ask for `graphs`.
    tensorflow.config.run_functions_eagerly(True)

# Drawing figures would take a third of it: so they are drawn for the tests alone that ask for `pictures`.
DRAW = Figure.savefig
Figure.savefig = lambda figure, file, **options: Image.new("L", (1, 1)).save(file, "PNG")

# For the processes that tests start: bioimageio.core, once it is imported, would have them use torch.
os.environ["KERAS_BACKEND"] = keras.backend.backend()


def pytest_addoption(parser):
    parser.addoption("--screenshot", help="where test_app.py keeps a picture of the page")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as player:
        running = player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def graphs():
    """Let TensorFlow build graphs, as it does for users."""
    if keras.backend.backend() == "tensorflow":
        tensorflow.config.run_functions_eagerly(False)
        yield
        tensorflow.config.run_functions_eagerly(True)
    else:
        yield


@pytest.fixture
def pictures(monkeypatch):
    """Let figures be drawn, as they are for users."""
    monkeypatch.setattr(Figure, "savefig", DRAW)


@pytest.fixture
def cells(tmp_path):
    """The folder of `helpers.draw_dataset`."""
    return draw_dataset(tmp_path / "cells")


@pytest.fixture
def stacks(monkeypatch):
    """Stacks of three 8x8 sections, with their fingerprints in the challenge's place."""
    rng = np.random.default_rng(0)
    made = {name: rng.integers(0, 256, (3, 8, 8), np.uint8) for name in prepare.STACKS}
    known = {
        name: (folder, fingerprint and hashlib.sha256(made[name].tobytes()).hexdigest())
        for name, (folder, fingerprint) in prepare.STACKS.items()
    }
    monkeypatch.setattr(prepare, "STACKS", known)
    monkeypatch.setattr(prepare, "BLOB", prepare.find_blob(to_tiff(made[prepare.TEST_LABELS])))
    return made


@pytest.fixture
def tiny_original(monkeypatch):
    """The original at 32x32 and width 2, for 4 steps."""
    monkeypatch.setattr(original, "SIDE", 32)
    monkeypatch.setattr(original, "STEPS", 4)
    monkeypatch.setattr(original.unet, "__defaults__", (2,))
