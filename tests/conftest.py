"""What pytest gives to several tests."""

import hashlib
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `devices.start` does, which is too late for tests

import keras
import numpy as np
import pytest
from helpers import draw_dataset, prepare

from benchmarks import original

# For the processes that tests start: bioimageio.core, once it is imported, would have them use torch.
os.environ["KERAS_BACKEND"] = keras.backend.backend()


def pytest_addoption(parser):
    parser.addoption("--screenshot", help="where test_app.py keeps a picture of the page")


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
    return made


@pytest.fixture
def tiny_original(monkeypatch):
    """The original at 32x32 and width 2, for 4 steps."""
    monkeypatch.setattr(original, "SIDE", 32)
    monkeypatch.setattr(original, "STEPS", 4)
    monkeypatch.setattr(original.unet, "__defaults__", (2,))
