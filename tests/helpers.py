"""What several tests share: small drawn datasets, small networks, processes."""

import importlib.util
import io
import random
import socket
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

import data
from benchmarks import isbi2012
from model import unet
from segmentation.files import checks, dataset, images, splits
from segmentation.training import callbacks

REPOSITORY = Path(__file__).parent.parent
# Options of main.py for a training of seconds.
SMALL = ["--epochs", "2", "--steps-per-epoch", "3", "--batch-size", "2", "--crop", "32", "--width", "4", "--depth", "1"]

GREY = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY // 2], axis=-1)
ALPHA = np.full_like(GREY, 7)
COLOURED_ALPHA = np.dstack([COLOUR, ALPHA])


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
    """A port that nothing listens at, of those that no system hands out by itself, as dask's workers ask for."""
    ports = list(range(20_000, 32_000))
    random.SystemRandom().shuffle(ports)  # tests run side by side, and seed other random numbers alike
    for port in ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


@contextmanager
def serve_app(*arguments, folder=REPOSITORY):
    """Serve the page from a folder, in a process of its own: the address, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "segmentation.app", *arguments, "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 120
            while time.monotonic() < until and process.poll() is None:
                with socket.socket() as probe:
                    if not probe.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:  # a test that fails would wait for it otherwise
            process.terminate()


def small_network(depth, seed=0, channels=1):
    """A network whose normalisation, as after training, is none of 0 and 1."""
    keras.utils.set_random_seed(seed)
    network = unet((None, None, channels), width=2, depth=depth, dropout=0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.full(layer.moving_mean.shape, -0.3))
            layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.5))
    return network


def run_epochs(run, network, watching, epochs):
    kept = callbacks.Checkpoint(run)
    for callback in (kept, *watching):
        callback.set_model(network)
    for epoch in range(epochs):
        kept.on_epoch_begin(epoch)
        for callback in (kept, *watching):
            callback.on_epoch_end(epoch, {"loss": 1.0, "accuracy": 0.8, "val_loss": 1.0, "val_accuracy": 0.8})


def make_indexed(indices, colours):
    """An indexed image, for Pillow to save."""
    image = Image.fromarray(indices, "P")
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    return image


def count_up(*shape, dtype=np.uint8):
    """An array of different values as far as its dtype goes."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def refuse(file, words):
    """Check that a file is refused in one sentence that names it once."""
    with pytest.raises(ValueError, match=words) as caught:
        images.read_raster(file)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert text.count(str(file)) == 1
    assert "\n" not in text


def write_bomb(path):
    """A PNG of a few bytes that says it is 30000 pixels wide and high."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def to_tiff(stack):
    """The bytes of a TIFF file."""
    packed = io.BytesIO()
    tifffile.imwrite(packed, stack, photometric="minisblack")
    return packed.getvalue()


def pack_stacks(path, stacks):
    """Write stacks into a zip file, in a folder of it, as the challenge does."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, stack in stacks.items():
            archive.writestr(f"ISBI-2012-challenge/{name}", to_tiff(stack))


def shrink_isbi2012(monkeypatch, folder):
    """Let isbi2012.py train briefly, in this process, and keep its rows in a folder."""
    small = ["--crop", "32", "--width", "2", "--depth", "2", "--epochs", "2", "--steps-per-epoch", "2"]
    monkeypatch.setattr(isbi2012, "OURS", {"main.py": small, "main.py, short": small})
    monkeypatch.setattr(isbi2012, "ROWS", folder / "rows.csv")
    monkeypatch.setattr(isbi2012, "LOOK", 2)
    monkeypatch.setattr(isbi2012, "in_a_process", lambda function, *arguments: function(*arguments))


prepare = load_script("data/isbi2012/prepare.py")


def draw_discs(seed, height=64, width=64, count=5, radii=(6, 11)):
    """A noisy image of bright discs in [0, 1], and their numbers: 0 outside, the discs 1, 2, ... as they are seen."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    numbers = np.zeros((height, width), int)
    for i in range(1, count + 1):
        centre, radius = rng.integers(0, (height, width)), rng.integers(*radii)
        disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        numbers[disc & (numbers == 0)] = i
    numbers = np.unique(numbers, return_inverse=True)[1].reshape(height, width)
    image = np.clip(0.25 + 0.4 * (numbers > 0) + rng.normal(0, 0.04, numbers.shape), 0, 1)
    return image, numbers


def to_bytes(image):
    return np.uint8(np.rint(255 * image))


def write(path, array, **options):
    """Write an array, or a Pillow image, in the format that the path names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(array, Image.Image):
        array.save(path, **options)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, array, **options)
    else:
        save(array, path)


def write_pairs(
    folder, *, count=6, tests=0, image=to_bytes, label=lambda numbers: numbers > 0, names="s{}.png", **drawn
):
    """A dataset of discs: `image` and `label` make what is written of an image in [0, 1] and of numbers."""
    for i in range(count + tests):
        picture, numbers = draw_discs(i, **drawn)
        image_part, label_part = ("train/image", "train/label") if i < count else ("test", "test/label")
        write(folder / image_part / names.format(i), image(picture))
        write(folder / label_part / f"s{i}.png", label(numbers))
    return folder


def check(folder, **options):
    """The survey of a dataset, which has no problems."""
    found = dataset.survey(folder, keep=True, **options)
    assert checks.find_problems(found, 0.2, None, depth=2) == []
    return found


def find_problem(folder, **options):
    """The one problem of a dataset."""
    (problem,) = checks.find_problems(dataset.survey(folder, **options), 0.2, None, depth=2)
    return problem


def take(found, **options):
    """What is trained on and what is held out of a dataset."""
    return [data.take_pairs(found, sections) for sections in splits.split_sections(found, 0.2, **options)]
