"""Small drawn datasets, and the scripts that lie in data/."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parent.parent
# For the processes that tests start: bioimageio.core, once it is imported, would have them use torch.
os.environ["KERAS_BACKEND"] = keras.backend.backend()


def pytest_addoption(parser):
    parser.addoption("--screenshot", help="where test_app.py keeps a picture of the page")


def load_script(path):
    """Import a script by its path below the repository."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, REPOSITORY / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw_section(rng, height=48, width=40):
    """A noisy section of bright cells between dark straight membranes, uint8, and its label, bool."""
    label = np.ones((height, width), bool)
    label[:, rng.integers(2, 12) :: 12] = False
    label[rng.integers(2, 12) :: 12] = False
    image = np.clip(80 + 90 * label + rng.normal(0, 15, label.shape), 0, 255)
    return image.astype(np.uint8), label


def save(array, path):
    """Write an array as an image; bool as 0 and 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(array) * np.uint8(255) if array.dtype == bool else array).save(path)


def draw_dataset(folder):
    """Draw a dataset of six training sections, s1 to s12, and two test sections of another size, all labelled."""
    rng = np.random.default_rng(0)
    for i in (1, 2, 3, 4, 10, 12):
        image, label = draw_section(rng)
        save(image, folder / "train" / "image" / f"s{i}.png")
        save(label, folder / "train" / "label" / f"s{i}.png")
    for name in ("a", "b"):
        image, label = draw_section(rng, 37, 53)
        save(image, folder / "test" / f"{name}.png")
        save(label, folder / "test" / "label" / f"{name}.png")
    return folder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serve_app(*arguments, folder=REPOSITORY):
    """Run the app.py of a folder in a process of its own: the address, once it answers."""
    port = free_port()
    command = [sys.executable, "app.py", *arguments, "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def dataset(tmp_path):
    """The folder of `draw_dataset`."""
    return draw_dataset(tmp_path / "cells")
